/**
 * Runs jobs in their order, one in each turn of the event loop, the first at once. A burst of synchronous work so leaves
 * room for everything else, and what its first pieces started goes on before its last ones have begun.
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #taken = false;
  #closed = false;

  /** Runs `job` now when nothing ran in this turn yet, else in a later one. A job must not throw. */
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
    job();
  }
}
