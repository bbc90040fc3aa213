/** What a turn may hold. */
export interface PaceOptions {
  /** Milliseconds after which no further piece is begun in a turn, however few were done: pieces that nobody did before are slow ones. */
  readonly milliseconds?: number;
  /** The milliseconds that are counted, from whenever. */
  readonly now?: () => number;
}

/**
 * Shares many small pieces of synchronous work out over turns of the event loop, so many in each and for so long, whoever does
 * them: whatever else the process has to do comes in between.
 */
export class Pace {
  readonly #most: number;
  readonly #longest: number;
  readonly #now: () => number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;
  #began = 0;
  #queue = 0;

  /** `most` pieces a turn. */
  constructor(
    most: number,
    { milliseconds = Number.POSITIVE_INFINITY, now = () => performance.now() }: PaceOptions = {},
  ) {
    this.#most = most;
    this.#longest = milliseconds;
    this.#now = now;
  }

  /** How many turns had work in them: for tests. */
  get turns(): number {
    return this.#queue;
  }

  /** Before each piece: undefined when it may be done now, else what to wait for first. Those who wait keep their order. */
  take(): Promise<void> | undefined {
    if (this.#taken === 0) this.#begin();
    if (this.#hasRoom()) {
      this.#taken++;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Runs `work`, whose pieces end with a yield: a short one before this returns, a long one over many turns. */
  async run<T>(work: Generator<void, T, void>): Promise<T> {
    for (;;) {
      const wait = this.take();
      if (wait !== undefined) await wait;
      const step = work.next();
      if (step.done === true) return step.value;
    }
  }

  /** A turn has room for one piece at least. */
  #hasRoom(): boolean {
    return this.#taken === 0 || (this.#taken < this.#most && this.#now() - this.#began < this.#longest);
  }

  #begin(): void {
    this.#queue++;
    this.#began = this.#now();
    setImmediate(() => {
      this.#taken = 0;
      if (this.#waiting.length === 0) return;
      this.#begin();
      this.#wake();
    });
  }

  /** Lets the first go who waits, and whoever is next only when he has done his piece: it may have taken all of the turn. */
  #wake(): void {
    if (this.#waiting.length === 0 || !this.#hasRoom()) return;
    this.#taken++;
    this.#waiting.shift()?.();
    queueMicrotask(() => this.#wake());
  }
}
