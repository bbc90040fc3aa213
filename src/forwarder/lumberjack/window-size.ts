/** First window of a connection, in events. */
const START = 64;
/** A size that failed is tried again after this long, in milliseconds. */
const PENALTY = 60_000;
/** Losses in a row, without an acknowledgement between, after which a size that worked before is doubted too. */
const DOUBT = 3;

/**
 * Slow start: windows double with every acknowledgement up to the bulk size. A window that was lost, larger than any
 * that was acknowledged, bounds the size for a minute, so that a receiver with a limit of its own is found and kept to.
 * A lost window of a size that worked before is no reason: receivers restart.
 */
export class WindowSize {
  readonly #maximum: number;
  #current: number;
  #ceiling: number;
  /** The largest window that was acknowledged. */
  #good = 0;
  #lostInARow = 0;
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

  /** The largest window that the receiver is known to take, 0 at first. */
  get proven(): number {
    return this.#good;
  }

  /** A window of `events` was acknowledged at `now` (monotonic milliseconds). */
  landed(events: number, now: number): void {
    this.#good = Math.max(this.#good, events);
    this.#lostInARow = 0;
    if (now - this.#failedAt >= PENALTY) this.#ceiling = this.#maximum;
    if (events * 2 > this.#current || this.#current <= START)
      this.#current = Math.min(this.#current * 2, this.#ceiling);
  }

  /** A window of `events` was written and lost at `now`. */
  lost(events: number, now: number): void {
    this.#lostInARow++;
    if (this.#lostInARow >= DOUBT) this.#good = Math.min(this.#good, Math.floor(events / 2));
    if (events > this.#good) {
      this.#ceiling = Math.max(1, Math.min(this.#ceiling, Math.max(this.#good, Math.floor(events / 2))));
      this.#failedAt = now;
    }
    this.#current = Math.min(START, this.#ceiling);
  }
}
