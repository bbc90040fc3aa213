import { messageOf } from "../../base/errors.ts";
import type { HeldOwner } from "../model/held/folder.ts";
import { CacheBook, type CacheEntry, cacheFileName } from "./cache-book.ts";
import { CacheFolder } from "./cache-folder.ts";

/** A file of the cache, opened for reading. */
export interface CachedFile {
  readonly descriptor: number;
  /** Its path, for messages. */
  readonly shown: string;
  /** It was downloaded for this one. */
  readonly fresh: boolean;
  /** It may be evicted again; the descriptor is the caller's to close. */
  release(): void;
}

/** What is asked for. */
export interface CacheItem {
  readonly uri: string;
  readonly basename: string;
  /** Users never share files. Undefined: the agent's own. */
  readonly user: string | undefined;
}

/**
 * Downloads kept for other tasks. One download for however many ask at once. Written by the agent in a folder that only it
 * can enter, and handed out as descriptors that can only be read.
 */
export class FetchCache {
  readonly #folder: CacheFolder;
  readonly #book: CacheBook;
  readonly #trouble: string | undefined;

  /** Makes and checks the folder, and removes what an earlier agent left there. */
  constructor(folder: string, budgetBytes: number, self: HeldOwner) {
    this.#folder = new CacheFolder(folder, self);
    this.#book = new CacheBook(budgetBytes);
    try {
      this.#folder.clear();
    } catch (error) {
      this.#trouble = messageOf(error);
    }
  }

  /** Why nothing is cached; undefined when all is well. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  get totalBytes(): number {
    return this.#book.budget;
  }

  get usedBytes(): number {
    return this.#book.usedBytes;
  }

  /**
   * The cached file, which `fetch` downloads into the path that it gets when nobody has. `size` is asked once per
   * download. Undefined when the file cannot be cached: size unknown, no room, or no folder. Rejects with what `fetch`
   * said.
   */
  async take(
    item: CacheItem,
    size: () => Promise<number | undefined>,
    fetch: (path: string) => Promise<void>,
  ): Promise<CachedFile | undefined> {
    if (this.#trouble !== undefined) return undefined;
    const key = `${item.user ?? ""}@${item.uri}`;
    let entry = this.#book.use(key);
    const fresh = entry === undefined;
    if (entry === undefined) {
      const bytes = await size();
      // Somebody may have begun meanwhile.
      entry = this.#book.use(key) ?? (bytes === undefined ? undefined : this.#begin(key, bytes, item, fetch));
    }
    if (entry === undefined) return undefined;
    const release = (): void => this.#book.release(entry);
    try {
      await entry.ready;
      using folder = this.#folder.openFor(item.user);
      const descriptor = folder.file(entry.path.slice(entry.path.lastIndexOf("/") + 1), { access: "read" });
      return { descriptor, shown: this.#folder.shown(entry.path), fresh, release };
    } catch (error) {
      release();
      // Something removed it: the next one downloads it again.
      this.#book.remove(entry);
      throw error;
    }
  }

  #begin(
    key: string,
    bytes: number,
    { basename, user }: CacheItem,
    fetch: (path: string) => Promise<void>,
  ): CacheEntry | undefined {
    const name = cacheFileName(this.#book.nextNumber(), basename);
    const path = user === undefined ? name : `${user}/${name}`;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Waiters have their own rejection; without any there is nobody to tell.
    promise.catch(() => undefined);
    const entry: CacheEntry = { key, path, bytes, users: 1, ready: promise };
    const victims = this.#book.reserve(entry);
    if (victims === undefined) return undefined;
    this.#fill(entry, name, user, victims, fetch).then(resolve, (error: unknown) => {
      this.#book.remove(entry);
      reject(error);
    });
    return entry;
  }

  async #fill(
    entry: CacheEntry,
    name: string,
    user: string | undefined,
    victims: readonly string[],
    fetch: (path: string) => Promise<void>,
  ): Promise<void> {
    for (const victim of victims) this.#folder.remove(victim);
    using folder = this.#folder.openFor(user);
    try {
      await fetch(folder.at(name));
      this.#book.correct(entry, folder.look(name)?.size ?? 0);
    } catch (error) {
      if (folder.look(name) !== undefined) folder.unlink(name);
      throw error;
    }
  }
}
