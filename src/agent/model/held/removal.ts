import { constants } from "node:fs";
import { type FileHandle, opendir, open as openHandle, rename, rmdir, unlink } from "node:fs/promises";
import { codeOf } from "../../../base/errors.ts";
import { mountOf, NotHeld, O_PATH, pathOf } from "./descriptor.ts";
import type { HeldFolder } from "./folder.ts";

/** Levels that are held open at once. What lies deeper is moved up first: a task can nest folders without end. */
const DEEPEST = 32;
const MOST_MOVES = 1_000_000;
/** How often a folder is gone through again because somebody still adds to it. */
const MOST_PASSES = 4;

/** One removal. */
interface Removal {
  /** The topmost folder of what is removed: folders that lie too deep are moved there. */
  readonly top: FileHandle;
  readonly mount: number;
  moved: number;
}

/**
 * Removes `name` from a held folder, with everything in it. Links are removed, not followed; a mount below is left, and
 * said so. In turns of the thread pool, so that the loop goes on, with a bounded number of descriptors. A name that is
 * missing is fine. Rejects with the system's error, or a NotHeld for a mount; what could be removed is gone even so.
 */
export async function removeTree(parent: HeldFolder, name: string): Promise<void> {
  await removeEntry(Buffer.from(parent.at(name)), `${parent.path}/${name}`, parent.mount, (folder, shown) =>
    empty(folder, shown, 0, { top: folder, mount: parent.mount, moved: 0 }),
  );
}

/** Removes what is in a held folder; the folder itself stays. Rejects as removeTree. */
export async function emptyFolder(folder: HeldFolder): Promise<void> {
  const handle = await openHandle(pathOf(folder.fd), O_PATH | constants.O_DIRECTORY);
  try {
    await empty(handle, folder.path, 0, { top: handle, mount: folder.mount, moved: 0 });
  } finally {
    await handle.close();
  }
}

/** Removes one entry; a folder is emptied by `clear` first, which returns true when the folder is not there any more. */
async function removeEntry(
  path: Buffer,
  shown: string,
  mount: number,
  clear: (folder: FileHandle, shown: string) => Promise<boolean>,
): Promise<void> {
  const folder = await enter(path, shown, mount);
  if (folder === "gone") return;
  if (folder === "no folder") return await unlink(path).catch(unlessGone);
  let isAway: boolean;
  try {
    isAway = await clear(folder, shown);
  } finally {
    await folder.close();
  }
  if (!isAway) await rmdir(path).catch(unlessGone);
}

async function enter(path: Buffer, shown: string, mount: number): Promise<FileHandle | "gone" | "no folder"> {
  let folder: FileHandle;
  try {
    folder = await openHandle(path as unknown as string, O_PATH | constants.O_NOFOLLOW | constants.O_DIRECTORY);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return "gone";
    if (codeOf(error) === "ENOTDIR" || codeOf(error) === "ELOOP") return "no folder";
    throw error;
  }
  if (mountOf(folder.fd) === mount) return folder;
  await folder.close();
  throw new NotHeld(shown, "is another mount");
}

/** Names are bytes: a task may choose ones that are no UTF-8. */
const entryPath = (folder: FileHandle, name: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${pathOf(folder.fd)}/`), name]);

async function empty(folder: FileHandle, shown: string, depth: number, removal: Removal): Promise<false> {
  let problem: unknown;
  for (let pass = 1, moved = -1; pass <= MOST_PASSES || removal.moved > moved; pass++) {
    moved = removal.moved;
    problem = undefined;
    let found = 0;
    for await (const entry of await opendir(pathOf(folder.fd), { encoding: "buffer" as BufferEncoding })) {
      const name = entry.name as unknown as Buffer;
      found++;
      try {
        await removeBelow(folder, name, `${shown}/${name}`, depth, removal);
      } catch (error) {
        problem = error;
      }
    }
    const isDone = found === 0 || problem !== undefined;
    // Folders that were moved up from below are met in another pass through the topmost one.
    if (isDone && removal.moved === moved) break;
  }
  if (problem !== undefined) throw problem;
  return false;
}

async function removeBelow(
  folder: FileHandle,
  name: Buffer,
  shown: string,
  depth: number,
  removal: Removal,
): Promise<void> {
  const path = entryPath(folder, name);
  await removeEntry(path, shown, removal.mount, async (child) => {
    if (depth < DEEPEST || removal.moved >= MOST_MOVES) return await empty(child, shown, depth + 1, removal);
    await rename(path, `${pathOf(removal.top.fd)}/.removed-${process.pid}-${removal.moved++}`);
    return true;
  });
}

function unlessGone(error: unknown): void {
  if (codeOf(error) !== "ENOENT") throw error;
}
