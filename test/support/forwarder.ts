/** Runs the forwarder as a process, bundled once: starting it hundreds of times must be cheap. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildAll } from "../../tools/build.ts";

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
  options: { cwd?: string; uid?: number } = {},
): Started {
  let [log, output] = ["", ""];
  const cache = join(program, "../compile-cache");
  mkdirSync(cache, { recursive: true });
  const child = spawn(process.execPath, [program, ...args], {
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
  milliseconds = 30_000,
): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`never happened: ${what}\n${seen()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
