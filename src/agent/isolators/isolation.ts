import { messageOf, UserError } from "../../base/errors.ts";
import { TaskFailure } from "../model/failure.ts";
import type { Isolation, Isolator } from "../model/isolation.ts";
import type { IsolationContext } from "./context.ts";
import { type IsolatorRow, isolators } from "./table.ts";

/**
 * The rows that `--isolation` names, aliases resolved; their order does not matter. Throws a UserError for names that
 * contradict each other or that nobody knows.
 */
export function selectIsolators(names: readonly string[]): ReadonlyMap<string, IsolatorRow> {
  const row = (name: string): IsolatorRow => {
    const found = Object.hasOwn(isolators, name) ? isolators[name] : undefined;
    if (found === undefined) throw new UserError(`Unknown or unsupported isolator: ${name}`);
    return found;
  };
  const selected = new Map(names.flatMap((name) => row(name).means ?? [name]).map((name) => [name, row(name)]));
  for (const [name, { excludes }] of selected) {
    if (excludes === undefined || !selected.has(excludes)) continue;
    throw new UserError(`--isolation names both ${name} and ${excludes}`, "name one of them");
  }
  return selected;
}

/** Opens what the rows open, each once. */
function openIsolators(selected: ReadonlyMap<string, IsolatorRow>, context: IsolationContext): Isolator[] {
  const names = new Set(selected.keys());
  const openers = new Set([...selected.values()].flatMap(({ open }) => open ?? []));
  return [...openers].map((open) => open(context, names));
}

/**
 * The isolators that `--isolation` names, as one. Throws a UserError when one is unknown, or control groups are asked
 * for and cannot be had.
 */
export function createIsolation(names: readonly string[], context: IsolationContext): Isolation {
  const selected = selectIsolators(names);
  return combine(selected, openIsolators(selected, context));
}

/** What was opened for the selected rows, as one isolation. */
export function combine(selected: ReadonlyMap<string, IsolatorRow>, all: readonly Isolator[]): Isolation {
  const enforces = (what: "cpus" | "mem"): boolean =>
    [...selected.values()].some((row) => row.enforces === what) &&
    all.every((isolator) => isolator.holds?.(what) ?? true);
  const confinement: Isolation["confinement"] = (id) => ({
    controlGroups: all.flatMap((isolator) => isolator.members?.(id) ?? []),
    ownGroup: all.map((isolator) => isolator.ownGroup?.(id)).find((found) => found !== undefined),
  });
  return {
    enforces: { cpus: enforces("cpus"), mem: enforces("mem") },
    async prepare(spec, limited) {
      try {
        for (const isolator of all) await isolator.prepare(spec, limited);
      } catch (error) {
        throw TaskFailure.launch(`Failed to isolate the container: ${messageOf(error)}`, { cause: error });
      }
      return confinement(spec.containerId);
    },
    async recover(container, limited) {
      for (const isolator of all) await isolator.recover(container, limited);
    },
    async update(containerId, resources, limits) {
      for (const isolator of all) await isolator.update(containerId, resources, limits);
    },
    async limitMemory(containerId, bytes) {
      const held = await Promise.all(
        all.map(async (isolator) => (await isolator.limitMemory?.(containerId, bytes)) ?? false),
      );
      return held.includes(true);
    },
    confinement,
    usage: async (id) => Object.assign({}, ...(await Promise.all(all.map((isolator) => isolator.usage(id))))),
    *figures() {
      for (const isolator of all) yield* isolator.figures?.() ?? [];
    },
    status: () => undefined,
    limitation: (id) => all.map((isolator) => isolator.limitation?.(id)).find((found) => found !== undefined),
    async cleanup(containerId) {
      await Promise.all(all.toReversed().map(async (isolator) => isolator.cleanup(containerId)));
    },
    async sweep(containerIds) {
      await Promise.all(all.map((isolator) => isolator.sweep?.(containerIds)));
    },
    async close() {
      for (const isolator of all) isolator.close();
    },
  };
}
