import { Column } from "../../base/column.ts";
import { flatText } from "../../base/flat-text.ts";
import { PackedTexts } from "../../base/packed-texts.ts";

/** A folder that is to be deleted. Times are milliseconds since the epoch. */
export interface Scheduled {
  readonly path: string;
  readonly removeAt: number;
}

/** What beginnings have in common, below which the same ends occur: a number for it. */
interface Shared {
  readonly number: number;
  /** Of how many beginnings. */
  count: number;
}

/** What paths begin with, and how many do. */
interface Beginning {
  readonly text: string;
  readonly number: number;
  readonly shared: Shared;
  count: number;
}

/** Where a path is taken apart: what comes before is the same for all executors of a framework. */
const SEAM = "/executors/";
/** From here on, sandboxes and records have the same names. */
const SHARED = "/slaves/";
/** The end of a chain, whose members are written as 1 more. */
const NONE = 0;

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
 * columns, at its number. That is some 55 bytes a folder, all of them where the collector does not look.
 */
export class Schedule {
  readonly #beginnings = new Map<string, Beginning>();
  readonly #beginningAt: (Beginning | undefined)[] = [];
  readonly #freeBeginnings: number[] = [];
  /** By what the beginnings share. */
  readonly #shared = new Map<string, Shared>();
  #shares = 0;
  /** The ends, each behind the number of what its beginning shares; and of each, its newest entry. */
  readonly #ends = new PackedTexts();
  readonly #newest = Column.ofCounts();
  /** Of each entry: the numbers of its beginning and its end, and the next entry with that end, as 1 more. */
  readonly #beginning = Column.ofCounts();
  readonly #end = Column.ofCounts();
  readonly #next = Column.ofCounts();
  /** Of each entry: when it goes, which it was, and where it stands in the heap. */
  readonly #removeAt = Column.ofNumbers();
  readonly #count = Column.ofCounts();
  readonly #at = Column.ofCounts();
  readonly #heap = Column.ofCounts();
  #size = 0;
  #counted = 0;
  /** Entries that there have been at once. Those that are no more are chained by #next. */
  #given = 0;
  #free = NONE;

  get size(): number {
    return this.#size;
  }

  *paths(): Generator<string> {
    for (let at = 0; at < this.#size; at++) yield this.#path(this.#in(this.#heap, at));
  }

  has(path: string): boolean {
    return this.#find(path) !== undefined;
  }

  /** Sets the time of a path, whether it has one or not. */
  set(path: string, removeAt: number): void {
    this.delete(path);
    const [beginning, end] = split(path);
    const known = this.#begin(beginning);
    const key = `${known.shared.number}/${end}`;
    const before = this.#ends.find(key);
    const number = before ?? this.#ends.add(key);
    const entry = this.#giveNumber();
    this.#beginning.set(entry, known.number);
    this.#end.set(entry, number);
    this.#next.set(entry, before === undefined ? NONE : this.#in(this.#newest, before) + 1);
    this.#newest.set(number, entry);
    this.#removeAt.set(entry, removeAt);
    // Of two that go at the same time, the one that came first goes first.
    this.#count.set(entry, this.#counted++);
    this.#put(entry, this.#size++);
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
    while (this.#size > 0 && taken.length < most) {
      const first = this.#in(this.#heap, 0);
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
      if (at >= this.#size) continue;
      const entry = this.#in(this.#heap, at);
      yield entry;
      if (this.#time(entry) <= horizon) waiting.push(2 * at + 1, 2 * at + 2);
    }
  }

  #find(path: string): number | undefined {
    const [beginning, end] = split(path);
    const known = this.#beginnings.get(beginning);
    const number = known && this.#ends.find(`${known.shared.number}/${end}`);
    if (number === undefined) return undefined;
    let next = this.#in(this.#newest, number) + 1;
    while (next !== NONE && this.#in(this.#beginning, next - 1) !== known?.number)
      next = this.#in(this.#next, next - 1);
    return next === NONE ? undefined : next - 1;
  }

  /** Counts one more. */
  #begin(beginning: string): Beginning {
    let known = this.#beginnings.get(beginning);
    if (known === undefined) {
      const text = flatText(beginning);
      const part = sharedPart(text);
      const shared = this.#shared.get(part) ?? { number: this.#shares++, count: 0 };
      this.#shared.set(part, shared);
      shared.count++;
      known = { text, number: this.#freeBeginnings.pop() ?? this.#beginningAt.length, shared, count: 0 };
      this.#beginningAt[known.number] = known;
      this.#beginnings.set(text, known);
    }
    known.count++;
    return known;
  }

  #giveNumber(): number {
    if (this.#free === NONE) return this.#given++;
    const entry = this.#free - 1;
    this.#free = this.#in(this.#next, entry);
    return entry;
  }

  #remove(entry: number): void {
    const last = this.#in(this.#heap, --this.#size);
    if (last !== entry) {
      this.#put(last, this.#in(this.#at, entry));
      this.#rise(last);
      this.#sink(last);
    }
    this.#unlink(entry);
    this.#uncount(this.#beginningOf(entry));
    this.#next.set(entry, this.#free);
    this.#free = entry + 1;
    if (this.#size === 0) this.#clear();
  }

  /** After the last of many: the columns give back what they take. */
  #clear(): void {
    [this.#given, this.#free] = [0, NONE];
    const columns = [this.#beginning, this.#end, this.#next, this.#removeAt, this.#count, this.#at, this.#heap];
    for (const column of [...columns, this.#newest]) column.clear();
  }

  /** Takes an entry out of the chain of those with its end. */
  #unlink(entry: number): void {
    const end = this.#in(this.#end, entry);
    const next = this.#in(this.#next, entry);
    let before = this.#in(this.#newest, end);
    if (before !== entry) {
      while (this.#in(this.#next, before) !== entry + 1) before = this.#in(this.#next, before) - 1;
      this.#next.set(before, next);
    } else if (next === NONE) this.#ends.delete(end);
    else this.#newest.set(end, next - 1);
  }

  #uncount(beginning: Beginning): void {
    if (--beginning.count > 0) return;
    this.#beginnings.delete(beginning.text);
    this.#beginningAt[beginning.number] = undefined;
    this.#freeBeginnings.push(beginning.number);
    if (--beginning.shared.count === 0) this.#shared.delete(sharedPart(beginning.text));
  }

  #beginningOf(entry: number): Beginning {
    return this.#beginningAt[this.#in(this.#beginning, entry)] as Beginning;
  }

  /** What a column says of an entry that there is. */
  #in(column: Column, entry: number): number {
    return column.get(entry) as number;
  }

  #path(entry: number): string {
    const end = this.#ends.text(this.#in(this.#end, entry));
    return this.#beginningOf(entry).text + end.slice(end.indexOf("/") + 1);
  }

  #scheduled(entry: number): Scheduled {
    return { path: this.#path(entry), removeAt: this.#time(entry) };
  }

  #time(entry: number): number {
    return this.#in(this.#removeAt, entry);
  }

  #isBefore(one: number, other: number): boolean {
    // Asked a dozen times of each entry that comes or goes: nothing is made here.
    const early = this.#time(one);
    const late = this.#time(other);
    return early === late ? this.#in(this.#count, one) < this.#in(this.#count, other) : early < late;
  }

  #put(entry: number, at: number): void {
    this.#heap.set(at, entry);
    this.#at.set(entry, at);
  }

  #rise(entry: number): void {
    for (let at = this.#in(this.#at, entry); at > 0; ) {
      const above = (at - 1) >> 1;
      const parent = this.#in(this.#heap, above);
      if (!this.#isBefore(entry, parent)) return;
      this.#put(parent, at);
      this.#put(entry, above);
      at = above;
    }
  }

  #sink(entry: number): void {
    for (let at = this.#in(this.#at, entry); ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      if (left >= this.#size) return;
      const isRight = right < this.#size && this.#isBefore(this.#in(this.#heap, right), this.#in(this.#heap, left));
      const below = isRight ? right : left;
      const child = this.#in(this.#heap, below);
      if (!this.#isBefore(child, entry)) return;
      this.#put(child, at);
      this.#put(entry, below);
      at = below;
    }
  }
}
