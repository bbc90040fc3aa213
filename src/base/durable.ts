import { randomBytes } from "node:crypto";
import {
  close as closeCallback,
  closeSync,
  constants,
  fsync as fsyncCallback,
  open as openCallback,
  write as writeCallback,
} from "node:fs";
import { rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { makeFolder } from "./folders.ts";

/** A whole file, or its pieces. */
type Content = Uint8Array | string | Iterable<string>;

export interface WriteOptions {
  /** Of the file; default 0644. */
  readonly mode?: number;
  /** Of folders that have to be made; default 0777, less the umask. */
  readonly folderMode?: number;
  /** false: survives the process, not the machine. Default true: file and folder are synced. */
  readonly sync?: boolean;
}

const close = promisify(closeCallback);
const open = promisify(openCallback);
const write = promisify(writeCallback);
const fsync = promisify(fsyncCallback);
const { O_CREAT, O_EXCL, O_RDONLY, O_SYNC, O_WRONLY } = constants;

async function syncFolder(folder: string): Promise<void> {
  const fd = await open(folder, O_RDONLY);
  try {
    await fsync(fd);
  } finally {
    closeSync(fd);
  }
}

async function writeWhole(fd: number, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await write(fd, bytes, at, bytes.length - at, null)).bytesWritten;
}

const bytesOf = (piece: Uint8Array | string): Uint8Array => (typeof piece === "string" ? Buffer.from(piece) : piece);

/** Makes the file `path` with this content, synced if it is to be. */
async function writeNew(path: string, data: Content, { mode = 0o644, sync = true }: WriteOptions): Promise<void> {
  const isWhole = typeof data === "string" || data instanceof Uint8Array;
  // What one write writes is synced by that write: each call is a trip to another thread and back.
  const fd = await open(path, O_WRONLY | O_CREAT | O_EXCL | (sync && isWhole ? O_SYNC : 0), mode);
  try {
    for (const piece of isWhole ? [data] : data) await writeWhole(fd, bytesOf(piece));
    if (sync && (!isWhole || data.length === 0)) await fsync(fd);
  } finally {
    // After a sync nothing is left to be written.
    if (sync) closeSync(fd);
    else await close(fd);
  }
}

/**
 * Replaces `path` by `data` so that a reader, and a crash at any moment, sees either the old or the new content: a
 * temporary file in the same folder, synced, renamed over, folder synced. Makes missing folders. On failure the old
 * content stays and the temporary file is removed. Pieces are written one after the other; what is not in pieces costs
 * half as many calls.
 */
export async function writeAtomic(path: string, data: Content, options: WriteOptions = {}): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  makeFolder(folder, options.folderMode);
  try {
    await writeNew(temporary, data, options);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  if (options.sync !== false) await syncFolder(folder);
}

/** Points the symbolic link `path` at `target`, replacing what it pointed at, atomically; the folder is synced. */
export async function linkAtomic(
  path: string,
  target: string,
  options: Pick<WriteOptions, "folderMode"> = {},
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  makeFolder(dirname(path), options.folderMode);
  await symlink(target, temporary);
  await rename(temporary, path);
  await syncFolder(dirname(path));
}
