/** First window of a connection, in events. */
const START = 64;
/** A size that failed is tried again after this long, in milliseconds. */
const PENALTY = 60_000;

/**
 * Slow start: windows double with every acknowledgement up to the bulk size. A window that was lost halves the bound,
 * for a minute, so that a receiver with a limit of its own is found and kept to.
 */
export class WindowSize {
  readonly #maximum: number;
  #current: number;
  #ceiling: number;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(maximum: number) {
    this.#maximum = maximum;
    this.#ceiling = maximum;
    this.#current = Math.min(START, maximum);
  }

  /** Events that the next window may hold. */
  get current(): number {
    return this.#current;
  }

  /** A window of `events` was acknowledged at `now` (monotonic milliseconds). */
  landed(events: number, now: number): void {
    if (now - this.#failedAt >= PENALTY) this.#ceiling = this.#maximum;
    if (events * 2 > this.#current || this.#current <= START)
      this.#current = Math.min(this.#current * 2, this.#ceiling);
  }

  /** A window of `events` was written and lost at `now`. */
  lost(events: number, now: number): void {
    this.#ceiling = Math.max(1, Math.min(this.#ceiling, Math.floor(events / 2)));
    this.#current = Math.min(START, this.#ceiling);
    this.#failedAt = now;
  }
}
