import { type FSWatcher, realpathSync, statSync, watch } from "node:fs";
import { messageOf } from "../../base/errors.ts";
import { onDisk, pathOf } from "../../base/file-names.ts";
import type { Logger } from "../../base/log.ts";

/** Folders that are watched at most: each costs one inotify watch of the user's limit. */
const MOST_FOLDERS = 4096;

interface Watched {
  readonly watcher: FSWatcher;
  /** The folder itself: another may lie there by now. */
  readonly folder: string;
}

/** Who the folder at a path is; empty when that cannot be said. A number is soon used again: its birth tells one from another. */
function folderAt(path: string): string {
  try {
    const { dev, ino, birthtimeNs } = statSync(onDisk(path), { bigint: true });
    return `${dev}:${ino}:${birthtimeNs}`;
  } catch {
    return "";
  }
}

/** Tells of changes in folders, by inotify. What it misses, the scan at intervals finds. */
export class Watcher {
  /** By path: what is watched there. */
  readonly #watchers = new Map<string, Watched>();
  readonly #log: Logger;
  readonly #changed: (folder: string, name: string | undefined, structure: boolean) => void;
  #complained = false;

  /** `changed(folder, name, structure)`: `structure` is true when a name appeared, vanished or moved. */
  constructor(log: Logger, changed: (folder: string, name: string | undefined, structure: boolean) => void) {
    this.#log = log;
    this.#changed = changed;
  }

  /** Every folder of the last `follow` is watched. */
  get complete(): boolean {
    return !this.#complained;
  }

  /** Watches exactly these folders from now on; true when some are new. A folder that is a link is watched where it leads. */
  follow(folders: ReadonlySet<string>): boolean {
    for (const [folder, { watcher }] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    return this.include(folders);
  }

  /** Watches these folders too; true when some are new. One that was removed and made again is another one. */
  include(folders: ReadonlySet<string>): boolean {
    let added = false;
    for (const folder of folders) {
      const known = this.#watchers.get(folder);
      const now = folderAt(folder);
      if (known !== undefined && known.folder === now) continue;
      known?.watcher.close();
      this.#watchers.delete(folder);
      if (this.#watchers.size >= MOST_FOLDERS) continue;
      this.#add(folder, now);
      added ||= this.#watchers.has(folder);
    }
    return added;
  }

  /** Whether changes of names and contents in the folder that lay there last are told of. */
  watches(folder: string): boolean {
    return this.#watchers.has(folder);
  }

  close(): void {
    this.follow(new Set());
  }

  #add(folder: string, identity: string): void {
    try {
      const watcher = watch(realpathSync(onDisk(folder), "buffer"), { encoding: "buffer" }, (event, name) =>
        this.#changed(folder, name === null ? undefined : pathOf(name), event === "rename"),
      );
      watcher.on("error", () => {
        watcher.close();
        if (this.#watchers.get(folder)?.watcher === watcher) this.#watchers.delete(folder);
      });
      this.#watchers.set(folder, { watcher, folder: identity });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT" || this.#complained) return;
      this.#complained = true;
      this.#log.warn(`cannot watch '${folder}' (${messageOf(error)}): its files are looked at at intervals only`);
    }
  }
}
