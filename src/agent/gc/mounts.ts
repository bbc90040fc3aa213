import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { onDisk } from "../../base/file-names.ts";
import { runProgram } from "../../base/program.ts";
import { mountOf, O_PATH } from "../model/held/descriptor.ts";
import type { MountPoint } from "../model/mount-table.ts";

/** Milliseconds for umount(8). */
const TIMEOUT = 60_000;
/** By the descriptor that it is given. */
const UMOUNT = ["--lazy", "--internal-only", "--no-canonicalize", "/proc/self/fd/3"];

/**
 * Takes a mount off this namespace, whoever still uses it (MNT_DETACH, as the C++ agent does). The name may lead
 * elsewhere by now, because the folders on the way may be a task's: the place is opened, the kernel asked which mount it
 * is on, and the opened place unmounted. Rejects with an Error that says why it is still there.
 */
export async function detachMount({ id, path }: MountPoint): Promise<void> {
  const handle = await open(onDisk(path) as string, O_PATH | constants.O_NOFOLLOW);
  try {
    if (mountOf(handle.fd) !== id) throw new Error("another mount is there by now");
    const { code, signal, words } = await runProgram("umount", UMOUNT, TIMEOUT, [handle.fd]);
    if (code !== 0) throw new Error(words.trim() || `umount ended with ${signal ?? code}`);
  } finally {
    await handle.close();
  }
}
