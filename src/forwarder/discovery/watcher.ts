import { type FSWatcher, realpathSync, watch } from "node:fs";
import { messageOf } from "../../base/errors.ts";
import { onDisk, pathOf } from "../../base/file-names.ts";
import type { Logger } from "../../base/log.ts";

/** Folders that are watched at most: each costs one inotify watch of the user's limit. */
const MOST_FOLDERS = 4096;

/** Tells of changes in folders, by inotify. What it misses, the scan at intervals finds. */
export class Watcher {
  readonly #watchers = new Map<string, FSWatcher>();
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
    const before = this.#watchers.size;
    let dropped = 0;
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
      dropped++;
    }
    this.include(folders);
    return this.#watchers.size > before - dropped;
  }

  /** Watches these folders too. */
  include(folders: ReadonlySet<string>): void {
    for (const folder of folders) {
      if (this.#watchers.size >= MOST_FOLDERS) break;
      if (!this.#watchers.has(folder)) this.#add(folder);
    }
  }

  close(): void {
    this.follow(new Set());
  }

  #add(folder: string): void {
    try {
      const watcher = watch(realpathSync(onDisk(folder), "buffer"), { encoding: "buffer" }, (event, name) =>
        this.#changed(folder, name === null ? undefined : pathOf(name), event === "rename"),
      );
      watcher.on("error", () => {
        watcher.close();
        this.#watchers.delete(folder);
      });
      this.#watchers.set(folder, watcher);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT" || this.#complained) return;
      this.#complained = true;
      this.#log.warn(`cannot watch '${folder}' (${messageOf(error)}): its files are looked at at intervals only`);
    }
  }
}
