/** Addresses remembered at most; then all are forgotten, and logged once more. */
const MOST_READERS = 1_000;

/** Who has the node's page open, so that the log names each address once and not with each of its looks. */
export class PageReaders {
  readonly #known = new Set<string>();

  /** Whether this address is seen for the first time. */
  isNew(address: string): boolean {
    if (this.#known.has(address)) return false;
    if (this.#known.size >= MOST_READERS) this.#known.clear();
    this.#known.add(address);
    return true;
  }
}
