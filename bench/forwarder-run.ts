/** One run of a forwarder over one file, to a receiver that does as little as it may (forwarder-sink.ts), over TLS on loopback. */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { statFields } from "../src/base/process-stat.ts";
import { makeCertificate } from "./certificate.ts";

/** A run in which nothing arrives for so many milliseconds has failed. */
const STALL = 60_000;

/** Processes that are ours, ended with us. */
export const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

/** Asks a process to end, and waits until it has: until then it writes to its folder. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}

/** User and system time of a process so far in milliseconds, and its largest resident size in MB. Throws when it is gone. */
export function usage(pid: number): { cpu: number; peak: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = statFields(stat);
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return { cpu: (Number(fields[11]) + Number(fields[12])) * 10, peak: Number(peak) / 1024 };
}

export interface Throughput {
  /** Events a second, from the first to the last. */
  readonly rate: number;
  /** The same while windows are full: without the last one, which either program fills in vain for a while. */
  readonly full: number;
  /** Microseconds of processor an event, of the forwarder and of the receiver; megabytes at most. */
  readonly each: number;
  readonly receiver: number;
  readonly peak: number;
}

export interface Run {
  /** Where it may write. */
  readonly folder: string;
  /** The file that is shipped. */
  readonly log: string;
  /** Version of the protocol. */
  readonly protocol: number;
  readonly command: readonly string[];
  readonly lines: number;
  /** The program is the Go original: it keeps its positions where it is started, and knows none of our settings. */
  readonly original?: boolean;
}

interface Arrived {
  readonly events: number;
  readonly cpu: NodeJS.CpuUsage;
}

/** The receiver: its port, and what has arrived when it is asked, which rejects once it is gone. */
async function receiver(tls: { cert: string; key: string }) {
  const sink = fork(join(import.meta.dirname, "forwarder-sink.ts"), [tls.cert, tls.key]);
  children.add(sink);
  let fail: (error: Error) => void = () => undefined;
  const gone = new Promise<never>((_, reject) => {
    fail = reject;
  });
  gone.catch(() => undefined);
  sink.once("exit", (code, signal) => fail(new Error(`the receiver ended with ${signal ?? code}`)));
  sink.once("error", fail);
  const answer = <T>() =>
    Promise.race([gone, new Promise<T>((resolve) => sink.once("message", (message) => resolve(message as T)))]);
  const { port } = await answer<{ port: number }>();
  const ask = (): Promise<Arrived> => {
    const arrived = answer<Arrived>();
    sink.send("ask", (error) => error && fail(error));
    return arrived;
  };
  return { port, ask, close: () => sink.connected && sink.disconnect() };
}

function configure({ folder, log, protocol, original }: Run, port: number, ca: string): string {
  const cwd = mkdtempSync(join(folder, "run-"));
  const network = { servers: [`localhost:${port}`], "ssl ca": ca, timeout: 15 };
  const files = [{ paths: [log], fields: { type: "mesos-slave", app_name: "bench", environment: "production" } }];
  const ours = {
    network: { ...network, "protocol version": protocol },
    registry: { path: join(cwd, "registry.json") },
  };
  writeFileSync(join(cwd, "config.json"), JSON.stringify({ network, files, ...(original !== true && ours) }));
  return cwd;
}

/** Ships all lines of the log. Rejects when the program ends before, or when nothing arrives any more. */
export async function throughputOf(run: Run): Promise<Throughput> {
  const tls = makeCertificate(run.folder);
  const { port, ask, close } = await receiver(tls);
  const cwd = configure(run, port, tls.cert);
  const [program = "", ...args] = run.command;
  const child = spawn(program, [...args, "-quiet", "-config", join(cwd, "config.json")], {
    cwd,
    stdio: ["ignore", "inherit", "inherit"],
  });
  children.add(child);
  let end: string | undefined;
  const ended = new Promise<void>((resolve) => {
    const over = (how: string): void => {
      end = how;
      resolve();
    };
    child.once("exit", (code, signal) => over(`ended with ${signal ?? code}`));
    child.once("error", (error) => over(error.message));
  });
  try {
    return await follow(run, ask, () => (end === undefined ? usage(child.pid ?? 0) : end));
  } finally {
    child.kill("SIGTERM");
    await ended;
    close();
  }
}

/** Events of a full window, of either program. */
const WINDOW = 2048;

/** `use`: what the program has used so far, or how it ended. */
async function follow(
  { lines }: Run,
  ask: () => Promise<Arrived>,
  use: () => ReturnType<typeof usage> | string,
): Promise<Throughput> {
  let [first, last, seen] = [0, performance.now(), 0];
  let full: number | undefined;
  let state = await ask();
  let used = { cpu: 0, peak: 0 };
  while (state.events < lines) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const before = state.events;
    state = await ask();
    if (first === 0 && state.events > 0) [first, seen] = [performance.now(), state.events];
    const now = use();
    const arrived = `after ${state.events} of ${lines} lines`;
    if (typeof now === "string" && state.events < lines) throw new Error(`it ${now} ${arrived}`);
    if (typeof now !== "string") used = now;
    if (state.events > before) last = performance.now();
    if (state.events >= lines - WINDOW) full ??= (state.events - seen) / ((last - first) / 1000);
    if (performance.now() - last > STALL) throw new Error(`nothing came for ${STALL / 1000} s, ${arrived}`);
  }
  return {
    rate: (state.events - seen) / ((last - first) / 1000),
    full: full ?? Number.NaN,
    each: (used.cpu * 1000) / state.events,
    receiver: (state.cpu.user + state.cpu.system) / state.events,
    peak: used.peak,
  };
}
