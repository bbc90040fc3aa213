import { UserError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { defineFlags } from "../../config/flag.ts";
import { helpFlags, usageText } from "../../config/help.ts";
import { loadFlags } from "../../config/parse.ts";
import { unixGrammar } from "../../config/words.ts";

const table = defineFlags(helpFlags);

const VARIABLES = {
  MESOS_PORT: "the agent's port (5051); a node on another port has a folder of its own",
  MESOS_MASTER_PORT: "the development master's port (5050)",
  MESOS_MASTER: "joins this master (host:port, zk://…) instead of starting one",
  START_FOLDER: "where the node's files are",
};

/** What `npm start -- --help` prints. */
export const startHelp = (): string =>
  [
    usageText({
      program: "npm start",
      purpose: "A whole node in one command. Its settings are variables before it: MESOS_PORT=5052 npm start.",
      table,
    }).replace("npm start [options]", "[VARIABLE=VALUE …] npm start [-- options]"),
    ...Object.entries(VARIABLES).map(([name, words]) => `  ${name.padEnd(32)}${words}`),
    "",
    "All other settings of the agent are MESOS_* variables too: docs/variables.md, docs/flags.md.",
  ].join("\n");

/**
 * The words behind `npm start --`: "help" or "version", or undefined for none. Settings of a start are variables: a flag is
 * refused with the variable that it would be, and of a variable that nothing reads the agent itself knows the nearest.
 * Throws a UserError.
 */
export function startWords(words: readonly string[]): "help" | "version" | undefined {
  const { flags, ...loaded } = loadFlags(table, { words, grammar: unixGrammar, readFile: String });
  if (flags.values.help) return "help";
  if (flags.values.version) return "version";
  if (!("problems" in loaded)) return undefined;
  const written = words.find((word) => word.startsWith("-")) ?? words[0] ?? "";
  throw new UserError(`npm start does not take '${written}'`, fixFor(written));
}

function fixFor(written: string): string {
  const [, name, value] = /^--?(?:no-)?([a-z][\w-]*)(?:=(.*))?$/is.exec(written) ?? [];
  if (name === undefined) return "its settings are variables, see npm start -- --help";
  const own = nearest(name, Object.keys(table));
  if (own !== undefined) return `did you mean --${own}?`;
  return `its settings are variables: MESOS_${name.toUpperCase().replaceAll("-", "_")}=${value || "…"} npm start`;
}
