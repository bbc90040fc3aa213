import { defineFlags, flag } from "./flag.ts";
import { helpFlags } from "./help.ts";
import { boolean } from "./kinds.ts";
import { loadFlags, problemsText } from "./parse.ts";
import { unixGrammar } from "./words.ts";

/** Which of a program's switches were given; `problem` says what is wrong with the command line, and what was meant. */
export interface Switches {
  readonly on: ReadonlySet<string>;
  readonly problem: string | undefined;
}

/** For programs that have nothing but `--name` switches, beside --help and --version. */
export function switchesOf(words: readonly string[], names: readonly string[]): Switches {
  const rows = Object.fromEntries(names.map((name) => [name, flag(boolean, { summary: "", default: false })]));
  const loaded = loadFlags(defineFlags({ ...rows, ...helpFlags }), { words, grammar: unixGrammar, readFile: () => "" });
  const on = Object.entries(loaded.flags.values).flatMap(([name, value]) => (value === true ? [name] : []));
  return { on: new Set(on), problem: loaded.ok ? undefined : problemsText(loaded.problems) };
}
