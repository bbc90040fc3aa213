import { UserError } from "../../base/errors.ts";

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** A duration in Go's grammar (`24h`, `1h30m`, `500ms`), in milliseconds. Throws a UserError. */
export function parseGoDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
    throw new UserError(`'${text}' is not a duration`, "write a number and a unit, for example 500ms, 15s, 5m or 24h");
  }
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? ""] ?? 0), 0);
}

/** Milliseconds as Go writes them: `24h`, `1m30s`, `250ms`. */
export function formatGoDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${milliseconds}ms`;
  const units: [string, number][] = [
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1000],
  ];
  let rest = milliseconds;
  let text = "";
  for (const [name, size] of units) {
    const count = name === "s" ? Number((rest / size).toFixed(3)) : Math.floor(rest / size);
    if (count > 0) text += `${count}${name}`;
    rest -= count * size;
  }
  return text;
}
