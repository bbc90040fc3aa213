import { accessSync, constants, readdirSync, readFileSync, statSync, writeSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { agentFlags, agentVariables } from "../agent/flags/table.ts";
import { systemClock } from "../base/clock.ts";
import { messageOf, UserError } from "../base/errors.ts";
import { versionLine } from "../base/release.ts";
import { switchesOf } from "../config/switches.ts";
import { localAddress } from "../init/address.ts";
import { bootBlock } from "../init/boot-block.ts";
import { dryRunJson, dryRunText } from "../init/dry-run.ts";
import { changesOf, encodeChanges } from "../init/environment.ts";
import { libprocessVariables, variablesOfFlags } from "../init/known-variables.ts";
import { pathsBelow } from "../init/paths.ts";
import { type Plan, planOf } from "../init/plan.ts";
import { type Environment, type Resolution, resolve } from "../init/resolve.ts";
import { isFile, sourceFile } from "../init/source.ts";
import { accountOf, carryOut, passwdText } from "../init/write.ts";
import { MESOS_VERSION } from "../mesos/version.ts";

const HELP = `init: settings from the environment, supervisord's configuration from the settings.

  --boot      Write the configuration and hand the settings to /init.sh over descriptor 3 (what /init.sh does).
  --dry-run   Print every setting with its origin, secrets masked, and the files that would be written. Writes nothing.
  --check     Print what would not work; exit code 1 if there is any.
  --json      --dry-run and --check as JSON.
  --help      This text.
  --version   The version.
docs/variables.md lists the variables.`;

/** Exit codes: 0, 1 for settings that cannot work, 64 for a misused command line. */
const BAD_SETTINGS = 1;
const BAD_USAGE = 64;

interface Resolved {
  readonly resolution: Resolution;
  readonly plan: Plan;
  readonly raw: ReadonlyMap<string, Buffer>;
}

function readConfiguration(path: string): { path: string; text: string }[] {
  const file = (each: string) => ({ path: each, text: readFileSync(each, "utf8") });
  if (!statSync(path).isDirectory()) return [file(path)];
  const names = readdirSync(path).filter((name) => !name.startsWith("."));
  return names.sort().map((name) => file(join(path, name)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function routeTable(): string {
  try {
    return readFileSync("/proc/net/route", "utf8");
  } catch {
    return "";
  }
}

async function resolveAll(): Promise<Resolved> {
  const before: Environment = process.env;
  const root = before["INIT_ROOT"] ?? "";
  const paths = pathsBelow(root);
  const initFile = before["ENVIRONMENT_INIT"];
  const warnings: string[] = [];
  let raw: ReadonlyMap<string, Buffer> = new Map();
  let environment = before;
  let sourced: Set<string> | undefined;
  if (initFile && isFile(initFile)) {
    const sourcing = await sourceFile(before, systemClock, (message) => console.error(`[Init][Waiting] ${message}`));
    raw = sourcing.variables;
    if (sourcing.status !== 0)
      warnings.push(`ENVIRONMENT_INIT=${initFile} ended with status ${sourcing.status}: are all its settings there?`);
    environment = Object.fromEntries([...raw].map(([name, value]) => [name, value.toString()]));
    sourced = new Set(Object.keys(environment).filter((name) => environment[name] !== before[name]));
  } else if (initFile) warnings.push(`ENVIRONMENT_INIT=${initFile} is not a file: going on without it`);
  const resolution = resolve({
    environment,
    ...(sourced ? { sourced } : {}),
    root,
    readFile: (path) => readFileSync(path, "utf8"),
    localAddress: (master) => localAddress(networkInterfaces(), routeTable(), master),
    ...variablesOfFlags("MESOS_", agentFlags, [...agentVariables, ...libprocessVariables]),
  });
  const passwd = passwdText();
  const plan = planOf(resolution, paths, {
    isRoot: process.getuid?.() === 0,
    userExists: (name) => accountOf(passwd, name) !== undefined,
    readConfiguration,
    isExecutable,
  });
  const all = [...warnings, ...plan.warnings];
  return { resolution: { ...resolution, warnings: all }, plan: { ...plan, warnings: all }, raw };
}

/** The settings, to /init.sh: half of them must not pass for all. */
function handOver(settings: Buffer): void {
  try {
    for (let written = 0; written < settings.length; ) written += writeSync(3, settings, written);
  } catch (error) {
    throw new UserError(`cannot hand the settings over in /run: ${messageOf(error)}`, "give /run some room (1 MB)");
  }
}

function boot({ resolution, plan, raw }: Resolved): void {
  const passwd = passwdText();
  const now = Date.now();
  const late: string[] = [];
  carryOut(plan, {
    isRoot: process.getuid?.() === 0,
    account: (name) => accountOf(passwd, name),
    warn: (message) => late.push(message),
  });
  const shown = { ...resolution, warnings: [...resolution.warnings, ...plan.missing, ...late] };
  writeSync(1, `${bootBlock(shown, plan.services, now).join("\n")}\n`);
  handOver(encodeChanges(changesOf(process.env, raw, plan.environment)));
}

async function main(flags: readonly string[]): Promise<number> {
  const { on, problem } = switchesOf(flags, ["boot", "dry-run", "check", "json"]);
  if (on.has("help") || on.has("version") || flags.length === 0) {
    console.log(on.has("version") ? versionLine("init", MESOS_VERSION) : HELP);
    return 0;
  }
  if (problem !== undefined) {
    console.error(`init: ${problem}`);
    return BAD_USAGE;
  }
  const resolved = await resolveAll();
  const { plan, resolution } = resolved;
  if (on.has("boot")) {
    for (const error of plan.errors) console.error(`[Init][Error] ${error.text}`);
    if (plan.errors.length > 0) return BAD_SETTINGS;
    boot(resolved);
    return 0;
  }
  if (on.has("json")) console.log(JSON.stringify(dryRunJson(resolution, plan), null, 2));
  else console.log(dryRunText(resolution, plan, { files: on.has("dry-run") }));
  return plan.errors.length + plan.missing.length > 0 ? BAD_SETTINGS : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`[Init][Error] ${messageOf(error)}`);
  if (!(error instanceof UserError)) console.error(error);
  process.exitCode = BAD_SETTINGS;
}
