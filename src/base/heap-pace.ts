import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Clock, every, type Timer } from "./clock.ts";

/** The part of V8 that HeapPace looks at and turns. */
export interface Heap {
  /** The part of the time since the last question in which the event loop worked, 0 to 1. */
  utilization(): number;
  /** Bytes of memory that the heap has taken from the system. */
  committed(): number;
  /** How much the old generation may grow between two collections, in percent of what lives; 0: as V8 likes, up to 300. */
  growAtMost(percent: number): void;
  /** Whether V8's memory reducer takes the process for one that nobody waits for. It collects in small steps. */
  favourMemory(on: boolean): void;
  /** Collects at once; the event loop waits for about a millisecond per megabyte of what lives. */
  collect(): void;
}

/** Milliseconds between two looks. */
const LOOK = 5_000;
/** Who works for a smaller part of the time is quiet. */
const QUIET = 0.1;
/** Looks in a row that find work until it is no burst any more. */
const BURST_LOOKS = 2;
/** Percent of what lives, under work that lasts. V8 by itself lets garbage grow to three times of it. */
const SUSTAINED_GROWTH = 100;
/** Looks for which memory is favoured: the reducer looks every eight seconds, and collects twice. */
const REDUCING_LOOKS = 4;
/** Looks after which work that lasts has V8 give back, for one look, the pages that it keeps for later: what the first burst took. */
const RELEASE_LOOKS = 12;
/** Less than this beyond what was held after the last time is not worth a collection: a quarter, and 4 MB. */
const worthIt = (committed: number, floor: number): boolean => committed > floor * 1.25 + 4 * 1024 ** 2;
/** What has not fallen to this part of itself has not been collected. */
const REDUCED = 0.9;

/**
 * Holds down the garbage of a process that works in bursts, and is to be small for the months between them. V8 has a memory
 * reducer for this, but takes the rate at which a burst allocated for the present one until something is collected again,
 * and so may wait for ever. Here the event loop is looked at: when it has nothing to do, the reducer is let go to work. A
 * burst runs as V8 likes. Work that lasts longer than one gets a bound to its garbage, which costs about 3 % of processor time, and
 * gives back what its beginning took.
 */
export class HeapPace {
  readonly #heap: Heap;
  readonly #timer: Timer;
  /** Bytes that were left the last time. */
  #floor = 0;
  /** Looks in a row that found work. */
  #busy = 0;
  #reducing: { readonly from: number; looks: number; collected: boolean } | undefined;

  constructor(clock: Clock, heap: Heap) {
    this.#heap = heap;
    this.#timer = every(clock, LOOK, () => this.#look());
  }

  close(): void {
    this.#timer.cancel();
  }

  #look(): void {
    if (this.#heap.utilization() < QUIET) this.#quiet();
    else this.#working();
  }

  #working(): void {
    if (this.#reducing !== undefined) this.#stopReducing();
    const sustained = ++this.#busy - BURST_LOOKS;
    if (sustained < 0) return;
    if (sustained === 0) this.#heap.growAtMost(SUSTAINED_GROWTH);
    // With a bound to its growth the heap is collected as often as without; only these collections empty the pool of pages.
    if (sustained % RELEASE_LOOKS === 0) this.#heap.favourMemory(true);
    else if (sustained % RELEASE_LOOKS === 1) this.#heap.favourMemory(false);
  }

  #quiet(): void {
    if (this.#busy >= BURST_LOOKS) {
      this.#heap.growAtMost(0);
      this.#heap.favourMemory(false);
    }
    this.#busy = 0;
    const committed = this.#heap.committed();
    const reducing = this.#reducing;
    if (reducing === undefined) {
      if (!worthIt(committed, this.#floor)) return;
      this.#reducing = { from: committed, looks: 0, collected: false };
      this.#heap.favourMemory(true);
      return;
    }
    if (++reducing.looks < REDUCING_LOOKS) return;
    if (!reducing.collected && committed > REDUCED * reducing.from) {
      // The reducer sleeps until a collection finds that the heap has grown.
      this.#heap.collect();
      this.#reducing = { ...reducing, looks: 0, collected: true };
      return;
    }
    this.#floor = committed;
    this.#stopReducing();
  }

  #stopReducing(): void {
    this.#reducing = undefined;
    this.#heap.favourMemory(false);
  }
}

/** The heap of this process. V8 takes these settings while it runs, though its compiled code does not: they are set after that is loaded. */
export function ownHeap(): Heap {
  let before = performance.eventLoopUtilization();
  return {
    utilization() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, before);
      before = now;
      return utilization;
    },
    committed: () => getHeapStatistics().total_heap_size,
    growAtMost: (percent) => setFlagsFromString(`--heap-growing-percent=${percent}`),
    favourMemory: (on) => setFlagsFromString(on ? "--memory-saver-mode" : "--no-memory-saver-mode"),
    collect() {
      setFlagsFromString("--expose-gc");
      (runInNewContext("gc") as () => void)();
    },
  };
}
