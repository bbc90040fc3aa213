import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";

/** Lines per window, and the window's milliseconds. */
const MOST = 20;
const WINDOW = 10_000;

/** Warnings about peers, of which a flood of garbage must not make a flood of lines: so many per window, then a count. */
export class RateLimitedWarnings {
  readonly #log: Logger;
  readonly #clock: Clock;
  #start = Number.NEGATIVE_INFINITY;
  #count = 0;

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  warn(message: string): void {
    const now = this.#clock.monotonic();
    if (now - this.#start >= WINDOW) {
      if (this.#count > MOST)
        this.#log.warn(`${this.#count - MOST} more warnings about peers like those above were left out`);
      this.#start = now;
      this.#count = 0;
    }
    this.#count++;
    if (this.#count <= MOST) this.#log.warn(message);
  }
}
