import { parseDuration } from "../../base/duration.ts";
import { UserError } from "../../base/errors.ts";

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * A duration in Go's grammar (`24h`, `1h30m`, `500ms`), with the units of every other program here too (`5mins`, `2days`),
 * in milliseconds. Throws a UserError.
 */
export function parseGoDuration(text: string): number {
  const parts = [...text.trim().matchAll(/(\d+\.?\d*|\.\d+)\s*([a-z\u00b5\u03bc]+)\s*/g)];
  try {
    if (parts.length === 0 || parts.map(([part]) => part).join("") !== text.trim()) throw new UserError("not whole");
    return parts.reduce((sum, [, amount = "", unit = ""]) => {
      const size = UNITS[unit];
      return sum + (size === undefined ? parseDuration(`${amount}${unit}`) : Number(amount) * size);
    }, 0);
  } catch {
    throw new UserError(
      `'${text}' is not a duration`,
      "write a number and a unit, for example 500ms, 15s, 5m, 5mins or 24h",
    );
  }
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
