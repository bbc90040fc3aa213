import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { buildAll } from "../../tools/build.ts";

const program = resolve(import.meta.dirname, "../../src/main/mesos-slave.ts");

/** The agent as it is shipped, which starts in a third of the time that its sources take; returns its path. */
export async function bundleAgent(folder: string): Promise<string> {
  const out = join(folder, "dist");
  await buildAll(out, { sourcemap: false, only: ["mesos-slave"] });
  return join(out, "mesos-slave.js");
}

interface StartOptions {
  readonly ip?: string;
  readonly port?: number;
  /** A descriptor of ours that stays open in the agent. */
  readonly inherited?: number | undefined;
}

/** A real agent in a process of its own, in folders of its own, that can be killed and started again. */
export class AgentProcess {
  readonly folder: string;
  readonly port: number;
  readonly logFile: string;
  readonly #master: string;
  readonly #flags: readonly string[];
  readonly #nodeFlags: readonly string[];
  readonly #environment: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;

  constructor(options: {
    master: string;
    port: number;
    flags?: readonly string[];
    nodeFlags?: readonly string[];
    program?: string;
    environment?: NodeJS.ProcessEnv;
  }) {
    this.folder = mkdtempSync(join(tmpdir(), "agent-"));
    this.port = options.port;
    this.#master = options.master;
    this.#flags = options.flags ?? [];
    this.#nodeFlags = options.nodeFlags ?? [];
    this.#environment = options.environment ?? {};
    this.logFile = join(this.folder, "agent.log");
    this.#program = options.program ?? program;
  }

  readonly #program: string;

  get workDir(): string {
    return join(this.folder, "work");
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get log(): string {
    return readFileSync(this.logFile, "utf8");
  }

  start(more: readonly string[] = [], { ip = "127.0.0.1", port = this.port, inherited }: StartOptions = {}): void {
    const output = openSync(this.logFile, "a");
    this.#child = spawn(
      process.execPath,
      [
        // As skel/opt/mesos-slave/run starts it.
        "--disable-warning=ExperimentalWarning",
        "--max-semi-space-size=4",
        ...(process.env["AGENT_NODE_FLAGS"]?.split(" ") ?? []),
        ...this.#nodeFlags,
        this.#program,
        `--master=${this.#master}`,
        `--ip=${ip}`,
        "--hostname=127.0.0.1",
        `--port=${port}`,
        `--work_dir=${this.workDir}`,
        `--runtime_dir=${join(this.folder, "run")}`,
        "--registration_backoff_factor=50ms",
        ...this.#flags,
        ...more,
      ],
      {
        stdio: ["ignore", output, output, ...(inherited === undefined ? [] : [inherited])],
        env: {
          PATH: process.env["PATH"],
          MALLOC_ARENA_MAX: process.env["MALLOC_ARENA_MAX"] ?? "2",
          ...this.#environment,
        },
      },
    );
    closeSync(output);
  }

  /** Ends the agent; its tasks run on. Resolves to its exit code, undefined when a signal ended it. */
  async end(signal: NodeJS.Signals = "SIGKILL"): Promise<number | undefined> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null)
      return child?.exitCode ?? undefined;
    const ended = new Promise<number | undefined>((done) => child.once("exit", (code) => done(code ?? undefined)));
    child.kill(signal);
    return await ended;
  }

  get hasExited(): boolean {
    return this.#child !== undefined && this.#child.exitCode !== null;
  }

  async exited(): Promise<number | undefined> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return child?.exitCode ?? undefined;
    return await new Promise((done) => child.once("exit", (code) => done(code ?? undefined)));
  }

  /** Ends agent and tasks, removes the folders. */
  async destroy(): Promise<void> {
    await this.leave();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Ends agent and tasks; the folders stay. */
  async leave(): Promise<void> {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill(process.env["AGENT_NODE_FLAGS"] === undefined ? "SIGUSR1" : "SIGTERM");
      // Killed it would leave its tasks to the tests that follow.
      const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
      await this.exited();
      clearTimeout(timer);
    }
  }
}
