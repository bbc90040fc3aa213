import type { Stats } from "node:fs";
import { lstat, readFile } from "node:fs/promises";
import { FewAtOnce } from "../../../base/few-at-once.ts";
import { onDisk } from "../../../base/file-names.ts";
import { answerPace } from "../../../http/paced-body.ts";
import { namesIn, shownNames } from "../../model/held/shown-names.ts";
import { FilesError, filesError, type OpenedPath } from "./attached.ts";

/** One line of /files/browse. */
export interface ListedFile {
  readonly path: string;
  readonly nlink: number;
  readonly size: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  /** `-rw-r--r--` */
  readonly mode: string;
  readonly modeBits: number;
  /** Names; numbers when there is none. */
  readonly uid: string;
  readonly gid: string;
}

/** Pairs, not an object: the linter's fix for numeric keys gets octal ones wrong. */
const TYPES = new Map([
  [0o140000, "s"],
  [0o120000, "l"],
  [0o100000, "-"],
  [0o060000, "b"],
  [0o040000, "d"],
  [0o020000, "c"],
  [0o010000, "p"],
]);

/** A mode as `ls -l` shows it. */
export function modeText(mode: number): string {
  const bit = (mask: number, letter: string): string => ((mode & mask) === 0 ? "-" : letter);
  const execute = (mask: number, special: number, letter: string): string => {
    if ((mode & special) === 0) return bit(mask, "x");
    return (mode & mask) === 0 ? letter.toUpperCase() : letter;
  };
  return (
    (TYPES.get(mode & 0o170000) ?? "?") +
    bit(0o400, "r") +
    bit(0o200, "w") +
    execute(0o100, 0o4000, "s") +
    bit(0o040, "r") +
    bit(0o020, "w") +
    execute(0o010, 0o2000, "s") +
    bit(0o004, "r") +
    bit(0o002, "w") +
    execute(0o001, 0o1000, "t")
  );
}

/** Names of users (passwd) or groups (group) by their number; empty when the file cannot be read. */
async function namesOf(file: string): Promise<ReadonlyMap<number, string>> {
  const content = await readFile(file, "utf8").catch(() => "");
  const lines = content.split("\n").map((line) => line.split(":"));
  // The first line of a number counts, as getpwuid has it.
  return new Map(lines.reverse().flatMap(([name = "", , id]) => (id && /^\d+$/.test(id) ? [[Number(id), name]] : [])));
}

/** A folder may hold millions of files: more than this are not listed. */
const MOST_ENTRIES = 20_000;

interface Names {
  readonly users: ReadonlyMap<number, string>;
  readonly groups: ReadonlyMap<number, string>;
}

function listed(path: string, info: Stats, { users, groups }: Names): ListedFile {
  return {
    path,
    nlink: info.nlink,
    size: info.size,
    mtime: Math.floor(info.mtimeMs / 1000),
    mode: modeText(info.mode),
    modeBits: info.mode,
    uid: users.get(info.uid) ?? String(info.uid),
    gid: groups.get(info.gid) ?? String(info.gid),
  };
}

/**
 * Folders that are listed at once, by whoever: each holds its names for as long as that takes, and one of the four threads that do
 * all file work. Of those one is left, whatever hangs below a sandbox. The others wait before theirs is opened.
 */
const listings = new FewAtOnce(3);

/**
 * Shows what is in a folder to `show`, sorted by path, each entry under `path`; nothing for a file, as in Mesos. Names that are
 * not UTF-8 as shown-names.ts shows them. Throws a FilesError.
 */
export function listFolder(
  path: string,
  open: () => Promise<OpenedPath>,
  show: (entry: ListedFile) => void,
): Promise<void> {
  return listings.run(async () => {
    const { handle, kind } = await open();
    try {
      if (kind === "folder") await listOpened(path, `/proc/self/fd/${handle.fd}`, show);
    } catch (error) {
      throw filesError(error);
    } finally {
      await handle.close();
    }
  });
}

async function listOpened(path: string, folder: string, show: (entry: ListedFile) => void): Promise<void> {
  const names = await namesIn(folder);
  if (names.length > MOST_ENTRIES)
    throw new FilesError(400, `The folder has ${names.length} entries; at most ${MOST_ENTRIES} are listed.\n`);
  const who = { users: await namesOf("/etc/passwd"), groups: await namesOf("/etc/group") };
  const prefix = path.toWellFormed().replace(/\/+$/, "");
  const shown = shownNames(names);
  for (const [index, name] of names.entries()) {
    // Removed meanwhile: it is not there.
    const info = await lstat(onDisk(`${folder}/${name}`)).catch(() => undefined);
    await answerPace.take();
    if (info !== undefined) show(listed(`${prefix}/${shown[index]}`, info, who));
  }
}

/** 16 pages of memory: what one /files/read gives at most. */
export const LARGEST_READ = 65_536;

export interface ReadPart {
  readonly offset: number;
  readonly data: Buffer;
  /** Of the whole file. */
  readonly size: number;
}

/**
 * A part of an opened file. `offset` undefined: only the size, as `offset`. `length` undefined: to the end. At most
 * LARGEST_READ bytes. Closes the file; a folder is a FilesError.
 */
export async function readPart(
  { handle, kind, size }: OpenedPath,
  offset: number | undefined,
  length: number | undefined,
): Promise<ReadPart> {
  try {
    if (kind === "folder") throw new FilesError(400, "Cannot read a directory.\n");
    const nothing = Buffer.alloc(0);
    if (offset === undefined) return { offset: size, data: nothing, size };
    if (offset >= size) return { offset, data: nothing, size };
    const wanted = Math.min(length ?? LARGEST_READ, size - offset, LARGEST_READ);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(wanted), 0, wanted, offset);
    return { offset, data: buffer.subarray(0, bytesRead), size };
  } catch (error) {
    throw filesError(error);
  } finally {
    await handle.close();
  }
}
