import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

/** A program of src/main in a process of its own. */
export class Program {
  readonly child: ChildProcess;
  output = "";

  constructor(name: string, words: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    this.child = spawn(process.execPath, [join(root, "src/main", `${name}.ts`), ...words], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...environment },
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        this.output += chunk.toString("utf8");
      });
  }

  /** Resolves when the output holds `text`; rejects when the program ends before. */
  async printed(text: string): Promise<void> {
    while (!this.output.includes(text)) {
      if (this.child.exitCode !== null) throw new Error(`it ended without printing '${text}':\n${this.output}`);
      await Promise.race([
        this.child.stdout === null ? undefined : once(this.child.stdout, "data"),
        this.child.stderr === null ? undefined : once(this.child.stderr, "data"),
        once(this.child, "exit"),
      ]);
    }
  }

  /** Its exit code, once it has ended. */
  async ended(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, "close");
    return this.child.exitCode;
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill(signal);
      await once(this.child, "exit");
    }
  }
}
