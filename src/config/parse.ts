import { messageOf, UserError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import type { Flag, FlagTable, FlagValues } from "./flag.ts";
import { type Environment, type GivenFlag, type Grammar, indexOf, splitEnvironment, splitWords } from "./words.ts";

export interface FlagInput {
  /** The command line without the program's own name. */
  readonly words: readonly string[];
  readonly environment?: Environment;
  /** `MESOS_`; without it the environment is not looked at. */
  readonly prefix?: string;
  readonly grammar: Grammar;
  /** Variables with the prefix that something else reads: no warning about them. A trailing `*` matches any ending. */
  readonly knownVariables?: readonly string[];
  /** The content of a file named by a value, as text. Errors are system errors. */
  readonly readFile: (path: string) => string;
}

/** Where a flag's value came from. */
export interface FlagOrigin {
  readonly source: "environment" | "command line" | "default";
  /** The name that was used: the row's or one that other releases had. `/flags` shows this one. */
  readonly usedName: string;
  /** For messages: `--ip`, `MESOS_IP`; the flag's name for a default. */
  readonly written: string;
  /** The file that the value was read from. */
  readonly file?: string;
  /** The value's text as given, a file not yet replaced by its content. */
  readonly text: string;
}

export interface LoadedFlags<Table extends FlagTable> {
  readonly values: FlagValues<Table>;
  readonly origins: ReadonlyMap<string, FlagOrigin>;
  /** For the log, once there is one. */
  readonly warnings: readonly string[];
  /** Words of the command line that are no flags. */
  readonly rest: readonly string[];
}

export type FlagResult<Table extends FlagTable> =
  | { readonly ok: true; readonly flags: LoadedFlags<Table> }
  /** `flags` holds what could be loaded, so that --help and --version are honoured in spite of other mistakes. */
  | { readonly ok: false; readonly problems: readonly UserError[]; readonly flags: LoadedFlags<Table> };

interface Loading {
  readonly problems: UserError[];
  readonly warnings: string[];
  readonly values: Record<string, unknown>;
  readonly origins: Map<string, FlagOrigin>;
}

const variableName = (prefix: string, name: string): string => prefix + name.toUpperCase();

function isKnown(variable: string, known: readonly string[]): boolean {
  return known.some((name) => (name.endsWith("*") ? variable.startsWith(name.slice(0, -1)) : name === variable));
}

function unknownFlag(table: FlagTable) {
  return (name: string): UserError => {
    const via = name.startsWith("no-") ? ` via '${name}'` : "";
    const bare = via === "" ? name : name.slice(3);
    const index = indexOf(table);
    const like = index.get(bare)?.name ?? nearest(bare, index.keys());
    const meant = like === undefined ? undefined : (index.get(like)?.name ?? like);
    return new UserError(
      `Failed to load unknown flag '${bare}'${via}`,
      meant === undefined ? "see --help for the flags there are" : `did you mean --${meant}?`,
    );
  };
}

function readEnvironment(table: FlagTable, input: FlagInput, loading: Loading): readonly GivenFlag[] {
  const prefix = input.prefix;
  if (prefix === undefined || input.environment === undefined) return [];
  const { given, unknown, empty } = splitEnvironment(input.environment, prefix, table);
  const index = indexOf(table);
  for (const variable of unknown) {
    if (isKnown(variable, input.knownVariables ?? [])) continue;
    const like = nearest(variable.slice(prefix.length), index.keys());
    const meant = like === undefined ? "" : `; did you mean ${variableName(prefix, index.get(like)?.name ?? like)}?`;
    loading.warnings.push(`${variable} is set, but nothing reads it${meant}`);
  }
  for (const variable of empty) loading.warnings.push(`${variable} is empty: taken as not set`);
  for (const one of given) {
    if (index.get(one.usedName)?.alias === "misspelt")
      loading.warnings.push(`${one.written} is taken as ${variableName(prefix, one.name)}: use that name`);
  }
  return given;
}

/** Of several spellings in one source the same value may be given; two different ones are a mistake. */
function checkRepeats(all: readonly GivenFlag[], table: FlagTable, problems: UserError[]): GivenFlag[] {
  const byName = Map.groupBy(all, ({ name }) => name);
  return [...byName.values()].flatMap((several) => {
    const [first, ...others] = several as [GivenFlag, ...GivenFlag[]];
    if (others.length === 0) return [first];
    if (table[first.name]?.kind.repeats) return [{ ...first, text: several.map(({ text }) => text).join(",") }];
    if (first.source === "command line") {
      problems.push(
        new UserError(`Flag '${first.name}' is already loaded via name '${first.usedName}'`, "give it once"),
      );
    } else if (others.some(({ text }) => text !== first.text)) {
      const names = several.map(({ written }) => written).join(" and ");
      problems.push(new UserError(`${names} are both set, to different values`, "they are one setting: keep one"));
    }
    // The flag's own name wins over an alias of the same value.
    return [several.find(({ name, usedName }) => name === usedName) ?? first];
  });
}

/** The file that a value names, by the rules of its kind. */
function fileNamed(row: Flag<unknown>, given: string): string | undefined {
  if (row.kind.reads === "as given") return undefined;
  if (given.startsWith("file://")) return given.slice("file://".length);
  return row.kind.reads === "content or bare path" && given.startsWith("/") ? given : undefined;
}

function loadOne(row: Flag<unknown>, given: GivenFlag, input: FlagInput, loading: Loading): void {
  const file = fileNamed(row, given.text);
  const { usedName, written, source, text } = given;
  try {
    const content = file === undefined ? text.trim() : input.readFile(file).trim();
    loading.values[given.name] = row.kind.parse(content);
    loading.origins.set(given.name, { source, usedName, written, text, ...(file === undefined ? {} : { file }) });
  } catch (error) {
    const where = file === undefined ? "" : ` (from ${file})`;
    const why = error instanceof UserError ? error.message : messageOf(error);
    loading.problems.push(
      new UserError(`Failed to load flag '${given.name}' (${written})${where}: ${why}`, fixOf(error, file)),
    );
  }
}

function fixOf(error: unknown, file: string | undefined): string | undefined {
  if (error instanceof UserError) return error.fix;
  return file === undefined ? undefined : "make the file readable, or give the value itself";
}

function applyStatus(name: string, row: Flag<unknown>, loading: Loading): void {
  const value = loading.values[name];
  const origin = loading.origins.get(name);
  if (origin === undefined || row.status.kind === "supported") return;
  const unchanged = row.default !== undefined && row.kind.print(value ?? "") === row.kind.print(row.default ?? "");
  if (unchanged || value === undefined) return;
  if (row.status.kind === "ignored") loading.warnings.push(`${origin.written} is ignored: ${row.status.reason}`);
  else {
    loading.problems.push(
      new UserError(`${origin.written} cannot be honoured: ${row.status.reason}`, `leave ${origin.written} out`),
    );
  }
}

/**
 * Loads a table's flags: environment first, the command line wins. All mistakes are collected, so that one start shows
 * all of them.
 */
export function loadFlags<Table extends FlagTable>(table: Table, input: FlagInput): FlagResult<Table> {
  const loading: Loading = { problems: [], warnings: [], values: {}, origins: new Map() };
  const fromEnvironment = checkRepeats(readEnvironment(table, input, loading), table, loading.problems);
  const unknown = unknownFlag(table);
  let hasUnknown = false;
  const split = splitWords(
    input.words,
    table,
    input.grammar,
    (name) => {
      hasUnknown = true;
      return unknown(name);
    },
    (error) => loading.problems.push(error),
  );
  const fromWords = checkRepeats(split.given, table, loading.problems);
  // The word after an unknown flag may be its value.
  if (input.grammar.words === "refuse" && split.rest.length > 0 && !hasUnknown)
    loading.problems.push(new UserError(`'${split.rest[0]}' is no flag`, "flags begin with --, see --help"));

  const given = new Map([...fromEnvironment, ...fromWords].map((one) => [one.name, one]));
  for (const [name, row] of Object.entries(table)) {
    const one = given.get(name);
    loading.values[name] = row.default;
    if (one === undefined) continue;
    if (one.usedName !== name && row.aliases.find((alias) => alias.name === one.usedName)?.kind === "renamed")
      loading.warnings.push(`Loaded deprecated flag '${one.usedName}': its name is '${name}' now`);
    loadOne(row, one, input, loading);
    applyStatus(name, row, loading);
  }
  const flags: LoadedFlags<Table> = {
    values: loading.values as FlagValues<Table>,
    origins: loading.origins,
    warnings: loading.warnings,
    rest: split.rest,
  };
  return loading.problems.length === 0 ? { ok: true, flags } : { ok: false, problems: loading.problems, flags };
}

/** All mistakes of a command line, each with its way out. */
export const problemsText = (problems: readonly UserError[]): string => problems.map(({ text }) => text).join("\n");

/** The origin of a flag that may not have been given. */
export function originOf(flags: LoadedFlags<FlagTable>, name: string): FlagOrigin {
  return flags.origins.get(name) ?? { source: "default", usedName: name, written: name, text: "" };
}
