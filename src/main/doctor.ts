import { existsSync } from "node:fs";
import { agentFlags, agentVariables } from "../agent/flags/table.ts";
import { systemClock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { versionLine } from "../base/release.ts";
import { defaultOf, usageText } from "../config/help.ts";
import { loadFlags } from "../config/parse.ts";
import { unixGrammar } from "../config/words.ts";
import { engineEndpoint } from "../docker/endpoint.ts";
import { HttpEngine } from "../docker/http-engine.ts";
import { readOwnContainerId } from "../docker/own-container.ts";
import { examine, report } from "../init/doctor/doctor.ts";
import type { Finding } from "../init/doctor/finding.ts";
import { complaintsAboutAgent } from "../init/findings.ts";
import { doctorFlags } from "../init/flags.ts";
import { planForwarder } from "../init/forwarder-plan.ts";
import { libprocessVariables, variablesOfFlags } from "../init/known-variables.ts";
import { lookAt } from "../init/look.ts";
import { pathsBelow } from "../init/paths.ts";
import { type Machine, type Plan, planOf } from "../init/plan.ts";
import type { Environment, Resolution } from "../init/resolve.ts";
import { readSettings } from "../init/settings.ts";
import { MESOS_VERSION } from "../mesos/version.ts";

const PURPOSE =
  "Whether a node can run here. Each line is ok, a warning or a failure, with what to do. Settings are the agent's: MESOS_* " +
  "variables, or its flags behind this command (--master=…). Exit code 1 when there is a failure.";

/** doctor's own flags first: --help is about it, not about the agent. */
const table = { ...agentFlags, ...doctorFlags };

/** Whether the forwarder, the watchdog and supervisord are around the agent here: the image, or `npm start`. */
const hasServices = (root: string): boolean => existsSync(`${root}/init.sh`);

interface Settled {
  readonly resolution: Resolution;
  readonly machine: Machine;
  readonly plan: Plan | undefined;
  readonly setting: (name: string) => string | undefined;
}

async function settle(before: Environment, signal: AbortSignal): Promise<Settled> {
  const known = variablesOfFlags("MESOS_", agentFlags, [...agentVariables, ...libprocessVariables]);
  const warn = (message: string): void => console.error(message);
  const root = before["INIT_ROOT"] ?? "";
  const { resolution } = await readSettings(before, known, { clock: systemClock, warn, signal });
  const paths = pathsBelow(root);
  const machine = await lookAt(resolution, paths, process.getuid?.() ?? 0, known.otherVariables);
  if (hasServices(root))
    return {
      resolution,
      machine,
      plan: planOf(resolution, paths, machine),
      setting: (name) => resolution.environmentValue(name) || undefined,
    };
  // The agent alone: its own defaults, not the image's.
  const setting = (name: string): string | undefined => {
    const row = Object.entries(agentFlags).find(([flag]) => `MESOS_${flag.toUpperCase()}` === name)?.[1];
    return before[name] || (row === undefined ? undefined : defaultOf(row));
  };
  return { resolution, machine, plan: undefined, setting };
}

/** What is to be said about the settings themselves. */
function settingFindings({ resolution, plan, machine }: Settled): Finding[] {
  const complaints =
    plan === undefined
      ? complaintsAboutAgent({
          resolution,
          services: [],
          own: { instead: new Map(), names: [], stopWaits: new Map() },
          facts: machine.facts,
        })
      : [
          ...plan.warnings.map((text) => ({ weight: "warning", text })),
          ...plan.missing.map((text) => ({ weight: "missing", text })),
        ];
  const warnings = plan === undefined ? resolution.warnings : [];
  return [
    ...(plan?.errors ?? resolution.errors).map(
      ({ message, fix }): Finding => ({
        check: "settings",
        status: "failure",
        detail: message,
        ...(fix ? { fix } : {}),
      }),
    ),
    ...warnings.map((detail): Finding => ({ check: "settings", status: "warning", detail })),
    ...complaints.map(
      ({ weight, text }): Finding => ({
        check: "settings",
        status: weight === "missing" ? "failure" : "warning",
        detail: text,
      }),
    ),
  ];
}

/** As PID 1 of a container nothing ends this process that it does not hear itself. */
function endOnSignals(): AbortSignal {
  const ending = new AbortController();
  for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGQUIT: 131 }))
    process.on(signal, () => {
      ending.abort();
      process.exit(code);
    });
  return ending.signal;
}

async function main(words: readonly string[]): Promise<number> {
  const signal = endOnSignals();
  const { flags, ...loaded } = loadFlags(table, { words, grammar: unixGrammar, readFile: String });
  const { values, origins } = flags;
  if (values.version) console.log(versionLine("doctor", MESOS_VERSION));
  else if (values.help) console.log(usageText({ program: "doctor", purpose: PURPOSE, table: doctorFlags }));
  if (values.version || values.help) return 0;
  if ("problems" in loaded) {
    for (const problem of loaded.problems) console.error(`doctor: ${problem.text}`);
    return 64;
  }
  const given = [...origins]
    .filter(([name]) => !(name in doctorFlags))
    .map(([name, { text }]) => [`MESOS_${name.toUpperCase()}`, text]);
  const before: Environment = { ...process.env, ...Object.fromEntries(given) };
  const settled = await settle(before, signal);
  const { setting, machine, plan } = settled;
  const endpoint = engineEndpoint(setting);
  const engine = new HttpEngine(endpoint, systemClock, { quick: 5000, slow: 10_000 });
  const root = before["INIT_ROOT"] ?? "";
  const found = [
    ...settingFindings(settled),
    ...(await examine({
      setting,
      clock: systemClock,
      engine,
      containerId: machine.facts.isContainer ? await readOwnContainerId() : undefined,
      isRoot: machine.isRoot,
      root,
      facts: machine.facts,
      hasServices: plan !== undefined,
      forwarderFiles: planForwarder(settled.resolution, pathsBelow(root), machine.readConfiguration).files,
    })),
  ];
  await engine.close();
  const failed = found.some(({ status }) => status === "failure");
  console.log(values.json ? JSON.stringify({ ok: !failed, findings: found }, null, 2) : report(found));
  return failed ? 1 : 0;
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  console.error(`doctor: ${messageOf(error)}`);
  process.exit(1);
}
