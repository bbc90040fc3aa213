import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, join } from "node:path";
import { agentFlags } from "../agent/flags/table.ts";
import { type AgentNode, startAgent } from "../agent/node.ts";
import { loadAgentFlags } from "../agent/settings/load.ts";
import { systemClock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { descriptorConsole, type Glog, openGlog } from "../base/glog.ts";
import type { Severity } from "../base/glog-line.ts";
import { glogSettings } from "../base/glog-settings.ts";
import { HeapPace, ownHeap } from "../base/heap-pace.ts";
import { versionLine } from "../base/release.ts";
import { userName } from "../base/user-name.ts";
import { commandMeant, USAGE } from "../cli/commands.ts";
import { flagsLine, shownFlags } from "../config/echo.ts";
import { usageText } from "../config/help.ts";
import { DEFAULT_MASTER_PORT, portOf } from "../init/start/ports.ts";
import { readTlsSettings } from "../libprocess/tls-settings.ts";
import { LocalMaster } from "../local-master/local-master.ts";
import { MESOS_VERSION } from "../mesos/version.ts";

const program = "mesos-slave";
const PURPOSE =
  "The Mesos agent. Commands for running tasks (tasks, logs, exec, attach, top, drain): mesos-slave help.";
/** Milliseconds until the agent leaves for good; supervisord waits 3 s before it kills. */
const LONGEST_GOODBYE = 2_700;
/** As it is written in a checkout, as it was built beside a built program. */
const UI = join(import.meta.dirname, basename(import.meta.dirname) === "main" ? "../../ui" : "ui");

const readText = (path: string): string => readFileSync(path, "utf8");

function fail(glog: Glog | undefined, error: unknown): never {
  if (glog === undefined) process.stderr.write(`${messageOf(error)}\n`);
  else glog.logger.error(messageOf(error));
  glog?.close();
  process.exit(1);
}

function load(): Extract<ReturnType<typeof loadAgentFlags>, { ok: true }>["flags"] {
  const loaded = loadAgentFlags({ words: process.argv.slice(2), environment: process.env, readFile: readText });
  const { values } = loaded.flags;
  if (values.help) {
    process.stdout.write(usageText({ program, purpose: PURPOSE, table: agentFlags }));
    process.exit(0);
  }
  if (values.version) {
    process.stdout.write(`${versionLine(program, MESOS_VERSION)}\n`);
    process.exit(0);
  }
  const command = commandMeant(process.argv[2]);
  if (command !== undefined) {
    process.stderr.write(`'${process.argv[2]}' is not a command\n  Fix: did you mean ${program} ${command}?\n`);
    process.exit(USAGE);
  }
  if (!loaded.ok) {
    for (const problem of loaded.problems) process.stderr.write(`${problem.text}\n`);
    process.stderr.write(`\nSee \`${program} --help\`\n`);
    process.exit(1);
  }
  return loaded.flags;
}

function openLog(flags: ReturnType<typeof load>): Glog {
  const settings = glogSettings(process.env);
  const { values } = flags;
  const glog = openGlog({
    console: descriptorConsole(2),
    folder: values.log_dir,
    program,
    host: hostname(),
    user: userName() ?? String(process.getuid?.()),
    pid: process.pid,
    clock: systemClock,
    level: values.logging_level as Severity,
    quiet: values.quiet,
    verbosity: settings.verbosity,
    maximumBytes: settings.maximumBytes,
    keep: 5,
    bufferMilliseconds: values.logbufsecs * 1000,
  });
  const log = glog.logger.named("logging.cpp");
  log.info(`${values.logging_level} level logging started!`);
  for (const warning of [...settings.warnings, ...flags.warnings]) log.warn(warning);
  const main = glog.logger.named("main.cpp");
  main.info(`Version: ${MESOS_VERSION}`);
  main.info(versionLine(program, MESOS_VERSION));
  main.info(`Flags at startup: ${flagsLine(shownFlags(agentFlags, flags))}`);
  return glog;
}

interface Running {
  readonly node: AgentNode;
  readonly master: LocalMaster | undefined;
}

/**
 * SIGTERM and SIGINT: let go, tasks run on. SIGUSR1: unregister, end everything; before the agent is up it is remembered
 * (Node by itself would open its inspector). Call the returned function once it is up.
 */
function onSignals(log: () => Glog | undefined): (running: Running) => void {
  let running: Running | undefined;
  let unregisters = false;
  const exit = (): never => {
    log()?.close();
    process.exit(0);
  };
  const leave = (signal: NodeJS.Signals): void => {
    log()?.logger.info(`Received ${signal}; leaving. Tasks of frameworks that checkpoint run on`);
    if (running === undefined) return exit();
    setTimeout(exit, LONGEST_GOODBYE).unref();
    const { node, master } = running;
    // The embedded master forgets its tasks: nobody would ever ask for them again.
    const left = node.close({ everything: master !== undefined }).finally(() => master?.stop());
    left.then(exit, exit);
  };
  const unregister = (): void => {
    unregisters = true;
    running?.node.agent.shutdown("received SIGUSR1; unregistering", { unregister: true });
  };
  process.once("SIGTERM", leave);
  process.once("SIGINT", leave);
  process.on("SIGUSR1", unregister);
  process.on("SIGHUP", () => {
    log()?.logger.info(
      "Received SIGHUP: reading the rules, the passwords and the credential again; other settings are read at the start",
    );
    running?.node.reload();
  });
  return (up) => {
    running = up;
    if (unregisters) unregister();
  };
}

/** `--master=local`: a master in this process, on the address that the agent is given and on MESOS_MASTER_PORT. */
async function embeddedMaster(flags: ReturnType<typeof load>, glog: Glog): Promise<LocalMaster> {
  const ip = flags.values.ip ?? "127.0.0.1";
  const master = new LocalMaster({
    ip,
    port: portOf("MESOS_MASTER_PORT", process.env["MESOS_MASTER_PORT"], DEFAULT_MASTER_PORT),
    log: glog.logger.named("master"),
    verbosity: glog,
    ...(flags.values.log_dir !== undefined && {
      logFile: join(flags.values.log_dir, `${program}.${flags.values.logging_level}`),
    }),
    clock: systemClock,
  });
  await master.start();
  return master;
}

/**
 * In the container, where the HEALTHCHECK is to ask: flags of the agent's command say more than its variables. Not an error when it
 * cannot be written, as /run belongs to the container.
 */
function tellHealthCheck(flags: ReturnType<typeof load>, { address }: AgentNode): void {
  const root = process.env["INIT_ROOT"];
  if (root === undefined) return;
  const { ip, ip_discovery_command: discovery, port } = flags.values;
  const everywhere = ip === "0.0.0.0" || (ip === undefined && discovery === undefined);
  const host = everywhere ? "127.0.0.1" : (ip ?? address.ip);
  const scheme = readTlsSettings(process.env) === undefined ? "http" : "tls";
  try {
    const file = join(root, "/run/agent");
    writeFileSync(`${file}.new`, `${host}\n${port || address.port}\n${scheme}\n`);
    renameSync(`${file}.new`, file);
  } catch {
    // The check asks where init expects the agent.
  }
}

/**
 * What no handler has caught is a defect. It concerns one request, message or file, and the agent stands for all tasks of
 * a machine: it is written down and the agent goes on. Ending would not help: what a peer has sent once it sends again,
 * at every start. Before the agent is up, there is nothing to go on with.
 */
function containDefects(log: () => Glog | undefined): () => void {
  let isUp = false;
  const contain = (error: unknown): void => {
    const glog = log();
    if (!isUp || glog === undefined) fail(glog, error);
    const where = error instanceof Error ? (error.stack ?? error.message) : String(error);
    glog.logger.error(`A defect of the agent, please report it: ${where.split("\n").slice(0, 6).join(" | ")}`);
  };
  process.on("uncaughtException", contain);
  process.on("unhandledRejection", contain);
  return () => {
    isUp = true;
  };
}

async function main(): Promise<void> {
  const flags = load();
  let glog: Glog | undefined;
  const isUp = onSignals(() => glog);
  const isContained = containDefects(() => glog);
  glog = openLog(flags);
  try {
    const master = flags.values.master === "local" ? await embeddedMaster(flags, glog) : undefined;
    const node = await startAgent({
      flags,
      environment: process.env,
      architecture: process.arch,
      pid: process.pid,
      isRoot: process.getuid?.() === 0,
      program,
      glog,
      clock: systemClock,
      ui: UI,
      ...(master !== undefined && { master: master.url.replace("http://", "") }),
      ended: (code, why) => {
        if (code === 0) glog.logger.info(`Ending: ${why}`);
        else glog.logger.error(why);
        glog.close();
        process.exit(code);
      },
    });
    isContained();
    tellHealthCheck(flags, node);
    isUp({ node, master });
    new HeapPace(systemClock, ownHeap());
  } catch (error) {
    fail(glog, error);
  }
}

main().catch((error: unknown) => fail(undefined, error));
