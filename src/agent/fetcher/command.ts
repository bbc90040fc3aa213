import { spawn } from "node:child_process";
import { messageOf } from "../../base/errors.ts";

/** Whose rights a program gets; undefined: the agent's own. */
export interface FetchUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

export interface CommandOptions {
  readonly user: FetchUser | undefined;
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly signal: AbortSignal;
  /** Milliseconds; 0 without limit. */
  readonly timeout?: number;
  /** Gets what the program writes, piece by piece; throwing ends the program and becomes the outcome. */
  readonly output?: (piece: string) => void;
}

/** Characters of the program's last words that an error has. */
const LONGEST_REASON = 500;

/** argv with the switch of user before it: setpriv(1) of util-linux, so that the kernel checks every access. */
export function asUser(user: FetchUser | undefined, argv: readonly string[]): readonly string[] {
  if (user === undefined) return argv;
  const groups = user.groups.length === 0 ? "--clear-groups" : `--groups=${user.groups.join(",")}`;
  return ["setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`, groups, "--", ...argv];
}

/**
 * Runs a program to its end, however much it writes: nothing but its last words is kept. Rejects with an Error that has
 * them, with the signal's reason, or with what `output` threw.
 */
export function runCommand(argv: readonly string[], options: CommandOptions): Promise<void> {
  const [file = "", ...rest] = asUser(options.user, argv);
  const { environment, cwd, signal, timeout = 0, output } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(file, rest, {
      cwd,
      signal,
      timeout,
      killSignal: "SIGKILL",
      stdio: ["ignore", output === undefined ? "ignore" : "pipe", "pipe"],
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
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (signal.aborted) reject(signal.reason);
      else if (error.code === "ENOENT") {
        reject(new Error(`the program '${file}' is not installed on this agent`, { cause: error }));
      } else reject(new Error(`'${argv[0]}' could not be run: ${messageOf(error)}`, { cause: error }));
    });
    child.on("close", (code, ended) => {
      if (code === 0) return resolve();
      const end = ended === null ? `exited with status ${code}` : `was ended by ${ended}`;
      const last = words.trim().slice(-LONGEST_REASON);
      reject(new Error(`'${argv[0]}' ${end}${last === "" ? "" : `: ${last}`}`));
    });
  });
}
