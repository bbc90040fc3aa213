import { UserError } from "./errors.ts";

/**
 * Durations in Mesos' grammar: a decimal number directly followed by a unit. Held in nanoseconds as a bigint where they
 * travel in messages, and in milliseconds as a number everywhere else; this module speaks milliseconds.
 */
const UNITS = [
  ["weeks", 604_800_000],
  ["days", 86_400_000],
  ["hrs", 3_600_000],
  ["mins", 60_000],
  ["secs", 1_000],
  ["ms", 1],
  ["us", 1e-3],
  ["ns", 1e-6],
] as const;

/** Spellings that the C++ agent refuses and we take (the image's example says `5min`). */
const LENIENT: Readonly<Record<string, string>> = {
  w: "weeks",
  week: "weeks",
  d: "days",
  day: "days",
  h: "hrs",
  hr: "hrs",
  hour: "hrs",
  hours: "hrs",
  m: "mins",
  min: "mins",
  minute: "mins",
  minutes: "mins",
  s: "secs",
  sec: "secs",
  second: "secs",
  seconds: "secs",
};

/** `text` in milliseconds. Throws a UserError that names the accepted units. */
export function parseDuration(text: string): number {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))\s*([a-z]+)$/.exec(text.trim());
  const unitName = match?.[2] ?? "";
  const unit = UNITS.find(([name]) => name === (LENIENT[unitName] ?? unitName));
  if (match === null || unit === undefined) {
    throw new UserError(
      `'${text}' is not a duration`,
      "write a number directly followed by ns, us, ms, secs, mins, hrs, days or weeks, for example 5mins",
    );
  }
  return Number(match[1]) * unit[1];
}

/** A whole number of seconds, as programs of old took it, or a duration. In seconds. Throws a UserError for anything else. */
export function parseSeconds(text: string): number {
  return /^\d+$/.test(text.trim()) ? Number(text) : parseDuration(text) / 1000;
}

/** Mesos' own form: the largest unit that divides exactly (`15mins`, `2secs`, `1weeks`). */
export function formatDuration(milliseconds: number): string {
  const nanoseconds = Math.round(milliseconds * 1e6);
  if (nanoseconds === 0) return "0ns";
  for (const [name, unit] of UNITS) {
    const size = Math.round(unit * 1e6);
    if (nanoseconds % size === 0) return `${nanoseconds / size}${name}`;
  }
  return `${nanoseconds}ns`;
}

export const nanosecondsOf = (milliseconds: number): bigint => BigInt(Math.round(milliseconds * 1e6));
export const millisecondsOf = (nanoseconds: bigint): number => Number(nanoseconds) / 1e6;
