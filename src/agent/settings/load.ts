import type { UserError } from "../../base/errors.ts";
import { type LoadedFlags, loadFlags } from "../../config/parse.ts";
import { type Environment, mesosGrammar } from "../../config/words.ts";
import { type AgentFlagTable, agentFlags, agentVariables } from "../flags/table.ts";
import { checkAgentFlags } from "./validate.ts";

export interface AgentFlagInput {
  /** The command line without the program's own name. */
  readonly words: readonly string[];
  readonly environment: Environment;
  readonly readFile: (path: string) => string;
}

export type AgentFlagResult =
  | { readonly ok: true; readonly flags: LoadedFlags<AgentFlagTable> }
  /** All mistakes; `flags` only so that --help and --version are honoured. */
  | { readonly ok: false; readonly problems: readonly UserError[]; readonly flags: LoadedFlags<AgentFlagTable> };

/** Mesos' agent ignores words that are no flags; what looks like one was meant to be one. */
const ignoredWords = (rest: readonly string[]): string[] =>
  rest.filter((word) => /^-[a-z]/i.test(word)).map((word) => `'${word}' is ignored: flags begin with --`);

/** Loads and checks the agent's flags, `MESOS_*` first, the command line wins. */
export function loadAgentFlags(input: AgentFlagInput): AgentFlagResult {
  const loaded = loadFlags(agentFlags, {
    ...input,
    prefix: "MESOS_",
    grammar: mesosGrammar,
    knownVariables: agentVariables,
  });
  const { flags } = loaded;
  const found = checkAgentFlags({ values: flags.values, given: (name) => flags.origins.has(name) });
  const checked = { ...flags, warnings: [...flags.warnings, ...ignoredWords(flags.rest), ...found.warnings] };
  if (!loaded.ok) return { ok: false, problems: loaded.problems, flags: checked };
  return found.problems.length > 0
    ? { ok: false, problems: found.problems, flags: checked }
    : { ok: true, flags: checked };
}
