import type { Clock } from "../../base/clock.ts";

const WINDOW = 3_600_000;
/** Of the window, as many as Mesos keeps at most. */
const MOST = 1000;

const PERCENTILES = [
  ["p50", 0.5],
  ["p90", 0.9],
  ["p95", 0.95],
  ["p99", 0.99],
  ["p999", 0.999],
  ["p9999", 0.9999],
] as const;

/** Durations of the last hour, and their statistics as Mesos' timers give them. */
export class TimerWindow {
  readonly #clock: Clock;
  #values: { readonly at: number; readonly value: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes a duration in milliseconds. */
  record(value: number): void {
    this.#values.push({ at: this.#clock.monotonic(), value });
    if (this.#values.length > MOST) this.#values.shift();
  }

  /** `""` (the last value), `/count`, `/min`, `/max` and the percentiles; empty without values. */
  statistics(): [suffix: string, value: number][] {
    const oldest = this.#clock.monotonic() - WINDOW;
    this.#values = this.#values.filter(({ at }) => at >= oldest);
    const last = this.#values.at(-1);
    if (last === undefined) return [];
    const sorted = this.#values.map(({ value }) => value).sort((left, right) => left - right);
    return [
      ["", last.value],
      ["/count", sorted.length],
      ["/min", sorted[0] ?? last.value],
      ["/max", sorted.at(-1) ?? last.value],
      ...PERCENTILES.map(([name, share]): [string, number] => [`/${name}`, percentile(sorted, share)]),
    ];
  }
}

/** The value below which `share` of the sorted values lie, between two of them by their distance. */
function percentile(sorted: readonly number[], share: number): number {
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const low = sorted[below] ?? 0;
  const high = sorted[below + 1] ?? low;
  return low + (high - low) * (position - below);
}
