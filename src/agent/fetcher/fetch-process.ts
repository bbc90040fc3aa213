import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { messageOf } from "../../base/errors.ts";
import type { FetchNews, FetchOrder, FetchOutcome } from "./order.ts";

export interface FetchProcessOptions {
  /** Shown in process lists. */
  readonly containerId: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly progress: (news: FetchNews) => void;
  /** The sandbox's stdout and stderr, the sandbox itself, then what the cache has: in the order of `order.ts`. */
  readonly descriptors: {
    readonly stdout: number;
    readonly stderr: number;
    readonly sandbox: number;
    readonly cached: readonly number[];
  };
}

/** The program beside this one: in a checkout its source, in the package its bundle. */
const FETCH_PROGRAM = import.meta.filename.endsWith(".ts")
  ? join(import.meta.dirname, "../../main/mesos-fetcher.ts")
  : join(import.meta.dirname, "mesos-fetcher.js");

/** Characters of an answer; more is none. */
const LONGEST_ANSWER = 64 * 1024;

/**
 * Has a process of its own carry out `order`, as the task's user, in a session of its own. Rejects with the signal's
 * reason when that comes first; then everything of the fetch was killed. A process that ends without an answer has failed.
 */
export function fetchInProcess(order: FetchOrder, options: FetchProcessOptions): Promise<FetchOutcome> {
  const { containerId, environment, signal, descriptors, progress } = options;
  const { stdout, stderr, sandbox, cached } = descriptors;
  signal.throwIfAborted();
  const child = spawn(process.execPath, ["--no-warnings", FETCH_PROGRAM, containerId], {
    detached: true,
    cwd: "/",
    env: environment,
    stdio: ["pipe", stdout, stderr, "pipe", sandbox, ...cached],
  });
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      endSession(child);
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    let rest = "";
    let outcome: FetchOutcome | undefined;
    const lines = child.stdio[3] as Readable;
    lines.setEncoding("utf8").on("data", (piece: string) => {
      const whole = wholeLines(rest, piece);
      rest = whole.rest;
      for (const line of whole.lines) {
        const said = parseLine(line);
        if (said?.kind === "progress") progress(said);
        else outcome ??= said;
      }
    });
    // Its end says more than a broken pipe.
    child.stdin?.on("error", () => undefined);
    child.stdin?.write(`${JSON.stringify(order)}\n`);
    child.on("error", (error) => {
      signal.removeEventListener("abort", abort);
      reject(new Error(`the fetch process could not be started: ${messageOf(error)}`, { cause: error }));
    });
    child.on("close", (code, ended) => {
      signal.removeEventListener("abort", abort);
      if (outcome !== undefined) return resolve(outcome);
      const how = ended === null ? `exited with status ${code}` : `was ended by ${ended}`;
      reject(new Error(`the fetch process ${how} without an answer`));
    });
  });
}

/**
 * The lines that a piece completes, and the one that it begins. However many news one piece has, none is lost, the answer
 * behind them least of all; of a line without an end only so much is kept.
 */
export function wholeLines(rest: string, piece: string): { readonly lines: readonly string[]; readonly rest: string } {
  const lines = (rest + piece).split("\n");
  return { rest: (lines.pop() ?? "").slice(0, LONGEST_ANSWER), lines };
}

/** A whole line of the process; undefined for one that is none of ours. */
function parseLine(line: string): FetchOutcome | FetchNews | undefined {
  try {
    const said = JSON.parse(line) as FetchOutcome | FetchNews;
    return ["done", "failed", "progress"].includes(said.kind) ? said : undefined;
  } catch {
    return undefined;
  }
}

/** Kills the process with the programs that it runs. */
function endSession({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}
