import { readFileSync, writeSync } from "node:fs";
import { systemClock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { versionLine } from "../base/release.ts";
import { MESOS_VERSION } from "../mesos/version.ts";
import { DONE, EventParser, READY } from "../redpill/events.ts";
import { EXIT_UNREACHABLE, EXIT_USAGE, HELP, optionsOf, UsageError } from "../redpill/options.ts";
import { Redpill } from "../redpill/redpill.ts";
import { Supervisor } from "../supervisor/supervisor.ts";

const listener = process.env["REDPILL_LISTENER"] === "1";

/** As a listener its lines already begin with its name, unless that was switched off. */
const prefix = listener && process.env["SERVICE_LOG_PREFIX"] !== "disabled" ? "" : "redpill: ";

/** As a listener stdout is supervisord's protocol, so everything else goes to stderr. */
function log(message: string): void {
  writeSync(2, `${prefix}${message}\n`);
}

/** The parent is supervisord itself: it started this process as its listener. */
function isSupervisord(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("supervisord");
  } catch {
    return false;
  }
}

/** Feeds supervisord's events to redpill, one after the other, and confirms each. */
function listen(redpill: Redpill): void {
  const parser = new EventParser();
  process.stdin.on("data", (chunk: Buffer) => {
    for (const event of parser.push(chunk)) {
      redpill.event(event);
      writeSync(1, DONE + READY);
    }
  });
  // supervisord is gone, and with it whoever read our output: /init.sh cleans up, and the container ends.
  process.stdin.on("end", () => process.exit(EXIT_UNREACHABLE));
  writeSync(1, READY);
}

async function main(): Promise<number> {
  const { env } = process;
  const options = optionsOf(process.argv.slice(2), env, listener);
  if (typeof options === "string") {
    console.log(options === "help" ? HELP : versionLine("redpill", MESOS_VERSION));
    return 0;
  }
  const run = `${env["INIT_ROOT"] ?? ""}/run`;
  const url = env["SUPERVISOR_SERVER_URL"] ?? `unix://${run}/supervisor.sock`;
  if (!url.startsWith("unix://"))
    throw new UsageError(EXIT_USAGE, `SUPERVISOR_SERVER_URL=${url} is no Unix socket`, "unset it");
  const parent = process.ppid;
  const redpill = new Redpill({
    options,
    supervisor: new Supervisor(url.slice("unix://".length), systemClock),
    files: {
      verdict: `${run}/redpill.verdict`,
      cleanup: `${run}/redpill.cleanup`,
      reloading: `${run}/supervisord.reloading`,
      alive: `${run}/redpill.alive`,
    },
    clock: systemClock,
    log,
    environment: env,
    isListener: listener,
    ...(listener && isSupervisord(parent) ? { terminateSupervisor: () => process.kill(parent, "SIGTERM") } : {}),
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void redpill.stop());
  await redpill.start();
  if (listener) listen(redpill);
  return await redpill.ended;
}

try {
  process.exit(await main());
} catch (error) {
  log(messageOf(error));
  process.exit(error instanceof UsageError ? error.exitCode : 1);
}
