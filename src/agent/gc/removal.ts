import { realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, normalize, relative } from "node:path";
import { formatDuration } from "../../base/duration.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { HeldFolder } from "../model/held/folder.ts";
import { removeTree } from "../model/held/removal.ts";
import { type MountPoint, mountsBelow, readMounts } from "../model/mount-table.ts";
import { detachMount } from "./mounts.ts";

/** Milliseconds for one folder: millions of files take their time, but somebody may add to it for ever. */
const TIMEOUT = 3_600_000;
/** Half of the thread pool's usual four: checkpoints wait for their turn there, too. */
const REMOVALS_AT_ONCE = 2;

/**
 * Why `path` must not be deleted; undefined when it may be. It has to be written plainly, lie below `root`, and reach
 * there without any symbolic link.
 */
export async function removalProblem(root: string, path: string): Promise<string | undefined> {
  if (!isAbsolute(path) || normalize(path) !== path || path.endsWith("/")) return "it is not a plain absolute path";
  const way = relative(root, path);
  if (way === "" || way === ".." || way.startsWith("../")) return `it is not below '${root}'`;
  let parent: string;
  let realRoot: string;
  try {
    [parent, realRoot] = await Promise.all([realpath(dirname(path)), realpath(root)]);
  } catch (error) {
    return codeOf(error) === "ENOENT" ? undefined : `its folder cannot be looked at (${codeOf(error)})`;
  }
  const rest = relative(root, dirname(path));
  const expected = rest === "" ? realRoot : `${realRoot}/${rest}`;
  return parent === expected ? undefined : "it is reached through a symbolic link";
}

/** Where the kernel has each path; what is not there is left out. Only those that a mount's path may be below. */
async function realPaths(paths: readonly string[], mounts: readonly MountPoint[]): Promise<Map<string, string>> {
  const names = new Set(mounts.flatMap((mount) => mount.path.split("/")));
  const found = new Map<string, string>();
  for (const path of paths) {
    if (!names.has(basename(path))) continue;
    const parent = await realpath(dirname(path)).catch(() => undefined);
    if (parent !== undefined) found.set(`${parent}/${basename(path)}`, path);
  }
  return found;
}

/**
 * Takes off whatever is mounted on or below the folders: what a task bind-mounted into its sandbox belongs to somebody
 * else, and neither its device nor its inodes tell. Returns those that have a mount still, and why.
 */
async function detachBelow(paths: readonly string[], log: Logger): Promise<ReadonlyMap<string, string>> {
  const before = await readMounts();
  const real = await realPaths(paths, before);
  const mounted = mountsBelow(before, new Set(real.keys()));
  if (mounted.size === 0) return new Map();
  const failures = new Map<number, string>();
  for (const [folder, mounts] of mounted) {
    for (const mount of mounts) {
      try {
        await detachMount(mount);
        log.warn(`Unmounted '${mount.path}' (${mount.what}), which was left mounted in '${real.get(folder)}'`);
      } catch (error) {
        failures.set(mount.id, messageOf(error));
      }
    }
  }
  const kept = new Map<string, string>();
  for (const [folder, [mount]] of mountsBelow(await readMounts(), new Set(real.keys()))) {
    if (mount === undefined) continue;
    const why = failures.get(mount.id) ?? "it was mounted just now";
    kept.set(
      real.get(folder) ?? folder,
      `'${mount.path}' (${mount.what}) is mounted there and cannot be unmounted: ${why}. Unmount it: it is deleted after the agent's next start`,
    );
  }
  return kept;
}

/**
 * Deletes folders, each with everything in it: in this process, folder by folder from a held one, so that a task that
 * swaps a folder for a link meanwhile gains nothing. Links are deleted, not followed. What is mounted below is unmounted
 * first, and a folder where that fails is left as it is. Returns for each path that is still there why. `signal` ends it
 * between two files.
 */
export async function removeFolders(
  paths: readonly string[],
  log: Logger,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  // With a folder that has a mount still, those above it stay too.
  const left = new Map(await detachBelow(paths, log));
  const rest = paths.filter((path) => !left.has(path)).values();
  const work = async (): Promise<void> => {
    for (const path of rest) {
      const why = await removeFolder(path, signal);
      if (why !== undefined) left.set(path, why);
    }
  };
  await Promise.all(Array.from({ length: REMOVALS_AT_ONCE }, work));
  return left;
}

/** Resolves with why the folder is still there; undefined when it is gone. */
async function removeFolder(path: string, signal: AbortSignal | undefined): Promise<string | undefined> {
  const limit = new AbortController();
  const stop = (): void => limit.abort(signal?.reason);
  signal?.addEventListener("abort", stop);
  // Not AbortSignal.timeout: that is kept until its time is over, and thousands may be removed in a minute.
  const timer = setTimeout(
    () => limit.abort(new Error(`it was not empty after ${formatDuration(TIMEOUT)}`)),
    TIMEOUT,
  ).unref();
  try {
    using parent = HeldFolder.open(dirname(path));
    if (signal?.aborted === true) stop();
    await removeTree(parent, basename(path), limit.signal);
    return undefined;
  } catch (error) {
    return codeOf(error) === "ENOENT" ? undefined : messageOf(error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}
