import { UserError } from "../base/errors.ts";
import type { Flag, FlagTable } from "./flag.ts";

/** One flag as somebody wrote it, not yet parsed. */
export interface GivenFlag {
  /** The row's name. */
  readonly name: string;
  /** The name that was written: the row's or an alias. */
  readonly usedName: string;
  readonly text: string;
  readonly source: "environment" | "command line";
  /** For messages: `--work_dir`, `MESOS_WORK_DIR`. */
  readonly written: string;
}

export interface Grammar {
  /** `--name value` for flags that are no switches; a next word that is a flag itself is no value. */
  readonly spacedValues?: boolean;
  /** `-n value`, `-n` by the rows' short names. */
  readonly shortNames?: boolean;
  /** `-name value` and `-name=value`, as Go's programs take them. */
  readonly singleDash?: boolean;
  /** Words that belong to no flag: Mesos' agent ignores them. */
  readonly words: "ignore" | "refuse" | "keep";
}

/** Mesos' own programs; they refuse `--name value`, which means nothing else. */
export const mesosGrammar: Grammar = { words: "ignore", spacedValues: true };
/** Programs that are called as getopt programs are: `-s mesos`, `--service mesos`, `--service=mesos`. */
export const unixGrammar: Grammar = { words: "refuse", spacedValues: true, shortNames: true };

/** A row and the name by which it was found. */
export interface FoundFlag {
  readonly name: string;
  readonly row: Flag<unknown>;
  readonly alias: "renamed" | "misspelt" | undefined;
}

/** Finds rows by name or alias. */
export function indexOf(table: FlagTable): ReadonlyMap<string, FoundFlag> {
  const index = new Map<string, FoundFlag>();
  for (const [name, row] of Object.entries(table)) {
    index.set(name, { name, row, alias: undefined });
    for (const alias of row.aliases) index.set(alias.name, { name, row, alias: alias.kind });
  }
  return index;
}

export interface SplitWords {
  readonly given: readonly GivenFlag[];
  /** Words that are no flags, in order; everything after `--` is among them. */
  readonly rest: readonly string[];
}

/** How a word of the command line names a flag, or undefined when it is a plain word. */
function nameIn(
  word: string,
  grammar: Grammar,
): { name: string; value: string | undefined; short: boolean } | undefined {
  const dashes = word.startsWith("--") ? 2 : 1;
  if (!word.startsWith("-") || word === "-") return undefined;
  if (dashes === 1 && !grammar.shortNames && !grammar.singleDash)
    // Whatever a program's grammar is: who types this looks for help.
    return word === "-h" ? { name: "h", value: undefined, short: true } : undefined;
  const equals = word.indexOf("=");
  const name = word.slice(dashes, equals < 0 ? undefined : equals);
  const short = dashes === 1 && grammar.shortNames === true && name.length === 1;
  return { name: short ? name : name.toLowerCase(), value: equals < 0 ? undefined : word.slice(equals + 1), short };
}

/** What `unknown` is told about a name that is in no row. */
export type UnknownName = (name: string, written: string) => UserError;

/** Splits a command line (without the program's own name) into flags and other words. Throws on what cannot be one. */
export function splitWords(
  words: readonly string[],
  table: FlagTable,
  grammar: Grammar,
  unknown: UnknownName,
  problem: (error: UserError) => void,
): SplitWords {
  const index = indexOf(table);
  const shorts = new Map(Object.entries(table).flatMap(([name, row]) => (row.short ? [[row.short, name]] : [])));
  const given: GivenFlag[] = [];
  const rest: string[] = [];
  for (let position = 0; position < words.length; position++) {
    const word = (words[position] ?? "").trim();
    if (word === "--") {
      rest.push(...words.slice(position + 1));
      break;
    }
    const named = nameIn(word, grammar);
    if (named === undefined) {
      rest.push(word);
      continue;
    }
    const direct = named.short ? index.get(shorts.get(named.name) ?? "") : index.get(named.name);
    const negated = named.name.startsWith("no-") ? index.get(named.name.slice(3)) : undefined;
    const found = direct ?? negated;
    if (found === undefined || found.alias === "misspelt") {
      problem(unknown(named.name, word));
      continue;
    }
    const written = word.split("=", 1)[0] ?? word;
    const usedName = named.short ? found.name : direct ? named.name : named.name.slice(3);
    const add = (text: string): void => {
      given.push({ name: found.name, usedName, text, source: "command line", written });
    };
    if (direct === undefined) {
      if (found.row.kind.isSwitch && named.value === undefined) add("false");
      else problem(new UserError(`Failed to load flag '${found.name}' via '${named.name}'`, negationFix(found)));
    } else if (named.value !== undefined) add(named.value);
    else if (found.row.kind.isSwitch) add("");
    else if (grammar.spacedValues && isValue(words[position + 1])) add(words[++position] ?? "");
    else {
      problem(
        new UserError(`Failed to load non-boolean flag '${found.name}': Missing value`, `write ${written}=VALUE`),
      );
    }
  }
  return { given, rest };
}

/** A negative number is a value, another flag is not. */
const isValue = (word: string | undefined): boolean => word !== undefined && !/^--?[A-Za-z]|^--$/.test(word.trim());

function negationFix(found: FoundFlag): string {
  return found.row.kind.isSwitch
    ? `write --no-${found.name} without a value, or --${found.name}=false`
    : `'${found.name}' is not a boolean: leave it out to unset it`;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvironmentWords {
  readonly given: readonly GivenFlag[];
  /** Variables with the prefix that name no flag. */
  readonly unknown: readonly string[];
  /** Variables that are empty and name a flag which is no switch: taken as unset. */
  readonly empty: readonly string[];
}

/** The variables that begin with `prefix` and name a flag, in the order of their names. */
export function splitEnvironment(environment: Environment, prefix: string, table: FlagTable): EnvironmentWords {
  const index = indexOf(table);
  const given: GivenFlag[] = [];
  const unknown: string[] = [];
  const empty: string[] = [];
  for (const variable of Object.keys(environment).sort()) {
    const value = environment[variable];
    if (!variable.startsWith(prefix) || value === undefined) continue;
    const usedName = variable.slice(prefix.length).toLowerCase();
    const found = index.get(usedName);
    if (found === undefined) unknown.push(variable);
    else if (value.trim() === "" && !found.row.kind.isSwitch) empty.push(variable);
    else given.push({ name: found.name, usedName, text: value, source: "environment", written: variable });
  }
  return { given, unknown, empty };
}
