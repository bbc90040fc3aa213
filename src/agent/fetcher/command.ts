import { spawn } from "node:child_process";
import { pipeline, type Readable } from "node:stream";
import { messageOf } from "../../base/errors.ts";

export interface CommandOptions {
  readonly environment: Readonly<Record<string, string>>;
  /** Where the program stands. */
  readonly folder: string;
  readonly signal?: AbortSignal;
  /** Milliseconds; 0 without limit. */
  readonly timeout?: number;
  /** Gets what the program writes, piece by piece; throwing ends the program and becomes the outcome. */
  readonly output?: (piece: string) => void;
  /** What the program reads; nothing, unless given. When it breaks, that is the outcome. */
  readonly input?: Readable | undefined;
  /** A descriptor that the program gets as its number 3. */
  readonly descriptor?: number | undefined;
}

/** Characters of the program's last words that an error has. */
const LONGEST_REASON = 500;

/**
 * Runs a program to its end, however much it writes: nothing but its last words is kept.
 * Rejects with an Error that has them, with the signal's reason, or with what `output` threw.
 */
export function runCommand(argv: readonly string[], options: CommandOptions): Promise<void> {
  const [file = "", ...rest] = argv;
  const { environment, folder, signal, timeout = 0, output, input, descriptor } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(file, rest, {
      ...(signal !== undefined && { signal }),
      cwd: folder,
      timeout,
      killSignal: "SIGKILL",
      stdio: [
        input === undefined ? "ignore" : "pipe",
        output === undefined ? "ignore" : "pipe",
        "pipe",
        ...(descriptor === undefined ? [] : [descriptor]),
      ],
      env: { ...environment, LC_ALL: "C.UTF-8" },
    });
    let words = "";
    child.stderr?.setEncoding("utf8").on("data", (piece: string) => {
      words = (words + piece).slice(-2 * LONGEST_REASON);
    });
    child.stdout?.setEncoding("utf8").on("data", (piece: string) => {
      try {
        output?.(piece);
      } catch (error) {
        child.stdout?.destroy();
        child.kill("SIGKILL");
        reject(error);
      }
    });
    if (input !== undefined && child.stdin !== null) {
      pipeline(input, child.stdin, (error) => {
        // A program that has read enough closes its end: its own end says whether that was well.
        if (!error || error.code === "EPIPE" || error.code === "ERR_STREAM_PREMATURE_CLOSE") return;
        child.kill("SIGKILL");
        reject(error);
      });
    }
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (signal?.aborted) reject(signal.reason);
      else if (error.code === "ENOENT") {
        reject(new Error(`the program '${file}' is not installed on this agent`, { cause: error }));
      } else reject(new Error(`'${file}' could not be run: ${messageOf(error)}`, { cause: error }));
    });
    child.on("close", (code, ended) => {
      if (code === 0) return resolve();
      const end = ended === null ? `exited with status ${code}` : `was ended by ${ended}`;
      const last = words.trim().slice(-LONGEST_REASON);
      reject(new Error(`'${file}' ${end}${last === "" ? "" : `: ${last}`}`));
    });
  });
}
