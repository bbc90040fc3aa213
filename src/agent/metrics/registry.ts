import { type Clock, sleep } from "../../base/clock.ts";
import { allMetrics, type CounterName, counters, type GaugeName, type TimerName } from "./table.ts";
import { TimerWindow } from "./timer-window.ts";

/** The value now; undefined: there is none. */
export type ReadGauge = () => number | undefined | Promise<number | undefined>;

/** No reading may hold a page up for longer, whatever the client asks for. */
const LONGEST_READING = 10_000;

/** The agent's counters, gauges and timers. Every counter exists from the start, at 0. */
export class Metrics {
  readonly #clock: Clock;
  readonly #counters = new Map<string, number>(Object.keys(counters).map((name) => [name, 0]));
  readonly #gauges = new Map<string, ReadGauge>();
  readonly #groups = new Set<() => Iterable<readonly [GaugeName, number]>>();
  readonly #figures = new Set<() => Iterable<readonly [string, number]>>();
  readonly #timers = new Map<string, TimerWindow>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  count(name: CounterName, by = 1): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + by);
  }

  /** Replaces an earlier reading of the same name. One that throws or rejects is left out of the answer. */
  gauge(name: GaugeName, read: ReadGauge): void {
    this.#gauges.set(name, read);
  }

  /** Several gauges that are computed together. */
  gauges(read: () => Iterable<readonly [GaugeName, number]>): void {
    this.#groups.add(read);
  }

  /** Figures that another room keeps itself, counters among them, by the names of the tables. */
  figures(read: () => Iterable<readonly [string, number]>): void {
    this.#figures.add(read);
  }

  /** Notes a duration in milliseconds. */
  time(name: TimerName, duration: number): void {
    const known = this.#timers.get(name) ?? new TimerWindow(this.#clock);
    this.#timers.set(name, known);
    known.record(duration);
  }

  /** All values by name. What is not known within `timeout` milliseconds is left out. */
  async snapshot(timeout = LONGEST_READING): Promise<ReadonlyMap<string, number>> {
    const values = new Map<string, number>(this.#counters);
    for (const [name, window] of this.#timers)
      for (const [suffix, value] of window.statistics()) values.set(name + suffix, value);
    const keep = (name: string, value: number | undefined): void => {
      if (value !== undefined && Number.isFinite(value)) values.set(name, value);
    };
    for (const read of [...this.#groups, ...this.#figures]) {
      for (const [name, value] of attempt(read) ?? []) keep(name, value);
    }
    const slow: Promise<void>[] = [];
    for (const [name, read] of this.#gauges) {
      const value = attempt(read);
      if (value instanceof Promise) {
        slow.push(
          value.then(
            (known) => keep(name, known),
            () => undefined,
          ),
        );
      } else keep(name, value);
    }
    if (slow.length > 0) await this.#within(Promise.all(slow), Math.min(timeout, LONGEST_READING));
    // A copy: what comes after the deadline must not change an answer that is being written.
    return new Map(values);
  }

  async #within(work: Promise<unknown>, timeout: number): Promise<void> {
    const deadline = new AbortController();
    const late = sleep(this.#clock, timeout, deadline.signal).catch(() => undefined);
    await Promise.race([work, late]);
    deadline.abort(new Error("read"));
  }
}

/** Metrics in Prometheus' text format: `slave/tasks_running` is `mesos_slave_tasks_running`; timers are summaries. */
export function prometheusText(values: ReadonlyMap<string, number>): string {
  const lines: string[] = [];
  for (const [name, { kind, summary }] of allMetrics()) {
    const value = values.get(name);
    if (value === undefined) continue;
    const flat = `mesos_${name.replaceAll(/[^A-Za-z0-9]/g, "_")}${kind === "counter" ? "_total" : ""}`;
    lines.push(`# HELP ${flat} ${summary.replaceAll("\\", "\\\\")}`);
    if (kind !== "timer") lines.push(`# TYPE ${flat} ${kind}`, `${flat} ${value}`);
    else lines.push(`# TYPE ${flat} summary`, ...summaryLines(name, flat, values));
  }
  return `${lines.join("\n")}\n`;
}

const QUANTILES = { p50: "0.5", p90: "0.9", p95: "0.95", p99: "0.99", p999: "0.999", p9999: "0.9999" };

function summaryLines(name: string, flat: string, values: ReadonlyMap<string, number>): string[] {
  const quantiles = Object.entries(QUANTILES).map(
    ([suffix, quantile]) => `${flat}{quantile="${quantile}"} ${values.get(`${name}/${suffix}`) ?? "NaN"}`,
  );
  return [...quantiles, `${flat}_count ${values.get(`${name}/count`) ?? 0}`];
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
