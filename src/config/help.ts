import { type Flag, type FlagTable, flag } from "./flag.ts";
import { boolean } from "./kinds.ts";

/** `--help`, and `--help=all`, which is the same: every flag is shown. */
const helpSwitch = { ...boolean, parse: (given: string): boolean => given === "all" || boolean.parse(given) };

/** Rows that every program has. */
export const helpFlags = {
  help: flag(helpSwitch, { summary: "Prints this text and ends.", default: false, short: "h" }),
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

/** One flag in two columns. */
function rowLines(left: string, right: string): string[] {
  const [first = "", ...others] = wrap(right, WIDTH - LEFT_COLUMN);
  const indent = " ".repeat(LEFT_COLUMN);
  const head = left.length + 1 > LEFT_COLUMN ? [left, indent + first] : [left.padEnd(LEFT_COLUMN) + first];
  return [...head, ...others.map((line) => indent + line)];
}

const HEADINGS = {
  ignored: "Taken, and without effect here:",
  refused: "Refused, because a promise would be broken:",
} as const;

/** Mesos' usage text: two columns, sorted by name; then the flags of other releases that do nothing here, or are refused. */
export function usageText({ program, purpose, table, shortNames }: Usage): string {
  const lines = [`Usage: ${program} [options]`, ""];
  if (purpose !== undefined) lines.push(purpose, "");
  const rows = Object.entries(table).sort(([left], [right]) => (left < right ? -1 : 1));
  const named = (name: string, row: Flag<unknown>): string => {
    const long = row.kind.isSwitch ? `--[no-]${name}` : `--${name}=${row.placeholder ?? "VALUE"}`;
    return `  ${shortNames && row.short ? `-${row.short}, ` : ""}${long}`;
  };
  for (const [name, row] of rows) {
    if (row.status.kind !== "supported") continue;
    const byDefault = defaultOf(row);
    const summary = byDefault === undefined ? row.summary : `${row.summary} (default: ${byDefault})`;
    lines.push(...rowLines(named(name, row), summary));
  }
  for (const kind of ["ignored", "refused"] as const) {
    const others = rows.filter(([, row]) => row.status.kind === kind);
    if (others.length > 0) lines.push("", HEADINGS[kind]);
    for (const [name, row] of others)
      lines.push(...rowLines(named(name, row), row.status.kind === "supported" ? "" : row.status.reason));
  }
  return `${lines.join("\n")}\n`;
}
