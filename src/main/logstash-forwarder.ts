import { readFileSync, writeFileSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { sleep, systemClock } from "../base/clock.ts";
import { codeOf, messageOf, UserError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { type Flags, helpText, parseFlags } from "../forwarder/config/flags.ts";
import { loadConfig } from "../forwarder/config/load.ts";
import { resolveSettings } from "../forwarder/config/resolve.ts";
import { complaintAbout } from "../forwarder/lumberjack/tls-material.ts";
import type { Settings } from "../forwarder/model/settings.ts";
import { lineLogger } from "../forwarder/monitoring/log-lines.ts";
import { Pipeline } from "../forwarder/pipeline.ts";

/** Exit codes of the old program: 1 for the command line, 2 for anything else that keeps it from running. */
const USAGE = 1;
const FAULTED = 2;
/** Milliseconds between attempts to start on a full disk. */
const FULL_DISK_RETRY = 500;

function packageVersion(): string {
  for (const up of ["..", "../.."]) {
    try {
      const manifest = JSON.parse(readFileSync(join(import.meta.dirname, up, "package.json"), "utf8"));
      if (manifest.name === "mesos-slave") return manifest.version;
    } catch {
      // A bundle lies one folder higher than the source.
    }
  }
  return "unknown";
}

/** Lines to syslog, by the program that every system has for it. */
async function syslogWriter(): Promise<(line: string) => void> {
  const { spawn, spawnSync } = await import("node:child_process");
  if (spawnSync("logger", ["--version"]).error !== undefined)
    throw new UserError(
      "-log-to-syslog: there is no logger(1)",
      "install bsdutils or util-linux, or leave the flag out",
    );
  const logger = spawn("logger", ["-t", "logstash-forwarder", "-p", "daemon.info"], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  logger.on("error", () => undefined);
  logger.stdin.on("error", () => undefined);
  return (line) => logger.stdin.write(line);
}

/** Records what the processor does until the function that it resolves to is called. */
async function profile(path: string): Promise<() => Promise<void>> {
  const { Session } = await import("node:inspector/promises");
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.start");
  return async () => {
    const { profile: recorded } = await session.post("Profiler.stop");
    writeFileSync(path, JSON.stringify(recorded));
  };
}

function writeOut(descriptor: number, text: string | Buffer): void {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
    }
  }
}

function readSettings(flags: Flags): { settings: Settings; warnings: readonly string[] } {
  if (flags.config === undefined)
    throw new UserError("no configuration is given", "start it as logstash-forwarder -config PATH");
  const { config, warnings } = loadConfig(flags.config, process.env);
  return { settings: resolveSettings(config, flags, process.cwd()), warnings };
}

/**
 * Starts the pipeline; false when it was told to stop before it could. A full disk is waited for: nothing is lost meanwhile,
 * a restart would find it as full, and supervisord would give up.
 */
async function startOnceThereIsRoom(pipeline: Pipeline, log: Logger, isStopped: () => boolean): Promise<boolean> {
  for (let isTold = false; !isStopped(); await sleep(systemClock, FULL_DISK_RETRY)) {
    try {
      await pipeline.start();
      return true;
    } catch (error) {
      if (!(error instanceof UserError) || codeOf(error.cause) !== "ENOSPC") throw error;
      if (!isTold) log.error(`nothing is shipped until there is room: ${messageOf(error)}`);
      isTold = true;
    }
  }
  return false;
}

async function run(flags: Flags): Promise<void> {
  const { settings, warnings } = readSettings(flags);
  const write = flags.logToSyslog ? await syslogWriter() : (line: string) => writeOut(2, line);
  const log = lineLogger({ clock: systemClock, quiet: flags.quiet, verbosity: flags.verbose ? 1 : 0, write });
  for (const warning of warnings) log.warn(warning);
  const build = (using: Settings): Pipeline =>
    new Pipeline({
      settings: using,
      clock: systemClock,
      log,
      host: hostname(),
      version: packageVersion(),
      once: flags.once,
      tap: flags.tap ? (lines) => writeOut(1, lines) : undefined,
      stdin: () => process.stdin,
    });
  let [current, pipeline] = [settings, build(settings)];
  let [stopped, reload, reloading] = [false, false, false];
  let signalled: () => void = () => undefined;
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.on(signal, () => {
      stopped = true;
      // A reload may be waiting for an acknowledgement.
      if (reloading) void pipeline.stop();
      signalled();
    });
  process.on("SIGHUP", () => {
    reload = true;
    signalled();
  });
  if (flags.once) await pipeline.start();
  else if (!(await startOnceThereIsRoom(pipeline, log, () => stopped))) return;
  for (;;) {
    let done = false;
    if (!stopped && !reload) {
      const signal = new Promise<void>((resolve) => {
        signalled = resolve;
      });
      const end = pipeline.done.then(() => {
        done = true;
      });
      await Promise.race([end, signal]);
    }
    if (stopped || done) return pipeline.stop();
    // Another HUP from here on asks for another round.
    [reload, reloading] = [false, true];
    try {
      const next = readSettings(flags);
      for (const warning of next.warnings) log.warn(warning);
      // Nobody waits for a reload: what is on the wire is waited for until its server would be given up.
      await pipeline.stop(current.network.maximumWait);
      if (stopped) return;
      current = next.settings;
      pipeline = build(current);
      await pipeline.start();
      log.info("the configuration is read again");
    } catch (error) {
      log.error(`the configuration is not taken over: ${messageOf(error)}`);
    }
    reloading = false;
  }
}

async function main(): Promise<number> {
  let flags: Flags;
  try {
    flags = parseFlags(process.argv.slice(2));
    if (flags.help) writeOut(1, helpText());
    if (flags.version) writeOut(1, `${packageVersion()}\n`);
    if (flags.help || flags.version) return 0;
    if (flags.config === undefined) readSettings(flags);
  } catch (error) {
    writeOut(2, `${messageOf(error)}\n`);
    return USAGE;
  }
  try {
    if (flags.validate) {
      const { settings, warnings } = readSettings(flags);
      const { tls } = settings.network;
      const complaint = tls === undefined ? undefined : complaintAbout(tls);
      for (const warning of complaint === undefined ? warnings : [...warnings, complaint])
        writeOut(2, `WARNING: ${warning}\n`);
      writeOut(1, `${JSON.stringify(settings, null, 2)}\n`);
      return 0;
    }
    const finish = flags.cpuProfile === undefined ? undefined : await profile(flags.cpuProfile);
    await run(flags);
    await finish?.();
    return 0;
  } catch (error) {
    writeOut(2, `${messageOf(error)}\n`);
    return FAULTED;
  }
}

process.exit(await main());
