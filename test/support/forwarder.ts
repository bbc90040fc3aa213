/** Runs the forwarder as a process, bundled once: starting it hundreds of times must be cheap. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll } from "vitest";
import { buildAll } from "../../tools/build.ts";
import { LumberjackReceiver, type ReceiverOptions } from "./lumberjack-receiver.ts";

/** The program as it is shipped; returns its path. */
export async function bundleForwarder(folder: string): Promise<string> {
  const out = join(folder, "dist");
  await buildAll(out, { sourcemap: false, only: ["logstash-forwarder"] });
  return join(out, "logstash-forwarder.js");
}

/** A folder of its own, below `parent` (default: the system's). */
export function scratch(name: string, parent = tmpdir()): { path: string; remove(): void } {
  const path = mkdtempSync(join(parent, `forwarder-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export interface Started {
  readonly process: ChildProcess;
  readonly exit: Promise<number | NodeJS.Signals>;
  /** What it logged so far. */
  log(): string;
  output(): string;
}

export function startForwarder(
  program: string,
  args: readonly string[],
  { nofile, ...options }: { cwd?: string; uid?: number; nofile?: number } = {},
): Started {
  // Node raises the soft limit to the hard one: both are set.
  const [command = "", ...before] =
    nofile === undefined ? [process.execPath] : ["prlimit", `--nofile=${nofile}:${nofile}`, process.execPath];
  let [log, output] = ["", ""];
  const cache = join(program, "../compile-cache");
  mkdirSync(cache, { recursive: true });
  const child = spawn(command, [...before, program, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
    ...options,
  });
  child.stdin.on("error", () => undefined);
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    log += chunk.toString();
  });
  const exit = new Promise<number | NodeJS.Signals>((resolve) =>
    child.on("close", (code, signal) => resolve(signal ?? code ?? -1)),
  );
  return { process: child, exit, log: () => log, output: () => output };
}

/** Writes a configuration and returns its path. */
export function writeConfig(folder: string, config: object): string {
  const path = join(folder, "forwarder.json");
  writeFileSync(path, JSON.stringify(config, null, 2));
  return path;
}

/** Resolves when `condition` holds; rejects with `what` and what `seen` says after `milliseconds`. */
export async function until(
  condition: () => boolean,
  what: string,
  seen: () => string = () => "",
  milliseconds = 60_000,
): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`never happened: ${what}\n${seen()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Sections of a configuration that a test gives itself; `file` is the one entry of `files`. */
export interface Sections {
  readonly network?: object;
  readonly file?: object;
  readonly shipping?: object;
  readonly more?: object;
}

/** A configuration that follows `*.log` in `folder`, without TLS and quick to retry; returns its path. */
export function configure(folder: string, ports: number[], { network, file, shipping, more }: Sections = {}): string {
  return writeConfig(folder, {
    network: {
      servers: ports.map((port) => `localhost:${port}`),
      "ssl enabled": false,
      "backoff initial": "20ms",
      "backoff maximum": "50ms",
      // A receiver of ours answers as late as a busy machine lets it: a window is not to be sent again for that.
      timeout: 60,
      ...network,
    },
    shipping: { "flush time": "10ms", ...shipping },
    reading: { "scan interval": "200ms" },
    registry: { path: join(folder, "registry.json") },
    files: [{ paths: [join(folder, "*.log")], ...file }],
    ...more,
  });
}

export const linesOf = (receiver: LumberjackReceiver): string[] => receiver.events.map(({ line }) => line);

export const numbered = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `line ${from + index}`);

export const textOf = (lines: string[]): string => lines.map((line) => `${line}\n`).join("");

export interface ForwarderSuite {
  /** Parent of all places. */
  readonly path: string;
  /** The bundled program. */
  readonly program: () => string;
  /** A new folder. */
  place(): string;
  receive(options?: ReceiverOptions): Promise<LumberjackReceiver>;
  start(config: string, args?: string[], options?: { cwd?: string; uid?: number }): Started;
}

/** What the tests of one file share. Programs and receivers that a test started are ended after it. */
export function forwarderSuite(name: string): ForwarderSuite {
  const work = scratch(name);
  const running: Started[] = [];
  const receivers: LumberjackReceiver[] = [];
  let program = "";
  let places = 0;
  beforeAll(async () => {
    program = await bundleForwarder(work.path);
  });
  afterAll(() => work.remove());
  afterEach(async () => {
    for (const { process } of running.splice(0)) process.kill("SIGKILL");
    for (const receiver of receivers.splice(0)) await receiver.close();
  });
  return {
    path: work.path,
    program: () => program,
    place() {
      const folder = join(work.path, `t${places++}`);
      mkdirSync(folder);
      return folder;
    },
    async receive(options = {}) {
      const receiver = await new LumberjackReceiver(options).listen();
      receivers.push(receiver);
      return receiver;
    },
    start(config, args = [], options = {}) {
      const started = startForwarder(program, ["-config", config, ...args], options);
      running.push(started);
      return started;
    },
  };
}
