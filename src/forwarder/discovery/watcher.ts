import { type FSWatcher, realpathSync, statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { codeOf, messageOf } from "../../base/errors.ts";
import { onDisk, pathOf } from "../../base/file-names.ts";
import type { Logger } from "../../base/log.ts";

/** Folders that are watched at most: each costs one inotify watch of the user's limit. */
const MOST_FOLDERS = 4096;

interface Watched {
  readonly watcher: FSWatcher;
  /** Device and inode: another folder may come to lie at the same path. */
  readonly identity: string;
}

/** The folder that a folder which is not there will appear in, or one above that. */
interface Awaited {
  readonly watcher: FSWatcher;
  readonly above: string;
}

/** Tells of changes in folders, by inotify. What it misses, the scan at intervals finds. */
export class Watcher {
  readonly #watched = new Map<string, Watched>();
  /** Folders that are not there. */
  readonly #awaited = new Map<string, Awaited>();
  /** Folders that were perhaps moved or removed: to be watched anew. */
  readonly #doubted = new Set<string>();
  readonly #log: Logger;
  readonly #changed: (folder: string, name: string | undefined, structure: boolean) => void;
  #complained = false;

  /** `changed(folder, name, structure)`: `structure` is true when a name appeared, vanished or moved. */
  constructor(log: Logger, changed: (folder: string, name: string | undefined, structure: boolean) => void) {
    this.#log = log;
    this.#changed = changed;
  }

  /** Watches exactly these folders from now on; true when some are new. A folder that is a link is watched where it leads. */
  follow(folders: ReadonlySet<string>): boolean {
    for (const [folder, { watcher, identity }] of this.#watched) {
      if (!folders.has(folder)) this.#drop(this.#watched, folder, watcher);
      else if (identityAt(folder) !== identity) this.#doubted.add(folder);
    }
    for (const [folder, { watcher }] of this.#awaited)
      if (!folders.has(folder)) this.#drop(this.#awaited, folder, watcher);
    return this.include(folders);
  }

  /** Watches these folders too; true when some are new. */
  include(folders: ReadonlySet<string>): boolean {
    let isNew = false;
    for (const folder of folders) {
      const isKnown = this.#watched.has(folder);
      if (isKnown ? !this.#doubted.has(folder) : this.#watched.size + this.#awaited.size >= MOST_FOLDERS) continue;
      isNew = this.#add(folder) || isNew;
    }
    return isNew;
  }

  /** Whether it tells of every change of names and contents in a folder. */
  watches(folder: string): boolean {
    return this.#watched.has(folder) && !this.#doubted.has(folder);
  }

  close(): void {
    this.follow(new Set());
  }

  #drop(from: Map<string, unknown>, folder: string, watcher: FSWatcher): void {
    watcher.close();
    from.delete(folder);
    this.#doubted.delete(folder);
  }

  /** True when the folder is watched now. */
  #add(folder: string): boolean {
    try {
      const identity = identityAt(folder);
      const real = realpathSync(onDisk(folder), "buffer");
      const watcher = this.#watch(real, folder, (name, structure) => {
        // Of its own end a folder tells by its own name.
        if (structure && name === basename(pathOf(real))) this.#doubted.add(folder);
        this.#changed(folder, name, structure);
      });
      // After the new one: nothing is missed of a folder that is still the same.
      this.#watched.get(folder)?.watcher.close();
      this.#doubted.delete(folder);
      this.#watched.set(folder, { watcher, identity });
      const awaited = this.#awaited.get(folder);
      if (awaited !== undefined) this.#drop(this.#awaited, folder, awaited.watcher);
      return true;
    } catch (error) {
      const isAbsent = codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR";
      const before = this.#watched.get(folder);
      if (before !== undefined) this.#drop(this.#watched, folder, before.watcher);
      if (isAbsent) return this.#await(folder);
      this.#complain(folder, error);
      return false;
    }
  }

  /** Waits for a folder to appear. True when it has meanwhile. */
  #await(folder: string): boolean {
    let [above, wanted] = [dirname(folder), basename(folder)];
    while (identityAt(above) === "" && above !== dirname(above)) [above, wanted] = [dirname(above), basename(above)];
    const before = this.#awaited.get(folder);
    if (before?.above === above) return false;
    before?.watcher.close();
    this.#awaited.delete(folder);
    try {
      const watcher = this.#watch(realpathSync(onDisk(above), "buffer"), folder, (name, structure) => {
        if (!structure || (name !== wanted && name !== basename(above))) return;
        // What is awaited is looked for anew, from wherever it can be by now.
        const awaited = this.#awaited.get(folder);
        if (awaited !== undefined) this.#drop(this.#awaited, folder, awaited.watcher);
        this.#changed(folder, undefined, true);
      });
      this.#awaited.set(folder, { watcher, above });
    } catch {
      return false;
    }
    return identityAt(`${above}/${wanted}`) !== "" && this.#add(folder);
  }

  /** `of`: the folder for which it is watched. */
  #watch(real: Buffer, of: string, noticed: (name: string | undefined, structure: boolean) => void): FSWatcher {
    const watcher = watch(real, { encoding: "buffer" }, (event, name) =>
      noticed(name === null ? undefined : pathOf(name), event === "rename"),
    );
    watcher.on("error", () => {
      watcher.close();
      if (this.#watched.get(of)?.watcher === watcher) this.#watched.delete(of);
      if (this.#awaited.get(of)?.watcher === watcher) this.#awaited.delete(of);
    });
    return watcher;
  }

  #complain(folder: string, error: unknown): void {
    if (this.#complained) return;
    this.#complained = true;
    this.#log.warn(`cannot watch '${folder}' (${messageOf(error)}): its files are looked at at intervals only`);
  }
}

/** Device and inode of what lies at `path`; empty when there is nothing. */
function identityAt(path: string): string {
  try {
    const found = statSync(onDisk(path), { throwIfNoEntry: false });
    return found === undefined ? "" : `${found.dev}:${found.ino}`;
  } catch {
    return "";
  }
}
