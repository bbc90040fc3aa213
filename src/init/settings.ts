import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { localAddress } from "./address.ts";
import type { KnownVariables } from "./known-variables.ts";
import { textOf } from "./machine.ts";
import { type Environment, type Resolution, resolve } from "./resolve.ts";
import { isFile, type Sourcing, sourceFile } from "./source.ts";

export interface Settings {
  readonly resolution: Resolution;
  /** The whole environment that ENVIRONMENT_INIT left, byte for byte; empty when nothing was sourced. */
  readonly raw: ReadonlyMap<string, Buffer>;
}

/** The settings as `before` gives them, ENVIRONMENT_INIT sourced first. Throws a UserError for a file that ended its shell. */
export async function readSettings(before: Environment, known: KnownVariables, sourcing: Sourcing): Promise<Settings> {
  const initFile = before["ENVIRONMENT_INIT"];
  const warnings: string[] = [];
  let raw: ReadonlyMap<string, Buffer> = new Map();
  let environment = before;
  let sourced: Set<string> | undefined;
  if (initFile && isFile(initFile)) {
    const result = await sourceFile(before, sourcing);
    raw = result.variables;
    warnings.push(...result.warnings);
    environment = Object.fromEntries([...raw].map(([name, value]) => [name, value.toString()]));
    sourced = new Set(Object.keys(environment).filter((name) => environment[name] !== before[name]));
  } else if (initFile) warnings.push(`ENVIRONMENT_INIT=${initFile} is not a file: going on without it`);
  const resolution = resolve({
    environment,
    ...(sourced ? { sourced } : {}),
    root: before["INIT_ROOT"] ?? "",
    readFile: (path) => readFileSync(path, "utf8"),
    localAddress: (master) => localAddress(networkInterfaces(), textOf("/proc/net/route"), master),
    ...known,
  });
  return { resolution: { ...resolution, warnings: [...warnings, ...resolution.warnings] }, raw };
}
