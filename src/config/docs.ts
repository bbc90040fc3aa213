import type { Flag, FlagGroup } from "./flag.ts";
import { defaultOf } from "./help.ts";

export interface FlagsPage {
  readonly title: string;
  /** Markdown before the tables. */
  readonly introduction: string;
  /** `MESOS_`; without it no variables are shown. */
  readonly prefix?: string;
  readonly groups: readonly FlagGroup[];
}

/** Text inside a table cell. */
export const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

const code = (text: string): string => `\`${cell(text)}\``;

function presence(row: Flag<unknown>): string {
  const parts = [];
  if (row.since !== undefined) parts.push(`since ${row.since}`);
  if (row.until !== undefined) parts.push(`until ${row.until}`);
  return parts.length === 0 ? "all" : parts.join(", ");
}

function statusText(row: Flag<unknown>): string {
  if (row.status.kind === "supported") return "supported";
  return `**${row.status.kind}**: ${cell(row.status.reason)}`;
}

function aliasText(row: Flag<unknown>, prefix: string | undefined): string {
  if (row.aliases.length === 0) return "";
  const names = row.aliases.map(({ name, kind }) =>
    kind === "misspelt" ? code(`${prefix ?? ""}${name.toUpperCase()}`) : code(`--${name}`),
  );
  return ` Also taken: ${names.join(", ")}.`;
}

function rowText(name: string, row: Flag<unknown>, prefix: string | undefined): string {
  const long = row.kind.isSwitch ? `--[no-]${name}` : `--${name}`;
  const byDefault = defaultOf(row);
  const columns = [
    code(long),
    ...(prefix === undefined ? [] : [code(prefix + name.toUpperCase())]),
    cell(row.kind.name),
    byDefault === undefined ? "—" : code(byDefault),
    presence(row),
    statusText(row),
    `${cell(row.summary)}${aliasText(row, prefix)}${row.mask ? " Masked where it is shown." : ""}`,
  ];
  return `| ${columns.join(" | ")} |`;
}

/** The documentation page of a flag table, in Markdown. */
export function flagsPage({ title, introduction, prefix, groups }: FlagsPage): string {
  const heads = ["Flag", ...(prefix === undefined ? [] : ["Variable"]), "Type", "Default", "Mesos", "Here", "Meaning"];
  const lines = [`# ${title}`, "", introduction.trim(), ""];
  for (const group of groups) {
    lines.push(`## ${group.title}`, "", `| ${heads.join(" | ")} |`, `|${heads.map(() => "---").join("|")}|`);
    for (const [name, row] of Object.entries(group.flags)) lines.push(rowText(name, row, prefix));
    lines.push("");
  }
  return `${lines.join("\n").trimEnd()}\n`;
}
