import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";

/** `npm start` (or what it runs), until its block is on the screen. */
export class StartedNode {
  readonly #child: ChildProcess;
  readonly #cwd: string;
  readonly #environment: NodeJS.ProcessEnv;
  /** All that the screen shows so far. */
  output = "";

  private constructor(command: readonly [string, ...string[]], cwd: string, environment: NodeJS.ProcessEnv) {
    this.#cwd = cwd;
    this.#environment = environment;
    const [program, ...words] = command;
    // In a group of its own, which a terminal's Ctrl-C would reach as a whole.
    this.#child = spawn(program, words, { cwd, env: environment, stdio: ["ignore", "pipe", "pipe"], detached: true });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        this.output += chunk.toString();
      });
  }

  /** Rejects with all that was said when it ends before it is up. */
  static async start(
    cwd: string,
    environment: NodeJS.ProcessEnv,
    command: readonly [string, ...string[]] = ["node", "tools/run.cjs", "tools/start.ts"],
  ): Promise<StartedNode> {
    const node = new StartedNode(command, cwd, environment);
    const child = node.#child;
    await new Promise<void>((done, reject) => {
      child.once("error", reject);
      child.once("exit", () => reject(new Error(`it ended:\n${node.output}`)));
      for (const stream of [child.stdout, child.stderr])
        stream?.on("data", () => {
          if (/^Ctrl-C stops everything\.$/m.test(node.output)) done();
        });
    });
    return node;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** The line to try, word for word. */
  get line(): string {
    return /^ *(bin\/mesos-execute .*)$/m.exec(this.output)?.[1] ?? "no line to try";
  }

  /** Runs a line of a shell where the node was started; what it wrote and how it ended. */
  run(line: string): { stdout: string; status: number | null } {
    const { stdout, stderr, status } = spawnSync("sh", ["-c", line], {
      cwd: this.#cwd,
      env: this.#environment,
      encoding: "utf8",
      timeout: 60_000,
    });
    return { stdout: stdout + stderr, status };
  }

  /** As the kernel ends it when memory is short: it can do nothing about its node. */
  async kill(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  /** Nobody reads the screen any more: `| head`, a terminal that is gone. */
  closeScreen(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  /** Ctrl-C in its terminal; the exit code. */
  async interrupt(): Promise<number | null> {
    if (this.hasEnded) return this.#child.exitCode;
    const ended = once(this.#child, "exit");
    process.kill(-(this.#child.pid ?? 0), "SIGINT");
    return (await ended)[0];
  }
}
