import { chown, mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../base/errors.ts";
import { CacheBook, type CacheEntry, cacheFileName } from "./cache-book.ts";
import type { FetchUser } from "./command.ts";

/** A file name that the cache made. */
const CACHE_FILE = /^c\d+-/;

/**
 * Downloads kept for other tasks: `<folder>[/<user>]/c<N>-<basename>`. One download for however many ask at once. Users
 * never share files.
 */
export class FetchCache {
  readonly #folder: string;
  readonly #book: CacheBook;
  #cleared: Promise<void> | undefined;

  constructor(folder: string, budgetBytes: number) {
    this.#folder = folder;
    this.#book = new CacheBook(budgetBytes);
  }

  get totalBytes(): number {
    return this.#book.budget;
  }

  get usedBytes(): number {
    return this.#book.usedBytes;
  }

  /**
   * Calls `use` with the cached file, downloading it first when nobody has. `size` is asked once per download.
   * Resolves to false, without having called `use`, when the file cannot be cached: size unknown, or no room.
   */
  async with(
    item: { readonly uri: string; readonly basename: string; readonly user: FetchUser | undefined },
    size: () => Promise<number | undefined>,
    fetch: (path: string) => Promise<void>,
    use: (path: string, fresh: boolean) => Promise<void>,
  ): Promise<boolean> {
    this.#cleared ??= this.#clear();
    await this.#cleared;
    const key = `${item.user?.name ?? ""}@${item.uri}`;
    let entry = this.#book.use(key);
    const fresh = entry === undefined;
    if (entry === undefined) {
      const bytes = await size();
      // Somebody may have begun meanwhile.
      entry = this.#book.use(key) ?? (bytes === undefined ? undefined : await this.#begin(key, bytes, item, fetch));
    }
    if (entry === undefined) return false;
    try {
      await entry.ready;
      await use(entry.path, fresh);
      return true;
    } finally {
      this.#book.release(entry);
    }
  }

  async #begin(
    key: string,
    bytes: number,
    { basename, user }: { readonly basename: string; readonly user: FetchUser | undefined },
    fetch: (path: string) => Promise<void>,
  ): Promise<CacheEntry | undefined> {
    const folder = user === undefined ? this.#folder : join(this.#folder, user.name);
    const path = join(folder, cacheFileName(this.#book.nextNumber(), basename));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Waiters have their own rejection; without any there is nobody to tell.
    promise.catch(() => undefined);
    const entry: CacheEntry = { key, path, bytes, users: 1, ready: promise };
    const victims = this.#book.reserve(entry);
    if (victims === undefined) return undefined;
    this.#fill(entry, folder, user, victims, fetch).then(resolve, (error: unknown) => {
      this.#book.remove(entry);
      void rm(path, { force: true }).finally(() => reject(error));
    });
    return entry;
  }

  async #fill(
    entry: CacheEntry,
    folder: string,
    user: FetchUser | undefined,
    victims: readonly string[],
    fetch: (path: string) => Promise<void>,
  ): Promise<void> {
    for (const victim of victims) await rm(victim, { force: true });
    await mkdir(this.#folder, { recursive: true });
    await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
    });
    await fetch(entry.path);
    if (user !== undefined) {
      await chown(folder, user.uid, user.gid);
      await chown(entry.path, user.uid, user.gid);
    }
    this.#book.correct(entry, (await stat(entry.path)).size);
  }

  /** What a previous agent left: its books are gone. Only files with names that the cache makes. */
  async #clear(): Promise<void> {
    const files = async (folder: string): Promise<void> => {
      const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
      for (const entry of entries) {
        if (entry.isFile() && CACHE_FILE.test(entry.name)) await rm(join(folder, entry.name), { force: true });
        else if (entry.isDirectory() && folder === this.#folder) await files(join(folder, entry.name));
      }
    };
    await files(this.#folder);
  }
}
