import type { FlagTable } from "./flag.ts";
import type { LoadedFlags } from "./parse.ts";

/**
 * Every flag that has a value and means something here, by the name that was used, printed as Mesos prints it and
 * with secrets masked; sorted by name. What `/flags`, `/state` and the start-up line show.
 */
export function shownFlags<Table extends FlagTable>(
  table: Table,
  flags: LoadedFlags<Table>,
): ReadonlyMap<string, string> {
  const shown: [string, string][] = [];
  for (const [name, row] of Object.entries(table)) {
    const value = flags.values[name];
    const origin = flags.origins.get(name);
    if (value === undefined || (origin === undefined && row.status.kind !== "supported")) continue;
    const misspelt = row.aliases.some((alias) => alias.name === origin?.usedName && alias.kind === "misspelt");
    const printed = row.kind.reads === "as given" && origin ? origin.text : row.kind.print(value as never);
    shown.push([misspelt ? name : (origin?.usedName ?? name), row.mask ? row.mask(printed) : printed]);
  }
  return new Map(shown.sort(([left], [right]) => (left < right ? -1 : 1)));
}

/** `--name="value"` joined by spaces, as the agent's `Flags at startup:` line has them. Line breaks become spaces. */
export function flagsLine(shown: ReadonlyMap<string, string>): string {
  return [...shown].map(([name, value]) => `--${name}="${value.replaceAll(/\s*\n\s*/g, " ")}"`).join(" ");
}
