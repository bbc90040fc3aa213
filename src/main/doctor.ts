import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { agentFlags, agentVariables } from "../agent/flags/table.ts";
import { systemClock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { versionLine } from "../base/release.ts";
import { switchesOf } from "../config/switches.ts";
import { engineEndpoint } from "../docker/endpoint.ts";
import { HttpEngine } from "../docker/http-engine.ts";
import { readOwnContainerId } from "../docker/own-container.ts";
import { localAddress } from "../init/address.ts";
import { examine, report } from "../init/doctor/doctor.ts";
import type { Finding } from "../init/doctor/finding.ts";
import { libprocessVariables, variablesOfFlags } from "../init/known-variables.ts";
import { type Environment, resolve } from "../init/resolve.ts";
import { isFile, sourceFile } from "../init/source.ts";
import { MESOS_VERSION } from "../mesos/version.ts";

const HELP = `doctor: whether a node can run here. Each line is ok, a warning or a failure, with what to do.

  --json      The findings as JSON.
  --help      This text.
  --version   The version.
Exit code 0, or 1 when there is a failure. Settings come from the environment, as init resolves them.`;

async function resolvedSettings() {
  const before: Environment = process.env;
  const file = before["ENVIRONMENT_INIT"];
  const environment: Environment =
    file && isFile(file)
      ? Object.fromEntries(
          [...(await sourceFile(before, systemClock, (message) => console.error(message))).variables].map(
            ([name, value]) => [name, value.toString()],
          ),
        )
      : before;
  return resolve({
    environment,
    root: before["INIT_ROOT"] ?? "",
    readFile: (path) => readFileSync(path, "utf8"),
    localAddress: (master) => localAddress(networkInterfaces(), "", master),
    ...variablesOfFlags("MESOS_", agentFlags, [...agentVariables, ...libprocessVariables]),
  });
}

async function main(words: readonly string[]): Promise<number> {
  const { on, problem } = switchesOf(words, ["json"]);
  if (on.has("help") || on.has("version")) {
    console.log(on.has("version") ? versionLine("doctor", MESOS_VERSION) : HELP);
    return 0;
  }
  if (problem !== undefined) {
    console.error(`doctor: ${problem}`);
    return 64;
  }
  const resolution = await resolvedSettings();
  const setting = (name: string): string | undefined => resolution.environmentValue(name) || undefined;
  const endpoint = engineEndpoint({
    socket: setting("MESOS_DOCKER_SOCKET"),
    dockerHost: setting("DOCKER_HOST"),
    certPath: setting("DOCKER_CERT_PATH"),
    tlsVerify: setting("DOCKER_TLS_VERIFY") !== undefined,
  });
  const engine = new HttpEngine(endpoint, systemClock, { quick: 5000, slow: 10_000 });
  const settings: Finding[] = [
    ...resolution.errors.map(
      ({ message, fix }): Finding => ({
        check: "settings",
        status: "failure",
        detail: message,
        ...(fix ? { fix } : {}),
      }),
    ),
    ...resolution.warnings.map((detail): Finding => ({ check: "settings", status: "warning", detail })),
  ];
  const containerId = await readOwnContainerId();
  const isRoot = process.getuid?.() === 0;
  const root = process.env["INIT_ROOT"] ?? "";
  const found = [...settings, ...(await examine({ setting, clock: systemClock, engine, containerId, isRoot, root }))];
  await engine.close();
  const failed = found.some(({ status }) => status === "failure");
  console.log(on.has("json") ? JSON.stringify({ ok: !failed, findings: found }, null, 2) : report(found));
  return failed ? 1 : 0;
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  console.error(`doctor: ${messageOf(error)}`);
  process.exit(1);
}
