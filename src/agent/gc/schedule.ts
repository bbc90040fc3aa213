import { flatText } from "../../base/flat-text.ts";

/** A folder that is to be deleted. Times are milliseconds since the epoch. */
export interface Scheduled {
  readonly path: string;
  readonly removeAt: number;
}

/** What paths begin with, and how many do. */
interface Beginning {
  readonly text: string;
  /** What they end with, and the first of the entries that end so. */
  readonly byEnd: Map<string, number>;
  count: number;
}

/** Where a path is taken apart: what comes before is the same for all executors of a framework. */
const SEAM = "/executors/";
/** From here on, sandboxes and records have the same names. */
const SHARED = "/slaves/";
const NONE = -1;

function split(path: string): readonly [beginning: string, end: string] {
  const at = path.lastIndexOf(SEAM);
  const cut = at < 0 ? 0 : at + SEAM.length;
  return [path.slice(0, cut), path.slice(cut)];
}

const sharedPart = (beginning: string): string => beginning.slice(Math.max(0, beginning.lastIndexOf(SHARED)));

/**
 * Folders by the time at which they go, soonest first. There may be hundreds of thousands, and tasks end all the time:
 * adding, taking back and finding the next cost a few steps, not a look at all of them (a binary heap). And they wait for a
 * week: beginnings are kept once, equal ends (a run's sandbox and its records) too, and what is known of an entry stands in
 * columns, at its number. That is 130 bytes a folder, a
 * quarter of what an object with its path takes.
 */
export class Schedule {
  readonly #beginnings = new Map<string, Beginning>();
  /** By what the beginnings share. */
  readonly #shared = new Map<string, Map<string, number>>();
  /** Of each entry: its path, the next in the same map with the same end, when it goes, which it was, and where it stands in the heap. */
  readonly #beginning: Beginning[] = [];
  readonly #end: string[] = [];
  readonly #next: number[] = [];
  readonly #removeAt: number[] = [];
  readonly #count: number[] = [];
  readonly #at: number[] = [];
  readonly #heap: number[] = [];
  /** Numbers that no entry has any more. */
  readonly #free: number[] = [];
  #counted = 0;

  get size(): number {
    return this.#heap.length;
  }

  *paths(): Generator<string> {
    for (const entry of this.#heap) yield this.#path(entry);
  }

  has(path: string): boolean {
    return this.#find(path) !== undefined;
  }

  /** Sets the time of a path, whether it has one or not. */
  set(path: string, removeAt: number): void {
    this.delete(path);
    const [beginning, end] = split(path);
    const entry = this.#free.pop() ?? this.#end.length;
    const known = this.#begin(beginning);
    const first = known.byEnd.get(end);
    const own = first === undefined ? flatText(end) : (this.#end[first] as string);
    known.byEnd.set(own, entry);
    this.#beginning[entry] = known;
    this.#end[entry] = own;
    this.#next[entry] = first ?? NONE;
    this.#removeAt[entry] = removeAt;
    // Of two that go at the same time, the one that came first goes first.
    this.#count[entry] = this.#counted++;
    this.#put(entry, this.#heap.length);
    this.#rise(entry);
  }

  delete(path: string): boolean {
    const entry = this.#find(path);
    if (entry === undefined) return false;
    this.#remove(entry);
    return true;
  }

  /** Takes out at most `most` of those whose time is `horizon` or earlier, soonest first. */
  take(horizon: number, most: number): Scheduled[] {
    const taken: Scheduled[] = [];
    for (let first = this.#heap[0]; first !== undefined && taken.length < most; first = this.#heap[0]) {
      const scheduled = this.#scheduled(first);
      if (scheduled.removeAt > horizon) break;
      this.#remove(first);
      taken.push(scheduled);
    }
    return taken;
  }

  /** Those due at `horizon`, in no order. Looks at them, and at no others. Nothing may be added or taken meanwhile. */
  *dueAt(horizon: number): Generator<Scheduled> {
    for (const entry of this.#upTo(horizon)) if (this.#time(entry) <= horizon) yield this.#scheduled(entry);
  }

  /** How many are due at `horizon`, and the first of those that are not. */
  forecast(horizon: number): { readonly due: number; readonly next: Scheduled | undefined } {
    let due = 0;
    let next: number | undefined;
    for (const entry of this.#upTo(horizon)) {
      if (this.#time(entry) <= horizon) due++;
      else if (next === undefined || this.#isBefore(entry, next)) next = entry;
    }
    return { due, next: next === undefined ? undefined : this.#scheduled(next) };
  }

  /** The top of the heap: all that are due, and the ones right below those. */
  *#upTo(horizon: number): Generator<number> {
    const waiting = [0];
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      const entry = this.#heap[at];
      if (entry === undefined) continue;
      yield entry;
      if (this.#time(entry) <= horizon) waiting.push(2 * at + 1, 2 * at + 2);
    }
  }

  #find(path: string): number | undefined {
    const [beginning, end] = split(path);
    const known = this.#beginnings.get(beginning);
    let entry = known?.byEnd.get(end) ?? NONE;
    while (entry !== NONE && this.#beginning[entry] !== known) entry = this.#next[entry] as number;
    return entry === NONE ? undefined : entry;
  }

  /** Counts one more. */
  #begin(beginning: string): Beginning {
    let known = this.#beginnings.get(beginning);
    if (known === undefined) {
      const text = flatText(beginning);
      const shared = sharedPart(text);
      const byEnd = this.#shared.get(shared) ?? new Map<string, number>();
      this.#shared.set(shared, byEnd);
      known = { text, byEnd, count: 0 };
      this.#beginnings.set(text, known);
    }
    known.count++;
    return known;
  }

  #remove(entry: number): void {
    const last = this.#heap.pop() as number;
    if (last !== entry) {
      this.#put(last, this.#at[entry] as number);
      this.#rise(last);
      this.#sink(last);
    }
    const { byEnd, text } = this.#unlink(entry);
    if (byEnd.size === 0) this.#shared.delete(sharedPart(text));
    this.#end[entry] = "";
    this.#free.push(entry);
    if (this.#heap.length === 0) this.#clear();
  }

  /** After the last of many: the columns give back what they take. */
  #clear(): void {
    const columns = [this.#beginning, this.#end, this.#next, this.#removeAt, this.#count, this.#at, this.#free];
    for (const column of columns) column.length = 0;
  }

  /** Takes an entry out of the chain of those with its end, and counts its beginning down. */
  #unlink(entry: number): Beginning {
    const beginning = this.#beginning[entry] as Beginning;
    const { byEnd } = beginning;
    const end = this.#end[entry] as string;
    const next = this.#next[entry] as number;
    let before = byEnd.get(end) as number;
    if (before !== entry) {
      while (this.#next[before] !== entry) before = this.#next[before] as number;
      this.#next[before] = next;
    } else if (next === NONE) byEnd.delete(end);
    else byEnd.set(end, next);
    if (--beginning.count === 0) this.#beginnings.delete(beginning.text);
    return beginning;
  }

  #path(entry: number): string {
    return `${this.#beginning[entry]?.text}${this.#end[entry]}`;
  }

  #scheduled(entry: number): Scheduled {
    return { path: this.#path(entry), removeAt: this.#time(entry) };
  }

  #time(entry: number): number {
    return this.#removeAt[entry] as number;
  }

  #isBefore(one: number, other: number): boolean {
    const [early, late] = [this.#time(one), this.#time(other)];
    return early === late ? (this.#count[one] as number) < (this.#count[other] as number) : early < late;
  }

  #put(entry: number, at: number): void {
    this.#heap[at] = entry;
    this.#at[entry] = at;
  }

  #rise(entry: number): void {
    for (;;) {
      const at = this.#at[entry] as number;
      const parent = this.#heap[(at - 1) >> 1];
      if (at === 0 || parent === undefined || !this.#isBefore(entry, parent)) return;
      const above = this.#at[parent] as number;
      this.#put(parent, at);
      this.#put(entry, above);
    }
  }

  #sink(entry: number): void {
    for (;;) {
      const at = this.#at[entry] as number;
      const [left, right] = [this.#heap[2 * at + 1], this.#heap[2 * at + 2]];
      const child = left !== undefined && right !== undefined && this.#isBefore(right, left) ? right : left;
      if (child === undefined || !this.#isBefore(child, entry)) return;
      const below = this.#at[child] as number;
      this.#put(child, at);
      this.#put(entry, below);
    }
  }
}
