import { randomBytes } from "node:crypto";
import {
  closeSync,
  fdatasync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { basename, dirname } from "node:path";
import { linkAtomic, writeAtomic } from "../../base/durable.ts";
import { codeOf } from "../../base/errors.ts";
import { makeFolders } from "../../base/folders.ts";

/**
 * Every change that the agent makes to its checkpoints goes through this interface, so that a test can fail or end the
 * process at the N-th one.
 *
 * What must survive the machine is synced (agent info, resources, updates); what only has to survive the agent's own
 * process is not: after a reboot the tasks that it describes are gone.
 */
export interface CheckpointFiles {
  /** Replaces a file at once, for a reader and for a crash of this process. Not synced. Throws what the system says. */
  replace(path: string, data: Uint8Array | string): void;
  /**
   * Makes a file that is probably not there yet, and that nobody believes before a later one is there: a process that is ended
   * in the middle may leave it empty, never in part. On failure it is not there. Not synced. Throws what the system says.
   */
  create(path: string, data: Uint8Array | string): void;
  /** `replace`, synced with its folder. */
  replaceDurably(path: string, data: Uint8Array | string): Promise<void>;
  /**
   * Appends; `durable`: synced, so that it survives the machine. On failure the file is cut back to what it was, so that
   * a later append stays readable. To one file, one at a time.
   */
  append(path: string, data: Uint8Array, durable: boolean): Promise<void>;
  /** Points the symbolic link `path` at `target`, synced. */
  linkDurably(path: string, target: string): Promise<void>;
  /** Points the symbolic link at `target`, not synced. */
  link(path: string, target: string): void;
  /**
   * Makes a folder and those above it: before the first file in it, because a failed attempt costs more than this. `below`: one
   * above it that is probably there; those between are made from it on, instead of asked for one after the other.
   */
  folder(path: string, below?: string): void;
  /** Removes a file or an empty mark of one; a missing one is fine. */
  remove(path: string): void;
  touch(path: string): void;
  read(path: string): Buffer;
}

/** Checkpoints hold the environment and the secrets of every task: the agent's alone. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** Names this process among those that may have left temporary files behind; asked for once, a launch needs many names. */
const self = randomBytes(6).toString("hex");
let temporaries = 0;
const temporaryFor = (path: string): string => `${dirname(path)}/.${basename(path)}.${self}.${temporaries++}.tmp`;

/** Runs `action`, making the parent folder when it is missing: it nearly never is, so it is not asked for first. */
function inFolder(path: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    mkdirSync(dirname(path), { recursive: true, mode: FOLDER_MODE });
    action();
  }
}

const bytesOf = (data: Uint8Array | string): Uint8Array => (typeof data === "string" ? Buffer.from(data) : data);

/** A file that was not there; nothing of it is left where that fails. */
function writeNew(path: string, data: Uint8Array): void {
  const file = openSync(path, "wx", FILE_MODE);
  try {
    writeAll(file, data);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

function replace(path: string, data: Uint8Array | string): void {
  const temporary = temporaryFor(path);
  inFolder(path, () => writeNew(temporary, bytesOf(data)));
  try {
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Bytes that one write puts into an empty file as a whole: Linux looks for a deadly signal only between two pages. */
const ONE_PAGE = 4096;

/** In place where that is whole: another name and a rename are a third of what a small file costs. */
function create(path: string, data: Uint8Array | string): void {
  const bytes = bytesOf(data);
  if (bytes.length > ONE_PAGE) return replace(path, bytes);
  try {
    inFolder(path, () => writeNew(path, bytes));
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
    replace(path, bytes);
  }
}

/** Writes all of it at the end of the file, or leaves the file as it was. */
function writeAll(file: number, data: Uint8Array): void {
  let written = 0;
  try {
    while (written < data.length) written += writeSync(file, data, written);
  } catch (error) {
    if (written > 0) ftruncateSync(file, fstatSync(file).size - written);
    throw error;
  }
}

/** A descriptor at the end of the file, which is made with its folder when it is missing. */
function openAtEnd(path: string): number {
  let file = -1;
  inFolder(path, () => {
    file = openSync(path, "a", FILE_MODE);
  });
  return file;
}

/**
 * One open for all of it. No descriptor is kept until the next append: docs/decisions/0003 has what that would save.
 */
async function append(path: string, data: Uint8Array, durable: boolean): Promise<void> {
  const file = openAtEnd(path);
  try {
    writeAll(file, data);
    if (durable) await sync(file, data.length);
  } finally {
    closeSync(file);
  }
}

/** Waits until the disk has it. What is not known to be there, the last `length` bytes, is taken back: it is written once more. */
async function sync(file: number, length: number): Promise<void> {
  const error = await new Promise<Error | null>((done) => fdatasync(file, done));
  if (error === null) return;
  ftruncateSync(file, fstatSync(file).size - length);
  throw error;
}

/** The real file system. */
export const checkpointFiles: CheckpointFiles = {
  replace,
  create,
  append,
  replaceDurably: (path, data) => writeAtomic(path, data, { mode: FILE_MODE, folderMode: FOLDER_MODE }),
  linkDurably: (path, target) => linkAtomic(path, target, { folderMode: FOLDER_MODE }),
  link(path, target) {
    try {
      inFolder(path, () => symlinkSync(target, path));
      return;
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
    // By rename: there is no moment without one.
    const temporary = temporaryFor(path);
    symlinkSync(target, temporary);
    renameSync(temporary, path);
  },
  folder: (path, below) => makeFolders(path, FOLDER_MODE, below),
  remove: (path) => rmSync(path, { force: true }),
  touch(path) {
    inFolder(path, () => closeSync(openSync(path, "a", FILE_MODE)));
    const now = new Date();
    utimesSync(path, now, now);
  },
  read: (path) => readFileSync(path),
};
