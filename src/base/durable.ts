import { randomBytes } from "node:crypto";
import { open, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { makeFolder } from "./folders.ts";

export interface WriteOptions {
  /** Of the file; default 0644. */
  readonly mode?: number;
  /** Of folders that have to be made; default 0777, less the umask. */
  readonly folderMode?: number;
  /** false: survives the process, not the machine. Default true: file and folder are synced. */
  readonly sync?: boolean;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Replaces `path` by `data` so that a reader, and a crash at any moment, sees either the old or the new content: a
 * temporary file in the same folder, synced, renamed over, folder synced. Makes missing folders. On failure the old
 * content stays and the temporary file is removed. Pieces are written one after the other.
 */
export async function writeAtomic(
  path: string,
  data: Uint8Array | string | Iterable<string>,
  options: WriteOptions = {},
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  makeFolder(folder, options.folderMode);
  try {
    const handle = await open(temporary, "wx", options.mode ?? 0o644);
    try {
      await handle.writeFile(data);
      if (options.sync !== false) await handle.sync();
    } finally {
      await handle.close();
    }
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
