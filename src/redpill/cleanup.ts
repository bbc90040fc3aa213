import { accessSync, closeSync, constants, openSync } from "node:fs";
import type { Clock, Timer } from "../base/clock.ts";
import { codeOf, messageOf } from "../base/errors.ts";

/** After a stop the clean-up has this long (ms): supervisord waits 3 s for redpill, and Docker 10 s for everything. */
export const CLEANUP_AFTER_STOP = 2500;

export interface CleanupInput {
  readonly script: string;
  /** Made when the script starts, so that no second redpill runs it again; /init.sh removes it at boot. */
  readonly marker: string;
  readonly clock: Clock;
  readonly log: (message: string) => void;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** The clean-up script: run at most once in a container's life, never longer than its time. */
export class Cleanup {
  readonly #input: CleanupInput;
  #running: Promise<void> | undefined;
  #kill: ((why: string) => void) | undefined;
  #timer: Timer | undefined;

  constructor(input: CleanupInput) {
    this.#input = input;
  }

  /**
   * Runs the script, or joins the run under way; `limit` in milliseconds from now. A later call can shorten the time, not
   * lengthen it. Never rejects: what goes wrong is logged, because the container must end anyway.
   */
  run(limit: number, reason: string): Promise<void> {
    this.#timer?.cancel();
    this.#timer = this.#input.clock.after(limit, () => this.#kill?.(`longer than ${limit / 1000} s`));
    this.#running ??= this.#start(reason).finally(() => this.#timer?.cancel());
    return this.#running;
  }

  async #start(reason: string): Promise<void> {
    const { script, marker, log } = this.#input;
    try {
      closeSync(openSync(marker, "wx"));
    } catch (error) {
      if (codeOf(error) === "EEXIST") return log(`the clean-up script ${script} has run already`);
      log(`cannot note that the clean-up ran (${messageOf(error)}); running it`);
    }
    log(`running the clean-up script ${script}`);
    try {
      log(`the clean-up script ended with ${await this.#spawn(reason)}`);
    } catch (error) {
      log(`the clean-up script ${script} could not be run: ${messageOf(error)}`);
    }
  }

  async #spawn(reason: string): Promise<string> {
    // Loaded only now: a watchdog that never cleans up need not hold it in memory.
    const { spawn } = await import("node:child_process");
    const { script, environment, log } = this.#input;
    // In a session of its own, so that all it started can be ended with it. stdout is supervisord's protocol: both to stderr.
    const [command, words] = executable(script) ? [script, []] : ["/bin/bash", [script]];
    const child = spawn(command, words, {
      detached: true,
      stdio: ["ignore", 2, 2],
      env: { ...environment, REDPILL_REASON: reason },
    });
    this.#kill = (why) => {
      log(`the clean-up script takes ${why}: killed`);
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    };
    try {
      return await new Promise((resolve, reject) => {
        child.once("error", reject);
        child.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : signal));
      });
    } finally {
      this.#kill = undefined;
    }
  }
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
