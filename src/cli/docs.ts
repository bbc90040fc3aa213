import { cell } from "../config/docs.ts";
import { defaultOf } from "../config/help.ts";
import { type Command, commandNames, commands } from "./commands.ts";
import { PROGRAM, synopsis } from "./help.ts";

/** The commands, for docs/command-line.md. */
export const commandsBlock = (): string =>
  [
    "| command | what it does |",
    "|---|---|",
    ...commandNames.map((name) => `| \`${cell(synopsis(name))}\` | ${cell(commands[name].summary)} |`),
  ].join("\n");

/** Flags, exit codes and examples of each command. */
export function commandFlagsBlock(): string {
  return commandNames
    .filter((name) => commands[name].exits !== "none")
    .map((name) => {
      const { flags, exits, examples }: Command = commands[name];
      const rows = Object.entries(flags).map(([long, row]) => {
        const short = row.short === undefined ? "" : `\`-${row.short}\`, `;
        const written = row.kind.isSwitch ? `--${long}` : `--${long}=${row.placeholder ?? "VALUE"}`;
        const byDefault = row.kind.isSwitch ? undefined : defaultOf(row);
        const otherwise = byDefault === undefined ? "" : ` Default: \`${byDefault}\`.`;
        return `| ${short}\`${written}\` | ${cell(row.summary)}${otherwise} |`;
      });
      return [
        `### ${name}`,
        "",
        "| flag | meaning |",
        "|---|---|",
        ...rows,
        "",
        `Exit codes: 0; 64 for words that cannot be understood; ${exits}.`,
        "```sh",
        ...examples.map((example) => `${PROGRAM} ${example}`),
        "```",
      ].join("\n");
    })
    .join("\n\n");
}
