import type { Clock } from "../../base/clock.ts";
import { parseDuration } from "../../base/duration.ts";
import { UserError } from "../../base/errors.ts";

export interface Rate {
  readonly permits: number;
  /** Milliseconds. */
  readonly period: number;
}

/** Mesos' default for /metrics/snapshot and the statistics. */
export const defaultRate: Rate = { permits: 2, period: 1000 };

/** The value of LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT, `10/1secs`; empty: no limit. Throws a UserError. */
export function parseRate(text: string): Rate | undefined {
  if (text.trim() === "") return undefined;
  const [permits = "", period = "", ...more] = text.trim().split("/");
  if (!/^[1-9]\d{0,5}$/.test(permits) || more.length > 0) {
    throw new UserError(
      `LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT is '${text}', not a rate`,
      "write a number and a duration, such as 2/1secs, or nothing for no limit",
    );
  }
  return { permits: Number(permits), period: parseDuration(period) };
}

/** More waiting requests than this are turned away: they would outlive their clients. */
const MOST_WAITING = 200;

/** Lets `permits` requests pass in any `period`; the others wait in turn. */
export class RateGate {
  readonly #clock: Clock;
  readonly #rate: Rate | undefined;
  /** When the last `permits` requests passed, or will pass; oldest first. */
  #passes: number[] = [];
  #waiting = 0;

  constructor(clock: Clock, rate: Rate | undefined) {
    this.#clock = clock;
    this.#rate = rate;
  }

  /** Resolves when it is the caller's turn: true; at once with false when too many wait. */
  async pass(): Promise<boolean> {
    if (this.#rate === undefined) return true;
    const { permits, period } = this.#rate;
    const now = this.#clock.monotonic();
    const oldest = this.#passes.length >= permits ? (this.#passes[0] ?? now) + period : now;
    const at = Math.max(now, oldest);
    if (at > now && this.#waiting >= MOST_WAITING) return false;
    this.#passes = [...this.#passes, at].slice(-permits);
    if (at === now) return true;
    this.#waiting++;
    await new Promise<void>((resolve) => this.#clock.after(at - now, resolve));
    this.#waiting--;
    return true;
  }
}
