import { type Clock, sleep } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { AgentFiles } from "../client/files.ts";

export interface OutputOptions {
  readonly files: AgentFiles;
  readonly frameworkId: string;
  readonly taskId: string;
  readonly clock: Clock;
  readonly write: (name: "stdout" | "stderr", bytes: Uint8Array) => void;
  /** Told once when the output cannot be read. */
  readonly trouble: (message: string) => void;
}

/** Milliseconds between looks, while there was something and when there was nothing for long. */
const SHORTEST = 100;
const LONGEST = 1000;
/** Looks for the sandbox of a task that has ended, and readings that fail, before giving up. */
const PATIENCE = 20;

/** Follows a task's stdout and stderr through its agent, until told that the task has ended and all of it is read. */
export class Output {
  readonly #options: OutputOptions;
  readonly #offsets = { stdout: 0, stderr: 0 };
  readonly #ended = new AbortController();
  #directory: string | undefined;
  #failures = 0;

  constructor(options: OutputOptions) {
    this.#options = options;
  }

  /** The task has ended: nothing new will be written. */
  finish(): void {
    this.#ended.abort();
  }

  /** Resolves when everything up to the task's end was passed on, or cannot be. */
  async follow(): Promise<void> {
    const { clock, trouble } = this.#options;
    let wait = SHORTEST;
    for (;;) {
      // Asked before reading: what is read after the end is all there is.
      const ended = this.#ended.signal.aborted;
      let read = 0;
      try {
        read = await this.#pass();
        if (this.#directory !== undefined) this.#failures = 0;
        if (ended && read === 0 && this.#directory !== undefined) return;
        if (ended && this.#directory === undefined && ++this.#failures > PATIENCE) {
          trouble("The task's output cannot be read: its agent does not show the sandbox");
          return;
        }
      } catch (error) {
        if (++this.#failures > PATIENCE || (ended && this.#failures > PATIENCE / 4)) {
          trouble(`The task's output cannot be read: ${messageOf(error)}`);
          return;
        }
      }
      if (read > 0) {
        wait = SHORTEST;
        continue;
      }
      await sleep(clock, wait, ended ? undefined : this.#ended.signal).catch(() => undefined);
      wait = Math.min(wait * 2, LONGEST);
      if (this.#ended.signal.aborted) wait = SHORTEST;
    }
  }

  /** Reads what is new; the number of bytes. */
  async #pass(): Promise<number> {
    const { files, frameworkId, taskId, write } = this.#options;
    this.#directory ??= await files.sandbox(frameworkId, taskId);
    if (this.#directory === undefined) return 0;
    let read = 0;
    for (const name of ["stdout", "stderr"] as const) {
      const bytes = await files.read(`${this.#directory}/${name}`, this.#offsets[name]);
      if (bytes.length === 0) continue;
      this.#offsets[name] += bytes.length;
      read += bytes.length;
      write(name, bytes);
    }
    return read;
  }
}
