/** Runs asynchronous jobs, so many at once; the others wait in their order and hold nothing meanwhile. */
export class FewAtOnce {
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** The job's own result or failure. */
  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.#running < this.#most) this.#running++;
    // Whoever ends hands his place on: nobody who comes then gets it first.
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await job();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
