import type { Clock, Timer } from "./clock.ts";

/**
 * One deadline for many works, of which some may begin late: a timer for each of thousands costs more than some of the works do.
 * To be closed when nobody waits for any of them.
 */
export class Deadline {
  readonly #late = new Set<() => void>();
  readonly #timer: Timer;
  #isOver = false;

  /** Over in so many milliseconds. */
  constructor(clock: Clock, milliseconds: number) {
    this.#timer = clock.after(milliseconds, () => {
      this.#isOver = true;
      for (const over of this.#late) over();
      this.#late.clear();
    });
  }

  /**
   * Resolves to what `work` resolves to, or to `late` when the deadline is over; the work itself goes on, and what becomes of it
   * is nobody's business then. Rejects as the work does while it is in time.
   */
  within<T, L>(work: Promise<T>, late: L): Promise<T | L> {
    return new Promise((resolve, reject) => {
      const over = (): void => resolve(late);
      if (this.#isOver) over();
      else this.#late.add(over);
      work.then(
        (value) => {
          this.#late.delete(over);
          resolve(value);
        },
        (error: unknown) => {
          this.#late.delete(over);
          reject(error);
        },
      );
    });
  }

  close(): void {
    this.#timer.cancel();
  }
}

/** The same for one work, over in so many milliseconds. */
export function within<T, L>(clock: Clock, milliseconds: number, work: Promise<T>, late: L): Promise<T | L> {
  const deadline = new Deadline(clock, milliseconds);
  return deadline.within(work, late).finally(() => deadline.close());
}
