import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { codeOf, messageOf, UserError } from "../base/errors.ts";
import { existing } from "./machine.ts";
import type { Plan, PlannedFolder } from "./plan.ts";
import type { PlannedFile } from "./planned-file.ts";

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** The account of a name in the text of /etc/passwd. */
export function accountOf(passwd: string, name: string): Account | undefined {
  const fields = passwd
    .split("\n")
    .map((line) => line.split(":"))
    .find((each) => each[0] === name && each.length >= 4);
  return fields === undefined ? undefined : { uid: Number(fields[2]), gid: Number(fields[3]) };
}

/** What writing needs of the machine. */
export interface Writer {
  readonly isRoot: boolean;
  readonly account: (name: string) => Account | undefined;
  readonly warn: (message: string) => void;
}

/**
 * Makes a missing folder. One that exists (a mount, perhaps) keeps its mode; it is given to its owner when it is still
 * root's, as a folder that Docker made for a mount is.
 */
function makeFolder(folder: PlannedFolder, writer: Writer): void {
  const found = statSync(folder.path, { throwIfNoEntry: false });
  if (found === undefined) mkdirSync(folder.path, { recursive: true, mode: folder.mode });
  const owner = folder.owner === undefined ? undefined : writer.account(folder.owner);
  if (writer.isRoot && owner !== undefined && (found?.uid ?? 0) === 0) chownSync(folder.path, owner.uid, owner.gid);
}

/** A new file beside, then renamed. Not synced: everything here is made again at every start. */
function writeFile(file: PlannedFile, writer: Writer): void {
  const temporary = `${file.path}.new`;
  mkdirSync(dirname(file.path), { recursive: true });
  writeFileSync(temporary, file.text, { mode: file.mode });
  chmodSync(temporary, file.mode);
  const group = file.group === undefined ? undefined : writer.account(file.group);
  if (writer.isRoot && group !== undefined) chownSync(temporary, 0, group.gid);
  renameSync(temporary, file.path);
}

/** Why a folder cannot be made, in words that name what is in the way: Node says ENOENT where a parent is read-only. */
function whyNot(path: string, error: unknown): string {
  const above = existing(path);
  try {
    accessSync(above, constants.W_OK);
    return messageOf(error);
  } catch (problem) {
    if (codeOf(problem) === "EROFS") return `${above} is read-only: mount ${path} writable (-v ${path}:${path}:rw)`;
    return `this user may not write in ${above}: leave --user out`;
  }
}

const READ_ONLY = "a read-only root needs tmpfs on /run, /tmp, /etc/supervisor/conf.d and /var/log/supervisor";

function attempt(path: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    const code = codeOf(error);
    const fixes: Readonly<Record<string, string>> = {
      EROFS: READ_ONLY,
      EACCES: "the container needs root: leave --user out",
      EBUSY: "it is mounted: mount the folder's other files only, or the whole folder",
    };
    const fix = fixes[code ?? ""];
    throw new UserError(`cannot write ${path}: ${messageOf(error)}`, fix);
  }
}

/**
 * Carries a plan out. A folder that cannot be made is the business of the program that needs it, so it is a warning; a file
 * that cannot be written is an error, because a stale one would run.
 */
export function carryOut(plan: Plan, writer: Writer): void {
  for (const folder of plan.folders) {
    try {
      makeFolder(folder, writer);
    } catch (error) {
      writer.warn(`cannot make ${folder.path}: ${whyNot(folder.path, error)}`);
    }
  }
  for (const path of plan.removed) attempt(path, () => rmSync(path, { force: true, recursive: true }));
  for (const file of plan.files) attempt(file.path, () => writeFile(file, writer));
}

/** The text of /etc/passwd, or none. */
export function passwdText(): string {
  try {
    return readFileSync("/etc/passwd", "utf8");
  } catch {
    return "";
  }
}
