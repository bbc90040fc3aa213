/**
 * Lets jobs pass in their order. While something that later ones depend on is still being done, it is shut: jobs wait,
 * and pass, synchronously and in order, once everything that held it is over (done or failed).
 */
export class Barrier {
  readonly #waiting: (() => void)[] = [];
  readonly #failed: (error: unknown) => void;
  #holds = 0;

  /** `failed` is told what a job threw; the jobs behind it pass all the same. */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** Runs `job` now when nothing holds the gate and nobody waits, else later. */
  pass(job: () => void): void {
    this.#waiting.push(job);
    this.#open();
  }

  /** Shuts the gate until `work` settles; its outcome is the caller's business. */
  hold(work: Promise<unknown>): void {
    this.#holds++;
    const release = (): void => {
      this.#holds--;
      this.#open();
    };
    work.then(release, release);
  }

  #open(): void {
    while (this.#holds === 0) {
      const job = this.#waiting.shift();
      if (job === undefined) return;
      try {
        job();
      } catch (error) {
        this.#failed(error);
      }
    }
  }
}
