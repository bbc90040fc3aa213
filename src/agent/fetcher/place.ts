import { constants as flags } from "node:fs";
import { chmod, copyFile, lstat, mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { codeOf } from "../../base/errors.ts";

/*
 * Only for the process that fetches: it stands in the sandbox (`root` is then ".") and has no more rights than the task's
 * user, so that names may be used. What is refused here is refused for the user's own sake.
 */

/**
 * Makes the folders of `destination` below the sandbox `root` and makes room for the file. Refuses a way through a symbolic
 * link: an archive fetched before may have put one there.
 */
export async function preparePlace(root: string, destination: string): Promise<void> {
  let folder = root;
  for (const part of dirname(destination).split("/")) {
    if (part === "." || part === "") continue;
    folder = join(folder, part);
    const present = await lstat(folder).catch(ignoreMissing);
    if (present === undefined) await mkdir(folder);
    else if (!present.isDirectory()) throw new Error(`'${dirname(destination)}' in the sandbox is not a folder`);
  }
  const path = join(folder, basename(destination));
  const present = await lstat(path).catch(ignoreMissing);
  if (present?.isDirectory()) throw new Error(`'${destination}' in the sandbox is a folder`);
  if (present !== undefined) await rm(path);
}

/** Executable files get x for all. */
export async function finishFile(path: string, executable: boolean): Promise<void> {
  if (executable) await chmod(path, 0o755);
}

/** A copy by reference where the file system can, with the permissions of a new file. */
export async function copyWhole(from: string, to: string): Promise<void> {
  await copyFile(from, to, flags.COPYFILE_EXCL | flags.COPYFILE_FICLONE);
  await chmod(to, 0o644);
}

/**
 * Moves everything of `from` into `to`: folders merge, other entries replace what has their name. Links in `to` are
 * never followed; they are replaced.
 */
export async function moveInto(from: string, to: string): Promise<void> {
  await moveEach(Buffer.from(from), Buffer.from(to));
}

/** By their bytes: names in an archive need not be UTF-8. */
async function moveEach(from: Buffer, to: Buffer): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true, encoding: "buffer" })) {
    const [source = from, target = to] = [from, to].map((one) => Buffer.concat([one, Buffer.from("/"), entry.name]));
    const present = await lstat(target).catch(ignoreMissing);
    if (present?.isDirectory() && entry.isDirectory()) await moveEach(source, target);
    else {
      if (present?.isDirectory())
        throw new Error(`'${entry.name}' in the archive is a file, but a folder in the sandbox`);
      if (present !== undefined) await rm(target);
      await rename(source, target);
    }
  }
}

function ignoreMissing(error: unknown): undefined {
  if (codeOf(error) !== "ENOENT") throw error;
  return undefined;
}
