import { readFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { create } from "@bufbuild/protobuf";
import { Agent } from "../agent/agent.ts";
import { assemble } from "../agent/assemble.ts";
import { loadAgentFlags } from "../agent/flags/load.ts";
import { agentFlags } from "../agent/flags/table.ts";
import { checkpointFiles } from "../agent/model/files.ts";
import { systemClock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { descriptorConsole, type Glog, openGlog } from "../base/glog.ts";
import type { Severity } from "../base/glog-line.ts";
import { flagsLine, shownFlags } from "../config/echo.ts";
import { usageText } from "../config/help.ts";
import { Process } from "../libprocess/process.ts";
import { AgentInfoSchema } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { parseResourceList } from "../mesos/resources-text.ts";
import { MESOS_VERSION } from "../mesos/version.ts";
import { createDetector } from "../zookeeper/detector.ts";

const program = "mesos-slave";
/** Milliseconds that writing the last checkpoints may take when the agent is told to leave. */
const LONGEST_GOODBYE = 3_000;

async function main(): Promise<void> {
  const loaded = loadAgentFlags({
    words: process.argv.slice(2),
    environment: process.env,
    readFile: (path) => readFileSync(path, "utf8"),
  });
  const { values: flags } = loaded.flags;
  if (flags.help) {
    process.stdout.write(usageText({ program, purpose: "The Mesos agent.", table: agentFlags }));
    return;
  }
  if (flags.version) {
    process.stdout.write(`mesos ${MESOS_VERSION}\n`);
    return;
  }
  if (!loaded.ok) {
    for (const problem of loaded.problems) process.stderr.write(`${problem.text}\n`);
    process.stderr.write(`\nSee \`${program} --help\`\n`);
    process.exit(1);
  }
  const glog = openGlog({
    console: descriptorConsole(2),
    folder: flags.log_dir,
    program,
    host: hostname(),
    user: userInfo().username,
    pid: process.pid,
    clock: systemClock,
    level: flags.logging_level as Severity,
    quiet: flags.quiet,
    verbosity: Number(process.env["GLOG_v"] ?? 0),
    maximumBytes: Number(process.env["GLOG_max_log_size"] ?? 10) * 1024 * 1024,
    keep: 5,
    bufferMilliseconds: flags.logbufsecs * 1000,
  });
  const log = glog.logger;
  for (const warning of loaded.flags.warnings) log.warn(warning);
  log.info(`Flags at startup: ${flagsLine(shownFlags(agentFlags, loaded.flags))}`);
  const ip = flags.ip ?? "127.0.0.1";
  const listener = await Process.start({
    id: "slave(1)",
    bind: { ip, port: flags.port },
    advertise: { ip },
    log,
    clock: systemClock,
  });
  const detector = await createDetector(flags.master ?? "", { clock: systemClock, log });
  const end = (code: number, why: string): void => {
    if (code === 0) log.info(`Ending: ${why}`);
    else log.error(why);
    glog.flush();
    process.exit(code);
  };
  const rooms = assemble({ flags, environment: process.env, architecture: process.arch, clock: systemClock, log });
  const agent = new Agent({
    ...rooms,
    flags,
    environment: process.env,
    process: listener,
    detector,
    credential: undefined,
    clock: systemClock,
    log,
    random: Math.random,
    files: checkpointFiles,
    info: create(AgentInfoSchema, {
      hostname: flags.hostname ?? hostname(),
      port: flags.port,
      checkpoint: true,
      resources: parseResourceList(flags.resources ?? "cpus:2;mem:1024;disk:10240;ports:[31000-32000]"),
    }),
    bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    isRoot: process.getuid?.() === 0,
    gc: { schedule: () => undefined, unschedule: () => undefined },
    health: () => () => undefined,
    attach: () => undefined,
    ended: end,
  });
  onSignals(agent, glog);
  await agent.start();
}

/** SIGTERM and SIGINT: let go, tasks run on. SIGUSR1: unregister, end everything. */
function onSignals(agent: Agent, glog: Glog): void {
  const leave = (signal: NodeJS.Signals): void => {
    glog.logger.info(`Received ${signal}; leaving. Tasks of frameworks that checkpoint run on`);
    const exit = (): never => {
      glog.flush();
      process.exit(0);
    };
    setTimeout(exit, LONGEST_GOODBYE).unref();
    agent.close().then(exit, exit);
  };
  process.once("SIGTERM", leave);
  process.once("SIGINT", leave);
  process.on("SIGUSR1", () => agent.shutdown("received SIGUSR1; unregistering", { unregister: true }));
  process.on("SIGHUP", () =>
    glog.logger.warn("Received SIGHUP, which has no meaning here: settings are read at the start"),
  );
}

main().catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(1);
});
