import { realpath } from "node:fs/promises";
import { basename, dirname, relative } from "node:path";
import { formatDuration } from "../../base/duration.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { HeldFolder } from "../model/held/folder.ts";
import type { QuickTurns } from "../model/held/quick-removal.ts";
import { removeTree } from "../model/held/removal.ts";
import { type MountPoint, mountsBelow, readMounts } from "../model/mount-table.ts";
import { detachMount } from "./mounts.ts";

/** Milliseconds for one folder: millions of files take their time, but somebody may add to it for ever. */
const TIMEOUT = 3_600_000;
/** Half of the thread pool's usual four: checkpoints wait for their turn there, too. */
const REMOVALS_AT_ONCE = 2;

/** What a path that is written plainly has none of: empty names, `.` and `..`. */
const ODD_NAME = /\/\.{0,2}(?:\/|$)/;

/**
 * Why `path` must not be deleted; undefined when it may be. It has to be written plainly, lie below `root`, and reach
 * there without any symbolic link. `ways`: what is known of the folders that such paths lie in; of many paths most lie in a
 * few, which are asked for once.
 */
export async function removalProblem(
  root: string,
  path: string,
  ways = new Map<string, Promise<string | undefined>>(),
): Promise<string | undefined> {
  if (!path.startsWith("/") || ODD_NAME.test(path)) return "it is not a plain absolute path";
  const folder = dirname(path);
  const known = ways.get(folder);
  if (known !== undefined) return await known;
  const way = wayProblem(root, folder);
  ways.set(folder, way);
  return await way;
}

/** What is wrong with the way to a folder that is written plainly. */
async function wayProblem(root: string, folder: string): Promise<string | undefined> {
  const way = relative(root, folder);
  if (way === ".." || way.startsWith("../")) return `it is not below '${root}'`;
  try {
    const [real, realRoot] = await Promise.all([realpath(folder), realpath(root)]);
    const expected = way === "" ? realRoot : `${realRoot}/${way}`;
    return real === expected ? undefined : "it is reached through a symbolic link";
  } catch (error) {
    return codeOf(error) === "ENOENT" ? undefined : `its folder cannot be looked at (${codeOf(error)})`;
  }
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

/** Those of paths that lie in none of the others; and of those that do, in which of them: they go with it. */
export function apart(paths: readonly string[]): {
  readonly outermost: readonly string[];
  readonly inner: ReadonlyMap<string, string>;
} {
  const all = new Set(paths);
  // Nothing above these is one of them.
  const shortest = paths.reduce((length, path) => Math.min(length, path.length), Number.POSITIVE_INFINITY);
  const inner = new Map<string, string>();
  const outermost = paths.filter((path) => {
    let outer: string | undefined;
    for (let end = path.lastIndexOf("/"); end >= shortest; end = path.lastIndexOf("/", end - 1)) {
      const above = path.slice(0, end);
      if (all.has(above)) outer = above;
    }
    if (outer !== undefined) inner.set(path, outer);
    return outer === undefined;
  });
  return { outermost, inner };
}

/** What a removal of many folders goes by. */
export interface RemovalLimits {
  /** Ends it between two files. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds since whenever. */
  readonly now?: () => number;
  /** Those of the process unless a test says otherwise. */
  readonly turns?: QuickTurns;
}

/**
 * Deletes folders, each with everything in it: in this process, folder by folder from a held one, so that a task that
 * swaps a folder for a link meanwhile gains nothing. Links are deleted, not followed. What is mounted below is unmounted
 * first, and a folder where that fails is left as it is. Returns for each path that is still there why.
 */
export async function removeFolders(
  paths: readonly string[],
  log: Logger,
  { signal, now = () => performance.now(), turns }: RemovalLimits = {},
): Promise<ReadonlyMap<string, string>> {
  // With a folder that has a mount still, those above it stay too.
  const left = new Map(await detachBelow(paths, log));
  const rest = paths.filter((path) => !left.has(path)).values();
  using parents = new Parents();
  const work = async (): Promise<void> => {
    for (const path of rest) {
      const end = now() + TIMEOUT;
      const goOn = (): void => {
        signal?.throwIfAborted();
        if (now() > end) throw new Error(`it was not empty after ${formatDuration(TIMEOUT)}`);
      };
      try {
        await removeTree(parents.of(dirname(path)), basename(path), goOn, turns);
      } catch (error) {
        if (codeOf(error) !== "ENOENT") left.set(path, messageOf(error));
      }
    }
  };
  await Promise.all(Array.from({ length: REMOVALS_AT_ONCE }, work));
  return left;
}

/** The folders that others are removed from, each held from the first of them to the last. */
class Parents implements Disposable {
  readonly #held = new Map<string, HeldFolder>();

  /** Throws the system's error. */
  of(path: string): HeldFolder {
    let parent = this.#held.get(path);
    if (parent === undefined) {
      parent = HeldFolder.open(path);
      this.#held.set(path, parent);
    }
    return parent;
  }

  [Symbol.dispose](): void {
    for (const parent of this.#held.values()) parent.close();
  }
}
