import type { Clock } from "./clock.ts";

export interface PacedQueueOptions {
  readonly clock: Pick<Clock, "monotonic">;
  /** Told what a job threw; the jobs behind it run all the same. */
  readonly failed: (error: unknown) => void;
  /** Milliseconds of a turn of the event loop after which no further job begins in it. */
  readonly budget: number;
}

/**
 * Runs jobs in their order, some in each turn of the event loop, the first at once. A burst of synchronous work so leaves
 * room for everything else, and what its first pieces started goes on before its last ones have begun. More than one in a turn,
 * because what a turn has to say to others is said together at its end.
 */
export class PacedQueue {
  readonly #options: PacedQueueOptions;
  readonly #waiting: (() => void)[] = [];
  #taken = false;
  #closed = false;

  constructor(options: PacedQueueOptions) {
    this.#options = options;
  }

  /** Runs `job` now when nothing ran in this turn yet, else in a later one. */
  take(job: () => void): void {
    if (this.#closed) return;
    this.#waiting.push(job);
    if (!this.#taken) this.#turn(1);
  }

  /** What waits is never run, nor what comes later. */
  close(): void {
    this.#closed = true;
    this.#waiting.length = 0;
  }

  /** Runs what waits, `most` at most, while the turn's time lasts. */
  #turn(most: number): void {
    const { clock, failed, budget } = this.#options;
    this.#taken = this.#waiting.length > 0;
    if (!this.#taken) return;
    setImmediate(() => this.#turn(Number.POSITIVE_INFINITY));
    const until = clock.monotonic() + budget;
    for (let run = 0; run < most; run++) {
      const job = this.#waiting.shift();
      if (job === undefined) return;
      try {
        job();
      } catch (error) {
        failed(error);
      }
      if (clock.monotonic() >= until) return;
    }
  }
}
