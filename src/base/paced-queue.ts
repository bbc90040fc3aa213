/**
 * Runs jobs in their order, one in each turn of the event loop, the first at once. A burst of synchronous work so leaves
 * room for everything else, and what its first pieces started goes on before its last ones have begun.
 */
export class PacedQueue {
  readonly #waiting: (() => void)[] = [];
  readonly #failed: (error: unknown) => void;
  #taken = false;
  #closed = false;

  /** `failed` is told what a job threw; the jobs behind it run all the same. */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** Runs `job` now when nothing ran in this turn yet, else in a later one. */
  take(job: () => void): void {
    if (this.#closed) return;
    if (this.#taken) this.#waiting.push(job);
    else this.#run(job);
  }

  /** What waits is never run, nor what comes later. */
  close(): void {
    this.#closed = true;
    this.#waiting.length = 0;
  }

  #run(job: () => void): void {
    this.#taken = true;
    setImmediate(() => {
      this.#taken = false;
      const next = this.#waiting.shift();
      if (next !== undefined) this.#run(next);
    });
    try {
      job();
    } catch (error) {
      this.#failed(error);
    }
  }
}
