/**
 * Work that many ask for at once, and whose outcome is the same for all. Whoever asks while it runs shares the next run
 * with all others that came meanwhile: what they get was made after they asked, and however many they are, at most one
 * run is under way.
 */
export class SharedRun<T> {
  readonly #work: () => Promise<T>;
  #running: Promise<unknown> | undefined;
  #next: Promise<T> | undefined;

  constructor(work: () => Promise<T>) {
    this.#work = work;
  }

  /** Resolves or rejects as the run does. */
  get(): Promise<T> {
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined) return this.#begin();
    this.#next = this.#running.then(() => {
      this.#next = undefined;
      return this.#begin();
    });
    return this.#next;
  }

  #begin(): Promise<T> {
    const run = this.#work();
    const over = (): void => {
      this.#running = undefined;
    };
    this.#running = run.then(over, over);
    return run;
  }
}
