import type { FlagKind } from "./kinds.ts";

/** What this program does with a flag that Mesos' documentation has. */
export type FlagStatus =
  | { readonly kind: "supported" }
  /** Accepted; a value other than the default is answered by a warning with this reason. */
  | { readonly kind: "ignored"; readonly reason: string }
  /** A value other than the default ends the program with this reason: ignoring it would break a promise. */
  | { readonly kind: "refused"; readonly reason: string };

export interface FlagAlias {
  readonly name: string;
  /**
   * `renamed`: the flag's name in other releases of Mesos, taken everywhere; `/flags` shows the name that was used.
   * `misspelt`: a slip that published run commands contain, taken in the environment only, with a warning.
   */
  readonly kind: "renamed" | "misspelt";
}

export interface FlagRow<T> {
  /** One sentence or two for --help and the documentation. */
  readonly summary: string;
  /** The Mesos release that brought the flag, when later than 0.23. */
  readonly since?: string;
  /** The last Mesos release that had it. */
  readonly until?: string;
  readonly status?: FlagStatus;
  readonly aliases?: readonly FlagAlias[];
  /** One letter for `-x`, where the grammar has them. */
  readonly short?: string;
  /** What may be shown of a printed value that holds secrets. */
  readonly mask?: (printed: string) => string;
  /** Shown as the default in help and documentation when it is computed at start. */
  readonly defaultText?: string;
  readonly default?: T | undefined;
  /** Placeholder in --help; VALUE when absent. */
  readonly placeholder?: string;
}

/** A row of a flag table. `V` is the type of its value: T, or T | undefined when there is no default. */
export interface Flag<V> extends Omit<FlagRow<NonNullable<V>>, "default"> {
  readonly kind: FlagKind<NonNullable<V>>;
  readonly default: V;
  readonly status: FlagStatus;
  readonly aliases: readonly FlagAlias[];
}

/** Flags by name; the name is Mesos' own, in snake case. */
export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

export type FlagValues<Table extends FlagTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Flag<infer V> ? V : never;
};

/** A part of a table under one heading. */
export interface FlagGroup {
  readonly title: string;
  readonly flags: FlagTable;
}

const SUPPORTED: FlagStatus = { kind: "supported" };

export function flag<T>(kind: FlagKind<T>, row: FlagRow<T> & { readonly default: T & {} }): Flag<T & {}>;
export function flag<T>(kind: FlagKind<T>, row: FlagRow<T> & { readonly default?: undefined }): Flag<T | undefined>;
export function flag<T>(kind: FlagKind<T>, row: FlagRow<T>): Flag<T | undefined> {
  return {
    ...row,
    kind: kind as FlagKind<NonNullable<T>>,
    status: row.status ?? SUPPORTED,
    aliases: row.aliases ?? [],
    default: row.default,
  } as Flag<T | undefined>;
}

export const ignored = (reason: string): FlagStatus => ({ kind: "ignored", reason });
export const refused = (reason: string): FlagStatus => ({ kind: "refused", reason });
export const renamedFrom = (...names: string[]): FlagAlias[] => names.map((name) => ({ name, kind: "renamed" }));
export const misspeltAs = (...names: string[]): FlagAlias[] => names.map((name) => ({ name, kind: "misspelt" }));

/** Checks that no two rows share a name or an alias, and keeps the exact type. */
export function defineFlags<const Table extends FlagTable>(table: Table): Table {
  const seen = new Set<string>();
  for (const [name, row] of Object.entries(table)) {
    for (const each of [name, ...row.aliases.map((alias) => alias.name)]) {
      if (seen.has(each)) throw new Error(`flag '${each}' is in the table twice`);
      seen.add(each);
    }
  }
  return table;
}

/** Everything is a secret. */
export const hideAll = (): string => "********";

/** Hides the password of `scheme://user:password@host`, of every URL in the text. */
export function hideUrlPassword(printed: string): string {
  return printed.replaceAll(/([a-z][a-z0-9+.-]*:\/\/[^/\s:@]*):\S*@/gi, "$1:********@");
}

/** Keeps the names and hides the values of a JSON object of strings. */
export function hideJsonValues(printed: string): string {
  try {
    const names = Object.keys(JSON.parse(printed) as object);
    return JSON.stringify(Object.fromEntries(names.map((name) => [name, hideAll()])));
  } catch {
    return hideAll();
  }
}
