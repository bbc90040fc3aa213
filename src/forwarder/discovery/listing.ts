import { type BigIntStats, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { onDisk } from "../../base/file-names.ts";
import type { Tree } from "./glob.ts";
import type { Patterns } from "./survey.ts";

/** What was changed so many milliseconds ago has another change time when it is changed again: the kernel's clock ticks, on older disks in seconds. */
const SETTLED = { fine: 100, coarse: 3000 };
/** What nothing is told of is looked at once in so many milliseconds, file by file. */
const REST = 60_000;

/**
 * Filesystems (statfs(2)) that change a folder's time with its names, and of whose changes inotify tells: those of the machine itself.
 * What other machines write, or a daemon (NFS, FUSE, 9p), it does not tell.
 */
const LOCAL: ReadonlySet<number> = new Set([
  0xef53, // ext2 to ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0x2fc12fc1, // ZFS
  0xf2f52010, // F2FS
  0x01021994, // tmpfs
  0x794c7630, // overlayfs
]);

/** Whether a device's filesystem is one of those. */
const localDevices = new Map<bigint, boolean>();

function isLocal(folder: string, { dev }: BigIntStats): boolean {
  let local = localDevices.get(dev);
  if (local === undefined) {
    local = LOCAL.has(statfsSync(onDisk(folder)).type);
    localDevices.set(dev, local);
  }
  return local;
}

/** Who the folder at a path is, and when a name in it was changed last: the same as long as it holds the same names. */
interface Stamp {
  /** Empty when nothing is there. */
  readonly text: string;
  /** It will differ when it changes. */
  readonly settled: boolean;
}

function stampOf(folder: string, now: number): Stamp {
  try {
    const stat = statSync(onDisk(folder), { bigint: true });
    const isCoarse = stat.ctimeNs % 1_000_000_000n === 0n;
    const settled = now - Number(stat.ctimeMs) > (isCoarse ? SETTLED.coarse : SETTLED.fine) && isLocal(folder, stat);
    return { text: `${stat.dev}:${stat.ino}:${stat.ctimeNs}`, settled };
  } catch {
    return { text: "", settled: true };
  }
}

/** Who tells of changes between two scans. */
export interface Watch {
  /** Tells of changes in these folders, too, from now on. */
  include(folders: ReadonlySet<string>): void;
  /** Whether it tells of every change in a folder: what is found in it need not be looked at for that. */
  watches(folder: string): boolean;
}

/** Nobody tells of anything. */
export const UNWATCHED: Watch = { include: () => undefined, watches: () => false };

/** What one listing found: by path, the index of its `files` entry. */
class Names {
  paths: ReadonlyMap<string, number>;

  constructor(paths: ReadonlyMap<string, number>) {
    this.paths = paths;
  }

  has(path: string): boolean {
    return this.paths.has(path);
  }
}

/**
 * What the patterns lead to, from scan to scan. A folder that nothing was made, renamed or removed in holds the names that it held:
 * it is not listed again while that is so of all, and its files, when they are quiet, are looked at in turn, all within a minute.
 * The kernel tells when they are written; but for a mapping, another name, or more events than it keeps.
 */
export class Listing {
  readonly patterns: Patterns;
  readonly #clock: Clock;
  #stamps: ReadonlyMap<string, Stamp> = new Map();
  /** Those of the scan that is under way. */
  #taken: ReadonlyMap<string, Stamp> = new Map();
  /** Folders that are as they were at the scan before, and told of. */
  readonly #quiet = new Set<string>();
  #scannedAt = Number.NEGATIVE_INFINITY;
  /** Which files are looked at in this scan: those whose turn is from here on, so long. Whole milliseconds of `REST`. */
  #from = 0;
  #share = REST;
  #lastFolder = "";
  #isNew = false;
  names = new Names(new Map());
  folders: ReadonlySet<string> = new Set();

  constructor(patterns: Patterns, clock: Clock) {
    this.patterns = patterns;
    this.#clock = clock;
  }

  /** Lists the folders, unless all are as they were. */
  find(tree: Tree, watch: Watch): void {
    const now = this.#clock.now();
    const stamps = new Map<string, Stamp>();
    this.#quiet.clear();
    // Taken before the folders are listed: what comes meanwhile makes another stamp.
    const take = (folder: string): Stamp => {
      const stamp = stamps.get(folder) ?? stampOf(folder, now);
      stamps.set(folder, stamp);
      return stamp;
    };
    for (const folder of this.folders) {
      const stamp = take(folder);
      const before = this.#stamps.get(folder);
      const isSame = before?.text === stamp.text && before.settled;
      if (isSame && (stamp.text === "" || watch.watches(folder))) this.#quiet.add(folder);
    }
    this.#taken = stamps;
    const scannedAt = Math.floor(this.#clock.monotonic());
    this.#from = (this.#from + this.#share) % REST;
    this.#share = Math.min(REST, scannedAt - this.#scannedAt);
    this.#scannedAt = scannedAt;
    this.#isNew = this.folders.size === 0 || this.#quiet.size < this.folders.size;
    if (!this.#isNew) return;
    tree.before = take;
    const found = this.patterns.find(tree);
    [this.names, this.folders] = [new Names(found.paths), found.folders];
  }

  /** Whether the file number `index` of all may rest in this scan if it is quiet: nobody has changed the names in its folder. */
  rests(path: string, index: number): boolean {
    const turn = Math.floor((index * REST) / this.names.paths.size);
    return (turn - this.#from + REST) % REST >= this.#share && this.#quiet.has(this.folderOf(path));
  }

  /** The scan is done. `known`: a path as others keep it already, instead of a string of our own. */
  completed(known: (path: string) => string | undefined): void {
    this.#stamps = this.#taken;
    if (!this.#isNew) return;
    const { names } = this;
    names.paths = new Map([...names.paths].map(([path, group]) => [known(path) ?? path, group]));
  }

  /** The folder of a path, without making a string for each of the files of one. */
  folderOf(path: string): string {
    const end = path.lastIndexOf("/");
    if (end !== this.#lastFolder.length || !path.startsWith(this.#lastFolder))
      this.#lastFolder = end > 0 ? path.slice(0, end) : dirname(path);
    return this.#lastFolder;
  }
}
