import { usageText } from "../config/help.ts";
import { type Command, type CommandName, commandNames, commands } from "./commands.ts";

export const PROGRAM = "mesos-slave";

/** `exec [flags] TASK -- COMMAND…` */
export function synopsis(name: CommandName): string {
  const { operands, flags }: Command = commands[name];
  const letters = Object.values(flags)
    .filter(({ short, kind }) => short !== undefined && short !== "h" && kind.isSwitch)
    .map(({ short }) => short)
    .join("");
  const words = operands.map(({ name: operand, kind, isOptional }) => {
    if (kind === "command") return `-- ${operand}`;
    return isOptional ? `[${operand}]` : operand;
  });
  return [name, ...(letters === "" ? [] : [`[-${letters}]`]), "[flags]", ...words].join(" ");
}

/** All commands, a line each. */
export function overview(): string {
  const width = Math.max(...commandNames.map((name) => name.length)) + 2;
  const lines = commandNames.map((name) => `  ${name.padEnd(width)}${commands[name].summary.replaceAll("`", "")}`);
  return [
    `Usage: ${PROGRAM} COMMAND …, and without one of these the agent itself (${PROGRAM} --help)`,
    "",
    ...lines,
    "",
    `A TASK is its id, or the beginning of it that no other has. More: ${PROGRAM} help COMMAND, docs/command-line.md`,
    "",
  ].join("\n");
}

/** One command with its flags. */
export function commandHelp(name: CommandName): string {
  const { flags, summary, exits, examples }: Command = commands[name];
  const text = usageText({ program: PROGRAM, purpose: summary.replaceAll("`", ""), table: flags, shortNames: true });
  return [
    text
      .replace(`Usage: ${PROGRAM} [options]`, `Usage: ${PROGRAM} ${synopsis(name)}`)
      .trimEnd()
      .replaceAll("`", ""),
    "",
    ...(exits === "none" ? [] : [`Exit codes: 0; 64 for words that cannot be understood; ${exits}.`, ""]),
    ...examples.map((example) => `  ${PROGRAM} ${example}`),
    "",
  ].join("\n");
}
