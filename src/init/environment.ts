import type { Environment } from "./resolve.ts";

/** A variable to set to these bytes, or to take out. */
export type Changes = ReadonlyMap<string, Buffer | undefined>;

/** Names that a POSIX shell can export. */
const EXPORTABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * What /init.sh must change in its environment `before`, so that the services see what ENVIRONMENT_INIT made (`sourced`,
 * whole; empty when nothing was sourced) and then `settings`. What stays the same is not mentioned: it is inherited as it is.
 */
export function changesOf(
  before: Environment,
  sourced: ReadonlyMap<string, Buffer>,
  settings: ReadonlyMap<string, string | undefined>,
): Changes {
  const changes = new Map<string, Buffer | undefined>();
  if (sourced.size > 0) {
    for (const name of Object.keys(before)) if (!sourced.has(name)) changes.set(name, undefined);
    for (const [name, value] of sourced) if (value.toString() !== before[name]) changes.set(name, value);
  }
  const now = (name: string): string | undefined => (changes.has(name) ? changes.get(name)?.toString() : before[name]);
  for (const [name, value] of settings) {
    if (value === now(name)) continue;
    changes.set(name, value === undefined ? undefined : Buffer.from(value));
  }
  for (const name of changes.keys()) if (!EXPORTABLE.test(name) || UNTOUCHED.has(name)) changes.delete(name);
  return changes;
}

/** The shell's own. */
const UNTOUCHED = new Set(["_", "SHLVL", "PWD", "OLDPWD", "INIT_ROOT"]);

/** Records for /init.sh: NAME=value or NAME, each closed by a zero byte. */
export function encodeChanges(changes: Changes): Buffer {
  const zero = Buffer.of(0);
  const records = [...changes].flatMap(([name, value]) =>
    value === undefined ? [Buffer.from(name), zero] : [Buffer.from(`${name}=`), value, zero],
  );
  return Buffer.concat(records);
}
