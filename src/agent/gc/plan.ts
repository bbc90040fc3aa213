import { formatDuration } from "../../base/duration.ts";
import type { Schedule } from "./schedule.ts";

/**
 * How old an ended sandbox may become at this disk usage (0 to 1): nothing is kept when usage and headroom together
 * fill the disk, the whole delay holds only on an empty one (mesos-agent-behaviour §5.11). Milliseconds.
 */
export function maxAllowedAge(gcDelay: number, headroom: number, usage: number): number {
  return gcDelay * Math.max(0, 1 - headroom - usage);
}

/** What is scheduled until this time has to go now: its time has come, or the disk wants it sooner. */
export function horizon(now: number, gcDelay: number, allowedAge: number): number {
  return now + Math.max(0, gcDelay - allowedAge);
}

/** Mesos' own line, and what will happen next. */
export function describeUsage(usage: number, allowedAge: number): string {
  return `Current disk usage ${(usage * 100).toFixed(2)}%. Max allowed age: ${roughDuration(allowedAge)}`;
}

/** What would be deleted now, and what next: for operators who consider other settings. */
export function describeForecast(schedule: Schedule, now: number, until: number): string {
  const { due, next } = schedule.forecast(until);
  const then = next === undefined ? "" : `; next '${next.path}' in ${roughDuration(next.removeAt - now)} at the latest`;
  return `Would delete ${due} of ${schedule.size} directories now${then}`;
}

const UNITS = [604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1];

/** A duration with at most two decimals of its largest unit: `5.60days`. */
export function roughDuration(milliseconds: number): string {
  const unit = UNITS.find((size) => Math.abs(milliseconds) >= size);
  if (unit === undefined) return "0ns";
  const value = (milliseconds / unit).toFixed(2).replace(/\.?0+$/, "");
  return value + formatDuration(unit).slice(1);
}
