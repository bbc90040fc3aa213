import { constants } from "node:fs";
import { open, readFile } from "node:fs/promises";
import { runProgram } from "../../base/program.ts";
import { type MountPoint, parseMountInfo } from "../model/mount-table.ts";

export { type MountPoint, parseMountInfo } from "../model/mount-table.ts";

/**
 * The mounts on or below each of `folders` (real paths), innermost and newest first: the order in which they come off.
 * Costs a few steps per mount, however many folders there are.
 */
export function mountsBelow(
  mounts: readonly MountPoint[],
  folders: ReadonlySet<string>,
): ReadonlyMap<string, readonly MountPoint[]> {
  const found = new Map<string, MountPoint[]>();
  for (const mount of mounts.toReversed()) {
    for (let path = mount.path; path.length > 1; path = path.slice(0, path.lastIndexOf("/"))) {
      if (!folders.has(path)) continue;
      found.set(path, [...(found.get(path) ?? []), mount]);
    }
  }
  for (const list of found.values()) list.sort((a, b) => b.path.length - a.path.length);
  return found;
}

/** open(2)'s O_PATH, which Node does not name: a place in the tree, nothing of it is read. */
const O_PATH = 0o10000000;
/** Milliseconds for umount(8). */
const TIMEOUT = 60_000;
/** By the descriptor that it is given. */
const UMOUNT = ["--lazy", "--internal-only", "--no-canonicalize", "/proc/self/fd/3"];

export const readMounts = async (): Promise<MountPoint[]> =>
  parseMountInfo(await readFile("/proc/self/mountinfo", "utf8"));

/**
 * Takes a mount off this namespace, whoever still uses it (MNT_DETACH, as the C++ agent does). The name may lead
 * elsewhere by now, because the folders on the way may be a task's: the place is opened, the kernel asked which mount it
 * is on, and the opened place unmounted. Rejects with an Error that says why it is still there.
 */
export async function detachMount({ id, path }: MountPoint): Promise<void> {
  const handle = await open(path, O_PATH | constants.O_NOFOLLOW);
  try {
    const info = await readFile(`/proc/self/fdinfo/${handle.fd}`, "utf8");
    if (Number(/^mnt_id:\s*(\d+)$/m.exec(info)?.[1]) !== id) throw new Error("another mount is there by now");
    const { code, signal, words } = await runProgram("umount", UMOUNT, TIMEOUT, [handle.fd]);
    if (code !== 0) throw new Error(words.trim() || `umount ended with ${signal ?? code}`);
  } finally {
    await handle.close();
  }
}
