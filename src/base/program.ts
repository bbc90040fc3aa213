import { spawn } from "node:child_process";

/** How a program ended. */
export interface ProgramEnd {
  /** undefined when a signal ended it. */
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  /** What it wrote to stderr, from the beginning; at most LONGEST_WORDS characters. */
  readonly words: string;
}

const LONGEST_WORDS = 64 * 1024;

/**
 * Runs a program of the system to its end. However much it has to say, it is not ended for that: what is over the limit
 * is read and dropped. `descriptors` become 3, 4, …; its standard input and output are closed.
 *
 * @param timeout milliseconds, then SIGKILL
 * @returns rejects with the system's error when it cannot be started
 */
export function runProgram(
  file: string,
  argv: readonly string[],
  timeout: number,
  descriptors: readonly number[] = [],
): Promise<ProgramEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, argv, {
      stdio: ["ignore", "ignore", "pipe", ...descriptors],
      env: { LC_ALL: "C", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
      timeout,
      killSignal: "SIGKILL",
    });
    let words = "";
    child.stderr?.setEncoding("utf8").on("data", (piece: string) => {
      if (words.length < LONGEST_WORDS) words = (words + piece).slice(0, LONGEST_WORDS);
    });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined, words }));
  });
}
