import { constants } from "node:fs";
import { type FileHandle, opendir, open as openHandle, rename, rmdir, unlink } from "node:fs/promises";
import { codeOf, messageOf } from "../../../base/errors.ts";
import { mountOf, NotHeld, O_PATH, pathOf } from "./descriptor.ts";
import type { HeldFolder } from "./folder.ts";
import { quickTurns, removedQuickly } from "./quick-removal.ts";

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
  readonly goOn: () => void;
  moved: number;
}

/** What is removed. Names are bytes: a task may choose ones that are no UTF-8. */
interface Entry {
  readonly path: Buffer;
  /** For messages. */
  readonly shown: string;
  /** As the folder says it; it may be something else by now. */
  readonly isFolder: boolean;
}

/**
 * Removes `name` from a held folder, with everything in it. Links are removed, not followed; a mount below is left, and
 * said so. What is small goes in short turns of the event loop, the rest in turns of the thread pool, with a bounded number
 * of descriptors. A name that is missing is fine. Rejects with an Error that names what is still there and why (a NotHeld for
 * a mount); what could be removed is gone even so. `goOn` is asked before each turn, of either kind: it rejects with what that throws.
 * `turns` are the process', which all removals share.
 */
export async function removeTree(
  parent: HeldFolder,
  name: string,
  goOn: () => void = () => undefined,
  turns = quickTurns,
): Promise<void> {
  if (await removedQuickly(parent.at(name), parent.mount, turns, goOn)) return;
  const entry = { path: Buffer.from(parent.at(name)), shown: `${parent.path}/${name}`, isFolder: true };
  await removeEntry(entry, parent.mount, (top) =>
    goThrough(top, entry, 0, { top, mount: parent.mount, goOn, moved: 0 }),
  );
}

/** Removes what is in a held folder; the folder itself stays. Rejects as removeTree. */
export async function emptyFolder(folder: HeldFolder): Promise<void> {
  const handle = await openHandle(pathOf(folder.fd), O_PATH | constants.O_DIRECTORY);
  try {
    const removal: Removal = { top: handle, mount: folder.mount, goOn: () => undefined, moved: 0 };
    await repeatedly(removal, async () => (await clear(handle, folder.path, 0, removal)) === 0);
  } finally {
    await handle.close();
  }
}

/** Removes one entry; of a folder, `remove` removes what is in it and then the folder. */
async function removeEntry(
  { path, shown, isFolder }: Entry,
  mount: number,
  remove: (folder: FileHandle) => Promise<void>,
): Promise<void> {
  try {
    if (!isFolder && (await unlinkedOrFolder(path)) === "unlinked") return;
    const folder = await enter(path, shown, mount);
    if (folder === "gone") return;
    if (folder === "no folder") return await unlink(path);
    try {
      await remove(folder);
    } finally {
      await folder.close();
    }
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT") return;
    if (code === undefined || error instanceof NotHeld || error instanceof NotRemoved) throw error;
    throw new NotRemoved(shown, error);
  }
}

/** The system says why, but of a descriptor's path: this one names the place. */
class NotRemoved extends Error {
  constructor(shown: string, cause: unknown) {
    super(`'${shown}' cannot be removed: ${codeOf(cause) ?? messageOf(cause)}`, { cause });
  }
}

/** Most entries are files: trying is cheaper than looking. */
async function unlinkedOrFolder(path: Buffer): Promise<"unlinked" | "folder"> {
  try {
    await unlink(path);
    return "unlinked";
  } catch (error) {
    if (codeOf(error) === "EISDIR") return "folder";
    throw error;
  }
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

/** Removes what is in an opened folder and the folder by its path, again when somebody added to it meanwhile. */
async function goThrough(folder: FileHandle, { path, shown }: Entry, depth: number, removal: Removal): Promise<void> {
  let full: unknown;
  const isGone = await repeatedly(removal, async () => {
    await clear(folder, shown, depth, removal);
    try {
      await rmdir(path);
      return true;
    } catch (error) {
      if (codeOf(error) !== "ENOTEMPTY") throw error;
      full = error;
      return false;
    }
  });
  if (!isGone) throw full;
}

/**
 * Repeats `pass` until it returns true, a bounded number of times. Folders that were moved up from below are met in
 * another pass through the topmost one: as long as there are new ones, it goes on.
 */
async function repeatedly(removal: Removal, pass: () => Promise<boolean>): Promise<boolean> {
  for (let count = 1; ; count++) {
    const moved = removal.moved;
    let problem: { readonly error: unknown } | undefined;
    try {
      if (await pass()) return true;
    } catch (error) {
      problem = { error };
    }
    if (removal.moved > moved) continue;
    if (problem !== undefined) throw problem.error;
    if (count >= MOST_PASSES) return false;
  }
}

/** Removes what is in an opened folder. Resolves with how many entries there were; rejects with the first problem. */
async function clear(folder: FileHandle, shown: string, depth: number, removal: Removal): Promise<number> {
  let problem: { readonly error: unknown } | undefined;
  let found = 0;
  for await (const entry of await opendir(pathOf(folder.fd), { encoding: "buffer" as BufferEncoding })) {
    removal.goOn();
    const name = entry.name as unknown as Buffer;
    const path = Buffer.concat([Buffer.from(`${pathOf(folder.fd)}/`), name]);
    found++;
    try {
      await removeBelow({ path, shown: `${shown}/${name}`, isFolder: entry.isDirectory() }, depth, removal);
    } catch (error) {
      problem ??= { error };
    }
  }
  if (problem !== undefined) throw problem.error;
  return found;
}

async function removeBelow(entry: Entry, depth: number, removal: Removal): Promise<void> {
  await removeEntry(entry, removal.mount, async (child) => {
    if (depth < DEEPEST || removal.moved >= MOST_MOVES) return await goThrough(child, entry, depth + 1, removal);
    await rename(entry.path, `${pathOf(removal.top.fd)}/.removed-${process.pid}-${removal.moved++}`);
  });
}
