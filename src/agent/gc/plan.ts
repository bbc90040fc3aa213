import { formatDuration } from "../../base/duration.ts";

/** A folder that is to be deleted. Times are milliseconds since the epoch. */
export interface Scheduled {
  readonly path: string;
  readonly removeAt: number;
}

/**
 * How old an ended sandbox may become at this disk usage (0 to 1): nothing is kept when usage and headroom together
 * fill the disk, the whole delay holds only on an empty one (mesos-agent-behaviour §5.11). Milliseconds.
 */
export function maxAllowedAge(gcDelay: number, headroom: number, usage: number): number {
  return gcDelay * Math.max(0, 1 - headroom - usage);
}

/** Those that have to go now: their time has come, or the disk wants them sooner. Oldest first. */
export function due(scheduled: Iterable<Scheduled>, now: number, gcDelay: number, allowedAge: number): Scheduled[] {
  const soonest = now + Math.max(0, gcDelay - allowedAge);
  return [...scheduled].filter(({ removeAt }) => removeAt <= soonest).sort((a, b) => a.removeAt - b.removeAt);
}

/** Mesos' own line, and what will happen next. */
export function describeUsage(usage: number, allowedAge: number): string {
  return `Current disk usage ${(usage * 100).toFixed(2)}%. Max allowed age: ${roughDuration(allowedAge)}`;
}

/** What would be deleted if the disk were as full as `usage`: for operators who consider other settings. */
export function describeForecast(
  scheduled: Iterable<Scheduled>,
  now: number,
  gcDelay: number,
  allowedAge: number,
): string {
  const all = [...scheduled];
  const going = due(all, now, gcDelay, allowedAge);
  const left = all.filter((one) => !going.includes(one)).sort((a, b) => a.removeAt - b.removeAt)[0];
  const next = left === undefined ? "" : `; next '${left.path}' in ${roughDuration(left.removeAt - now)} at the latest`;
  return `Would delete ${going.length} of ${all.length} directories now${next}`;
}

const UNITS = [604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1];

/** A duration with at most two decimals of its largest unit: `5.60days`. */
export function roughDuration(milliseconds: number): string {
  const unit = UNITS.find((size) => Math.abs(milliseconds) >= size);
  if (unit === undefined) return "0ns";
  const value = (milliseconds / unit).toFixed(2).replace(/\.?0+$/, "");
  return value + formatDuration(unit).slice(1);
}
