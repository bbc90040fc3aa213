// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal must not be sent
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Text of somebody else for a terminal: nothing in it moves the cursor or changes what is shown. */
export const plain = (text: string): string => text.replaceAll(CONTROL, "\ufffd");

/** Rows under their heads, each column as wide as its widest cell. `right`: columns of figures, by their index. */
export function columns(heads: readonly string[], rows: readonly (readonly string[])[], right: readonly number[] = []) {
  const all = [heads, ...rows.map((row) => row.map(plain))];
  const widths = heads.map((_, index) => Math.max(...all.map((row) => (row[index] ?? "").length)));
  const lines = all.map((row) =>
    row
      .map((cell, index) =>
        right.includes(index) ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

/** `2026-11-29 19:57:32`, in UTC. @param seconds since the epoch */
export const timeText = (seconds: number | undefined): string =>
  seconds === undefined ? "-" : new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");

/** `0.5`, `128`: without figures that say nothing. */
export const figure = (value: number): string => String(Math.round(value * 100) / 100);
