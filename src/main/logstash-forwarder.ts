// First, before anything grows, and before a HUP can end what is not loaded yet.
import "../base/small-young-space.ts";
import "../base/slow-heap-growth.ts";

import { readFileSync, writeFileSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { onHangup } from "../base/early-hangup.ts";
import { messageOf, UserError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { type Flags, helpText, parseFlags } from "../forwarder/config/flags.ts";
import { loadConfig } from "../forwarder/config/load.ts";
import { configText } from "../forwarder/config/render.ts";
import { resolveSettings } from "../forwarder/config/resolve.ts";
import { complaintAbout } from "../forwarder/lumberjack/tls-material.ts";
import type { Settings } from "../forwarder/model/settings.ts";
import { standardError } from "../forwarder/monitoring/console.ts";
import { lineLogger } from "../forwarder/monitoring/log-lines.ts";
import { toSyslog } from "../forwarder/monitoring/syslog.ts";
import { Service } from "../forwarder/service.ts";

/** Exit codes of the old program: 1 for the command line, 2 for anything else that keeps it from running. */
const USAGE = 1;
const FAULTED = 2;

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

/** False when nobody will ever read. */
function writeOut(descriptor: number, text: string | Buffer): boolean {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return false;
    }
  }
  return true;
}

function readSettings(flags: Flags, warn: (message: string) => void): Settings {
  if (flags.config === undefined) throw new UserError("no configuration is given");
  return resolveSettings(loadConfig(flags.config, process.env, warn).config, flags, process.cwd(), warn);
}

async function run(flags: Flags): Promise<number> {
  const console = standardError(systemClock);
  const toConsole = (line: string): void => console.write(line);
  const write = flags.logToSyslog ? toSyslog(toConsole) : toConsole;
  const log = lineLogger({ clock: systemClock, quiet: flags.quiet, verbosity: flags.verbose ? 1 : 0, write });
  // Node's own warnings speak of its options, and to its programmers.
  process.removeAllListeners("warning");
  process.on("warning", ({ name, message }) => log.verbose(1, `${name}: ${message}`));
  const settings = readSettings(flags, (warning) => log.warn(warning));
  let stop = (): void => undefined;
  const service = new Service({
    clock: systemClock,
    log,
    host: hostname(),
    version: packageVersion(),
    once: flags.once,
    tap: flags.tap ? (lines) => writeOut(1, lines) || stop() : undefined,
    stdin: () => process.stdin,
  });
  const stopped = new Promise<void>((resolve) => {
    // At once, also while a reload waits for an acknowledgement.
    stop = () => resolve(service.stop());
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, stop);
  });
  let changing = service.start(settings);
  onHangup(() => {
    changing = changing.then(
      () => reload(service, flags, log),
      () => undefined,
    );
  });
  await Promise.race([changing, stopped]);
  await Promise.race([service.done, stopped]);
  await service.stop();
  const { events, files } = service.outcome;
  if (flags.once && events === 0) return nothingRead(settings, files, log);
  log.info(`shipped ${events} events`);
  return 0;
}

/** A run that was to ship what there is, and shipped nothing, says why: no file at all is a fault. */
function nothingRead({ files: groups }: Settings, files: number, log: Logger): number {
  if (files > 0 || groups.some(({ paths }) => paths.includes("-"))) {
    log.info(`shipped 0 events: there is nothing new in ${files} files`);
    return 0;
  }
  log.error(
    `nothing was read: no file matches ${groups.flatMap(({ paths }) => paths).join(", ")}, or none may be read`,
  );
  return FAULTED;
}

async function reload(service: Service, flags: Flags, log: Logger): Promise<void> {
  try {
    await service.reload(readSettings(flags, (warning) => log.warn(warning)));
    log.info("the configuration is read again");
  } catch (error) {
    log.error(`the configuration is not taken over, the old one goes on: ${messageOf(error)}`);
  }
}

/** Checks everything that can be checked without a server, and prints the configuration as it will be used. */
function validate(flags: Flags): number {
  const settings = readSettings(flags, (warning) => writeOut(2, `WARNING: ${warning}\n`));
  const { tls } = settings.network;
  const complaint = tls === undefined ? undefined : complaintAbout(tls);
  if (complaint !== undefined) throw new UserError(complaint);
  if (tls?.passphrase !== undefined) writeOut(2, "the passphrase of the client key is not printed\n");
  writeOut(1, configText(settings));
  return 0;
}

async function main(): Promise<number> {
  let flags: Flags;
  try {
    flags = parseFlags(process.argv.slice(2));
    if (flags.help) writeOut(1, helpText());
    if (flags.version) writeOut(1, `logstash-forwarder ${packageVersion()}\n`);
    if (flags.help || flags.version) return 0;
    if (flags.config === undefined)
      throw new UserError("no configuration is given", "start it as logstash-forwarder -config PATH");
  } catch (error) {
    writeOut(2, `${messageOf(error)}\n`);
    return USAGE;
  }
  try {
    if (flags.validate) return validate(flags);
    const finish = flags.cpuProfile === undefined ? undefined : await profile(flags.cpuProfile);
    const code = await run(flags);
    await finish?.();
    return code;
  } catch (error) {
    writeOut(2, `${messageOf(error)}\n`);
    return FAULTED;
  }
}

void main().then((code) => process.exit(code));
