import type { Pace } from "./pace.ts";

/**
 * Runs jobs in their order, as many in each turn of the event loop as a pace lets, the first at once. A burst of synchronous work so
 * leaves room for everything else, and what its first pieces started goes on before its last ones have begun.
 */
export class PacedQueue {
  readonly #pace: Pace;
  readonly #failed: (error: unknown) => void;
  readonly #waiting: (() => void)[] = [];
  #isGoing = false;
  #isClosed = false;

  /** `failed` is told what a job threw; the jobs behind it run all the same. */
  constructor(pace: Pace, failed: (error: unknown) => void) {
    this.#pace = pace;
    this.#failed = failed;
  }

  /** Runs `job` now when this turn has room for it and none waits, else in a later one. */
  take(job: () => void): void {
    if (this.#isClosed) return;
    this.#waiting.push(job);
    if (this.#isGoing) return;
    this.#isGoing = true;
    void this.#pace.run(this.#jobs());
  }

  /** What waits is never run, nor what comes later. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.length = 0;
  }

  *#jobs(): Generator<void, void, void> {
    for (let job = this.#waiting.shift(); job !== undefined; job = this.#waiting.shift()) {
      try {
        job();
      } catch (error) {
        this.#failed(error);
      }
      if (this.#waiting.length > 0) yield;
    }
    this.#isGoing = false;
  }
}
