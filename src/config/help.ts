import { type Flag, type FlagTable, flag } from "./flag.ts";
import { boolean } from "./kinds.ts";

/** Rows that every program has. */
export const helpFlags = {
  help: flag(boolean, { summary: "Prints this text and ends.", default: false, short: "h" }),
  version: flag(boolean, { summary: "Prints the version and ends.", default: false }),
};

/** The default as help and documentation show it; undefined when there is none. */
export function defaultOf(row: Flag<unknown>): string | undefined {
  if (row.defaultText !== undefined) return row.defaultText;
  if (row.default === undefined || row.default === null) return undefined;
  const printed = row.kind.print(row.default);
  return printed === "" ? undefined : printed;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

const LEFT_COLUMN = 34;
const WIDTH = 110;

export interface Usage {
  /** The program's name as it was called. */
  readonly program: string;
  /** Before the flags, one line. */
  readonly purpose?: string;
  readonly table: FlagTable;
  /** `-x` forms are shown. */
  readonly shortNames?: boolean;
}

/** Mesos' usage text: two columns, sorted by name. Flags that are refused or ignored are left to the documentation. */
export function usageText({ program, purpose, table, shortNames }: Usage): string {
  const lines = [`Usage: ${program} [options]`, ""];
  if (purpose !== undefined) lines.push(purpose, "");
  for (const [name, row] of Object.entries(table).sort(([left], [right]) => (left < right ? -1 : 1))) {
    if (row.status.kind !== "supported") continue;
    const long = row.kind.isSwitch ? `--[no-]${name}` : `--${name}=${row.placeholder ?? "VALUE"}`;
    const left = `  ${shortNames && row.short ? `-${row.short}, ` : ""}${long}`;
    const byDefault = defaultOf(row);
    const [first = "", ...others] = wrap(
      byDefault === undefined ? row.summary : `${row.summary} (default: ${byDefault})`,
      WIDTH - LEFT_COLUMN,
    );
    if (left.length + 1 > LEFT_COLUMN) lines.push(left, " ".repeat(LEFT_COLUMN) + first);
    else lines.push(left.padEnd(LEFT_COLUMN) + first);
    for (const line of others) lines.push(" ".repeat(LEFT_COLUMN) + line);
  }
  return `${lines.join("\n")}\n`;
}
