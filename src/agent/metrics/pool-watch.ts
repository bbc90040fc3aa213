import { stat } from "node:fs/promises";
import type { Clock, Timer } from "../../base/clock.ts";

/** Milliseconds from one question to the next. */
const EVERY = 5_000;
/** Milliseconds without an answer after which the pool counts as standing still: a slow disk alone takes less. */
const STANDS_STILL = 15_000;

/**
 * Whether the threads that do this process's file work still do any. They are four: four calls that never return (a file
 * system whose server is gone, a FIFO) and nothing is written any more, while every timer and socket goes on as if all
 * were well. A question goes through the pool now and then; `trouble` says since when it has no answer.
 */
export class PoolWatch {
  readonly #clock: Clock;
  readonly #ask: () => Promise<unknown>;
  #asked: number | undefined;
  #timer: Timer;

  constructor(clock: Clock, ask: () => Promise<unknown> = () => stat("/")) {
    this.#clock = clock;
    this.#ask = ask;
    this.#timer = clock.after(EVERY, () => this.#look());
  }

  #look(): void {
    this.#timer = this.#clock.after(EVERY, () => this.#look());
    if (this.#asked !== undefined) return;
    this.#asked = this.#clock.monotonic();
    const answered = (): void => {
      this.#asked = undefined;
    };
    this.#ask().then(answered, answered);
  }

  /** What is wrong; undefined when all is well. */
  get trouble(): string | undefined {
    if (this.#asked === undefined) return undefined;
    const since = this.#clock.monotonic() - this.#asked;
    if (since < STANDS_STILL) return undefined;
    return (
      `no file operation has ended for ${Math.floor(since / 1000)} s: a disk or a network file system hangs; ` +
      "look for processes in state D, and restart the agent when it is back"
    );
  }

  close(): void {
    this.#timer.cancel();
  }
}
