/** A file in the cache, or one that is being downloaded into it. */
export interface CacheEntry {
  readonly key: string;
  readonly path: string;
  /** Reserved first, corrected to the true size later. */
  bytes: number;
  /** How many fetches use it now. */
  users: number;
  readonly ready: Promise<void>;
}

/** `c<N>-<basename>`: a name longer than 20 characters keeps its first and last ten (§3.4), and with them its suffix. */
export function cacheFileName(number: number, basename: string): string {
  const short = basename.length > 20 ? `${basename.slice(0, 10)}_${basename.slice(-10)}` : basename;
  return `c${number}-${short}`;
}

/**
 * The books of the cache: what is in it, who uses it, what has to go. Least recently used first. Knows no files, only
 * names and sizes.
 */
export class CacheBook {
  readonly #budget: number;
  /** In order of use: a Map keeps insertion order, and a use inserts anew. */
  readonly #entries = new Map<string, CacheEntry>();
  #used = 0;
  #number = 0;

  constructor(budget: number) {
    this.#budget = budget;
  }

  get usedBytes(): number {
    return this.#used;
  }

  get budget(): number {
    return this.#budget;
  }

  nextNumber(): number {
    return ++this.#number;
  }

  /** Marks the entry as used by one more; undefined when it is not there. */
  use(key: string): CacheEntry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    entry.users++;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  release(entry: CacheEntry): void {
    entry.users--;
  }

  /**
   * Reserves room for a new entry. Returns the paths of files that have to be deleted for it, or undefined when there
   * is not enough room even so; then nothing changed.
   */
  reserve(entry: CacheEntry): string[] | undefined {
    const victims: CacheEntry[] = [];
    let room = this.#budget - this.#used;
    for (const candidate of this.#entries.values()) {
      if (room >= entry.bytes) break;
      if (candidate.users > 0) continue;
      victims.push(candidate);
      room += candidate.bytes;
    }
    if (room < entry.bytes) return undefined;
    for (const victim of victims) this.remove(victim);
    this.#entries.set(entry.key, entry);
    this.#used += entry.bytes;
    return victims.map(({ path }) => path);
  }

  /** The true size, known after the download; the cache may overshoot its budget by the difference. */
  correct(entry: CacheEntry, bytes: number): void {
    if (this.#entries.get(entry.key) === entry) this.#used += bytes - entry.bytes;
    entry.bytes = bytes;
  }

  remove(entry: CacheEntry): void {
    if (this.#entries.get(entry.key) !== entry) return;
    this.#entries.delete(entry.key);
    this.#used -= entry.bytes;
  }
}
