import { lstatSync, mkdirSync, realpathSync } from "node:fs";
import { basename, dirname } from "node:path";
import { makeFolder } from "../../base/folders.ts";
import { HeldFolder, type HeldOwner } from "../model/held/folder.ts";

/** Folders above the cache, when they have to be made: users pass through, and see nothing. */
const PARENT_MODE = 0o755;
const CACHE_MODE = 0o700;
const STICKY = 0o1000;
const WRITABLE_BY_OTHERS = 0o022;
/** A file name that the cache made. */
const CACHE_FILE = /^c\d+-/;

/**
 * The folder of the cache, the agent's own: `<folder>[/<user>]/c<N>-<basename>`. What tasks are given comes from here, so
 * nobody else may own it, or a folder on the way to it, and put something else in its place.
 */
export class CacheFolder {
  readonly #path: string;
  readonly #self: HeldOwner;

  constructor(path: string, self: HeldOwner) {
    this.#path = path;
    this.#self = self;
  }

  /** The path of a file, for messages. */
  shown(way: string): string {
    return `${this.#path}/${way}`;
  }

  /**
   * Makes the folder when it is missing (something may tidy up /tmp) and opens it. Throws an Error that names the folder
   * which somebody else could change.
   */
  open(): HeldFolder {
    const path = this.#path;
    makeFolder(dirname(path), PARENT_MODE);
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) mkdirSync(path, { mode: CACHE_MODE });
    if (lstatSync(path).isSymbolicLink()) throw new Error(`'${path}' is a symbolic link`);
    checkWay(realpathSync(dirname(path)), this.#self.uid);
    const held = HeldFolder.open(path);
    try {
      const { uid } = held.stat();
      if (uid !== this.#self.uid) throw new Error(`'${path}' belongs to another user (uid ${uid})`);
      // An earlier version left it open to all.
      held.chmod(CACHE_MODE);
      return held;
    } catch (error) {
      held.close();
      throw error;
    }
  }

  /** The folder of one user's files. An earlier version gave it to the user: it is taken back. */
  openFor(user: string | undefined): HeldFolder {
    const cache = this.open();
    if (user === undefined) return cache;
    using parent = cache;
    parent.at(user);
    const folder = parent.walk(user, { mode: CACHE_MODE });
    try {
      if (folder.stat().uid !== this.#self.uid) folder.chown(this.#self);
      folder.chmod(CACHE_MODE);
      return folder;
    } catch (error) {
      folder.close();
      throw error;
    }
  }

  /** Removes a cached file; a missing one is fine. */
  remove(way: string): void {
    using folder = this.openFor(way.includes("/") ? dirname(way) : undefined);
    if (folder.look(basename(way))?.isFile()) folder.unlink(basename(way));
  }

  /** Removes what a previous agent left: its books are gone. Only files with names that the cache makes. */
  clear(): void {
    using cache = this.open();
    for (const name of cache.names()) {
      const stats = cache.look(name);
      if (stats?.isFile() && CACHE_FILE.test(name)) cache.unlink(name);
      else if (stats?.isDirectory()) {
        using folder = this.openFor(name);
        for (const file of folder.names()) if (CACHE_FILE.test(file)) folder.unlink(file);
      }
    }
  }
}

/** A folder like /tmp, in which everybody makes entries but removes only their own (sticky), is fine. */
function checkWay(path: string, self: number): void {
  for (let folder = path; ; folder = dirname(folder)) {
    const { uid, mode } = lstatSync(folder);
    if (uid !== self && uid !== 0) throw new Error(`'${folder}' belongs to another user (uid ${uid})`);
    if ((mode & WRITABLE_BY_OTHERS) !== 0 && (mode & STICKY) === 0)
      throw new Error(`'${folder}' can be written by others`);
    if (folder === "/") return;
  }
}
