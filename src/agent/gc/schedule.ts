/** A folder that is to be deleted. Times are milliseconds since the epoch. */
export interface Scheduled {
  readonly path: string;
  readonly removeAt: number;
}

interface Entry extends Scheduled {
  /** Of two that go at the same time, the one that came first goes first. */
  readonly number: number;
  /** Where it stands in the heap. */
  at: number;
}

const isBefore = (one: Entry, other: Entry): boolean =>
  one.removeAt === other.removeAt ? one.number < other.number : one.removeAt < other.removeAt;

/**
 * Folders by the time at which they go, soonest first. There may be hundreds of thousands, and tasks end all the time:
 * adding, taking back and finding the next cost a few steps, not a look at all of them (a binary heap).
 */
export class Schedule {
  readonly #byPath = new Map<string, Entry>();
  readonly #heap: Entry[] = [];
  #count = 0;

  get size(): number {
    return this.#heap.length;
  }

  paths(): Iterable<string> {
    return this.#byPath.keys();
  }

  has(path: string): boolean {
    return this.#byPath.has(path);
  }

  /** Sets the time of a path, whether it has one or not. */
  set(path: string, removeAt: number): void {
    this.delete(path);
    const entry: Entry = { path, removeAt, number: this.#count++, at: this.#heap.length };
    this.#byPath.set(path, entry);
    this.#heap.push(entry);
    this.#rise(entry);
  }

  delete(path: string): boolean {
    const entry = this.#byPath.get(path);
    if (entry === undefined) return false;
    this.#byPath.delete(path);
    const last = this.#heap.pop() as Entry;
    if (last !== entry) {
      this.#put(last, entry.at);
      this.#rise(last);
      this.#sink(last);
    }
    return true;
  }

  /** Takes out at most `most` of those whose time is `horizon` or earlier, soonest first. */
  take(horizon: number, most: number): Scheduled[] {
    const taken: Scheduled[] = [];
    for (let first = this.#heap[0]; first !== undefined && taken.length < most; first = this.#heap[0]) {
      if (first.removeAt > horizon) break;
      this.delete(first.path);
      taken.push(first);
    }
    return taken;
  }

  /** Those due at `horizon`, in no order. Looks at them, and at no others. Nothing may be added or taken meanwhile. */
  *dueAt(horizon: number): Generator<Scheduled> {
    for (const entry of this.#upTo(horizon)) if (entry.removeAt <= horizon) yield entry;
  }

  /** How many are due at `horizon`, and the first of those that are not. */
  forecast(horizon: number): { readonly due: number; readonly next: Scheduled | undefined } {
    let due = 0;
    let next: Entry | undefined;
    for (const entry of this.#upTo(horizon)) {
      if (entry.removeAt <= horizon) due++;
      else if (next === undefined || isBefore(entry, next)) next = entry;
    }
    return { due, next };
  }

  /** The top of the heap: all that are due, and the ones right below those. */
  *#upTo(horizon: number): Generator<Entry> {
    const waiting = [0];
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      const entry = this.#heap[at];
      if (entry === undefined) continue;
      yield entry;
      if (entry.removeAt <= horizon) waiting.push(2 * at + 1, 2 * at + 2);
    }
  }

  #put(entry: Entry, at: number): void {
    this.#heap[at] = entry;
    entry.at = at;
  }

  #rise(entry: Entry): void {
    for (;;) {
      const parent = this.#heap[(entry.at - 1) >> 1];
      if (entry.at === 0 || parent === undefined || !isBefore(entry, parent)) return;
      const at = parent.at;
      this.#put(parent, entry.at);
      this.#put(entry, at);
    }
  }

  #sink(entry: Entry): void {
    for (;;) {
      const left = this.#heap[2 * entry.at + 1];
      const right = this.#heap[2 * entry.at + 2];
      const child = left !== undefined && right !== undefined && isBefore(right, left) ? right : left;
      if (child === undefined || !isBefore(child, entry)) return;
      const at = child.at;
      this.#put(child, entry.at);
      this.#put(entry, at);
    }
  }
}
