import { writeSync } from "node:fs";
import { agentFlags, agentVariables } from "../agent/flags/table.ts";
import { systemClock } from "../base/clock.ts";
import { messageOf, UserError } from "../base/errors.ts";
import { versionLine } from "../base/release.ts";
import { usageText } from "../config/help.ts";
import { loadFlags } from "../config/parse.ts";
import { unixGrammar } from "../config/words.ts";
import { bootBlock } from "../init/boot-block.ts";
import { dryRunJson, dryRunText } from "../init/dry-run.ts";
import { changesOf, encodeChanges } from "../init/environment.ts";
import { initFlags } from "../init/flags.ts";
import { libprocessVariables, variablesOfFlags } from "../init/known-variables.ts";
import { lookAt } from "../init/look.ts";
import { pathsBelow } from "../init/paths.ts";
import { type Plan, planOf } from "../init/plan.ts";
import type { Resolution } from "../init/resolve.ts";
import { readSettings } from "../init/settings.ts";
import { accountOf, carryOut, passwdText } from "../init/write.ts";
import { MESOS_VERSION } from "../mesos/version.ts";

const PURPOSE =
  "Settings from the environment, supervisord's configuration from the settings. docs/variables.md lists the variables.";

/** Exit codes: 0, 1 for settings that cannot work, 64 for a misused command line, 128 and the signal's number when ended by one. */
const BAD_SETTINGS = 1;
const BAD_USAGE = 64;
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGQUIT: 131 } as const;

interface Resolved {
  readonly resolution: Resolution;
  readonly plan: Plan;
  readonly raw: ReadonlyMap<string, Buffer>;
}

/** As PID 1 of a container nothing ends this process that it does not hear itself. */
function endOnSignals(): AbortSignal {
  const ending = new AbortController();
  for (const [signal, code] of Object.entries(SIGNALS))
    process.on(signal, () => {
      // What sources ENVIRONMENT_INIT goes with it.
      ending.abort();
      process.exit(code);
    });
  return ending.signal;
}

async function resolveAll(signal: AbortSignal): Promise<Resolved> {
  const known = variablesOfFlags("MESOS_", agentFlags, [...agentVariables, ...libprocessVariables]);
  const warn = (message: string): void => console.error(`[Init][Waiting] ${message}`);
  const { resolution, raw } = await readSettings(process.env, known, { clock: systemClock, warn, signal });
  const paths = pathsBelow(process.env["INIT_ROOT"] ?? "");
  const plan = planOf(
    resolution,
    paths,
    await lookAt(resolution, paths, process.getuid?.() ?? 0, known.otherVariables),
  );
  return { resolution, plan, raw };
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
  const shown = { ...resolution, warnings: [...plan.warnings, ...plan.missing, ...late] };
  writeSync(1, `${bootBlock(shown, plan.services, now).join("\n")}\n`);
  handOver(encodeChanges(changesOf(process.env, raw, plan.environment)));
}

async function main(words: readonly string[]): Promise<number> {
  const signal = endOnSignals();
  const { ok, flags, ...loaded } = loadFlags(initFlags, { words, grammar: unixGrammar, readFile: String });
  const { values } = flags;
  if (values.version) console.log(versionLine("init", MESOS_VERSION));
  else if (values.help || words.length === 0)
    console.log(usageText({ program: "init", purpose: PURPOSE, table: initFlags }));
  if (values.version || values.help || words.length === 0) return 0;
  if (!ok && "problems" in loaded) {
    for (const problem of loaded.problems) console.error(`init: ${problem.text}`);
    return BAD_USAGE;
  }
  const resolved = await resolveAll(signal);
  const { plan, resolution } = resolved;
  if (values.boot) {
    for (const error of plan.errors) console.error(`[Init][Error] ${error.text}`);
    if (plan.errors.length > 0) return BAD_SETTINGS;
    boot(resolved);
    return 0;
  }
  if (values.json) console.log(JSON.stringify(dryRunJson(resolution, plan), null, 2));
  else console.log(dryRunText(resolution, plan, { files: values["dry-run"] }));
  return plan.errors.length + plan.missing.length > 0 ? BAD_SETTINGS : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`[Init][Error] ${messageOf(error)}`);
  if (!(error instanceof UserError)) console.error(error);
  process.exitCode = BAD_SETTINGS;
}
