import type { Clock } from "../base/clock.ts";

/**
 * What a connection is worth when there are too many: those that never said anything go first, then those on which nothing is
 * under way. `kept` ones carry messages of somebody who is heard, or an answer that goes on, and are never given up.
 */
export type Worth = "silent" | "idle" | "kept";

export interface Bound {
  /** Connections at most. */
  readonly all: number;
  /** Connections from one address at most. */
  readonly perAddress: number;
}

interface Entry<C> {
  readonly connection: C;
  readonly address: string;
  worth: Worth;
  /** Milliseconds on the clock, of when it became worth that. */
  since: number;
}

/** Milliseconds that a fresh connection has to say something, and a used one to say more, while others can go instead. */
const FRESH = 1_000;
/** Milliseconds of silence after which a connection is no part of a flood: a link. */
const OLD = 60_000;

/** The connections of one worth, from one address. */
class Shelf<C> {
  /** In the order they came. */
  readonly #fresh = new Set<Entry<C>>();
  readonly #stale: Entry<C>[] = [];
  #size = 0;
  readonly #worth: Worth;

  constructor(worth: Worth) {
    this.#worth = worth;
  }

  get size(): number {
    return this.#size;
  }

  put(entry: Entry<C>): void {
    this.#fresh.add(entry);
    this.#size++;
  }

  /** The entry is worth something else, or gone. */
  remove(entry: Entry<C>): void {
    this.#fresh.delete(entry);
    this.#size--;
  }

  /**
   * The one to go: the youngest of those that had their time; else the oldest fresh one; at last those that have been silent
   * for long. So a flood gives up its own, and a link from its address stays.
   */
  victim(now: number, lives: (entry: Entry<C>) => boolean): Entry<C> | undefined {
    for (const entry of this.#fresh) {
      if (now - entry.since < FRESH) break;
      this.#fresh.delete(entry);
      this.#stale.push(entry);
    }
    // A used connection may have been put here again since: it is among the fresh ones then.
    for (let last = this.#stale.at(-1); last !== undefined; last = this.#stale.at(-1)) {
      if (lives(last) && last.worth === this.#worth && now - last.since >= FRESH) break;
      this.#stale.pop();
    }
    const youngest = this.#stale.at(-1);
    const isYoung = youngest !== undefined && now - youngest.since < OLD;
    const oldestFresh = isYoung ? undefined : this.#fresh.values().next().value;
    return oldestFresh ?? this.#stale.pop();
  }
}

interface Address<C> {
  readonly silent: Shelf<C>;
  readonly idle: Shelf<C>;
  count: number;
}

/** Keeps connections within their bounds: who has to go for a new one. Nothing in it is about sockets. */
export class ConnectionBound<C> {
  readonly #bound: Bound;
  readonly #clock: Clock;
  readonly #addresses = new Map<string, Address<C>>();
  readonly #entries = new Map<C, Entry<C>>();

  constructor(bound: Bound, clock: Clock) {
    this.#bound = bound;
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Takes a new connection in. `victim` must be closed for it; "refused": the new one itself must be. */
  admit(connection: C, address: string): { readonly victim: C | undefined } | "refused" {
    const known = this.#addresses.get(address);
    let victim: Entry<C> | undefined;
    if (known !== undefined && known.count >= this.#bound.perAddress) {
      victim = this.#victimOf(known);
      if (victim === undefined) return "refused";
    } else if (this.#entries.size >= this.#bound.all) {
      victim = this.#victimOfLargest("silent") ?? this.#victimOfLargest("idle");
      if (victim === undefined) return "refused";
    }
    if (victim !== undefined) this.remove(victim.connection);
    const entry: Entry<C> = { connection, address, worth: "silent", since: this.#clock.monotonic() };
    this.#entries.set(connection, entry);
    const home = this.#addresses.get(address) ?? { silent: new Shelf("silent"), idle: new Shelf("idle"), count: 0 };
    this.#addresses.set(address, home);
    home.count++;
    home.silent.put(entry);
    return { victim: victim?.connection };
  }

  /** The connection is worth something else from now on. What is kept for its messages stays so. */
  set(connection: C, worth: Worth): void {
    const entry = this.#entries.get(connection);
    const home = entry && this.#addresses.get(entry.address);
    if (entry === undefined || home === undefined) return;
    if (entry.worth !== "kept") home[entry.worth].remove(entry);
    entry.worth = worth;
    entry.since = this.#clock.monotonic();
    if (worth !== "kept") home[worth].put(entry);
  }

  remove(connection: C): void {
    const entry = this.#entries.get(connection);
    const home = entry && this.#addresses.get(entry.address);
    if (entry === undefined || home === undefined) return;
    this.#entries.delete(connection);
    if (entry.worth !== "kept") home[entry.worth].remove(entry);
    if (--home.count === 0) this.#addresses.delete(entry.address);
  }

  readonly #lives = (entry: Entry<C>): boolean => this.#entries.get(entry.connection) === entry;

  #victimOf(home: Address<C>): Entry<C> | undefined {
    const now = this.#clock.monotonic();
    return home.silent.victim(now, this.#lives) ?? home.idle.victim(now, this.#lives);
  }

  /** Of the address that has most of that worth. */
  #victimOfLargest(worth: "silent" | "idle"): Entry<C> | undefined {
    let largest: Shelf<C> | undefined;
    for (const home of this.#addresses.values()) if (home[worth].size > (largest?.size ?? 0)) largest = home[worth];
    return largest?.victim(this.#clock.monotonic(), this.#lives);
  }
}
