import { UserError } from "./errors.ts";

const UNITS = [
  ["TB", 1024 ** 4],
  ["GB", 1024 ** 3],
  ["MB", 1024 ** 2],
  ["KB", 1024],
  ["B", 1],
] as const;

/** A whole number of bytes in Mesos' grammar (`2GB`, `64MB`, powers of 1024, any case). Throws a UserError. */
export function parseBytes(text: string): number {
  const match = /^(\d+)\s*([kmgt]?b)$/i.exec(text.trim());
  const unit = UNITS.find(([name]) => name === match?.[2]?.toUpperCase());
  if (match === null || unit === undefined) {
    throw new UserError(
      `'${text}' is not a size`,
      "write a whole number followed by B, KB, MB, GB or TB, for example 2GB",
    );
  }
  return Number(match[1]) * unit[1];
}

/** The largest unit that divides exactly: `2GB`, `512B`. */
export function formatBytes(bytes: number): string {
  for (const [name, size] of UNITS) if (bytes !== 0 && bytes % size === 0) return `${bytes / size}${name}`;
  return `${bytes}B`;
}
