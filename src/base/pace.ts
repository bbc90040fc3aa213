/**
 * Shares many small pieces of synchronous work out over turns of the event loop, so many in each, whoever does them:
 * whatever else the process has to do comes in between.
 */
export class Pace {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;
  #queue = 0;

  /** `most` pieces a turn. */
  constructor(most: number) {
    this.#most = most;
  }

  /** How many turns had work in them: for tests. */
  get turns(): number {
    return this.#queue;
  }

  /** Before each piece: undefined when it may be done now, else what to wait for first. Those who wait keep their order. */
  take(): Promise<void> | undefined {
    if (this.#taken === 0) this.#begin();
    if (this.#taken < this.#most) {
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

  #begin(): void {
    this.#queue++;
    setImmediate(() => {
      this.#taken = 0;
      const going = this.#waiting.splice(0, this.#most);
      if (going.length === 0) return;
      this.#begin();
      this.#taken = going.length;
      for (const go of going) go();
    });
  }
}
