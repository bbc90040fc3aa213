import { readFile } from "node:fs/promises";
import { pathOf } from "../../base/file-names.ts";

/** A mount of this process' namespace. */
export interface MountPoint {
  readonly id: number;
  /** Where it is, as the kernel names it: absolute, without symbolic links. Bytes that are not UTF-8 as base/file-names.ts has them. */
  readonly path: string;
  /** File system type and what is mounted: `ext4 /srv/data`. */
  readonly what: string;
}

/** mountinfo writes space, tab, newline and backslash as \ooo. */
const unquote = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_whole, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** Parses /proc/<pid>/mountinfo (proc_pid_mountinfo(5)). */
export function parseMountInfo(text: string): MountPoint[] {
  return text.split("\n").flatMap((line) => {
    const [mount = "", source = ""] = line.split(" - ");
    const [id = "", , , root = "", path = ""] = mount.split(" ");
    const [type = ""] = source.split(" ");
    return path === "" ? [] : [{ id: Number(id), path: unquote(path), what: `${type} ${unquote(root)}` }];
  });
}

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

export const readMounts = async (): Promise<MountPoint[]> =>
  parseMountInfo(pathOf(await readFile("/proc/self/mountinfo")));
