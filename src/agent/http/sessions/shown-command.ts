import type { CommandInfo } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";

/** Characters of a command in the log. */
const LONGEST = 500;
const SECRET =
  /((?:pass(?:word|wd|phrase)?|secret|token|credentials?|api[-_]?key)[A-Za-z0-9_]*(?:=|:\s*|\s+))("[^"]*"|'[^']*'|\S+)/gi;

/** A command for the log: what stands behind a word for a secret is not shown, and no value of a variable ever is. */
export function shownCommand(command: CommandInfo | undefined): string {
  if (command === undefined) return "nothing";
  const words = command.shell || command.arguments.length === 0 ? [command.value] : command.arguments;
  const names = (command.environment?.variables ?? []).map(({ name }) => `${name}=…`);
  const text = [...names, ...words].join(" ").replaceAll(SECRET, "$1*****");
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
