import { execFile } from "node:child_process";

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
}

const LONGEST_OUTPUT = 256 * 1024;
const LONGEST_REASON = 500;

/** argv with the switch of user before it: setpriv(1) of util-linux, so that the kernel checks every access. */
export function asUser(user: FetchUser | undefined, argv: readonly string[]): readonly string[] {
  if (user === undefined) return argv;
  const groups = user.groups.length === 0 ? "--clear-groups" : `--groups=${user.groups.join(",")}`;
  return ["setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`, groups, "--", ...argv];
}

/** Runs a program to its end. Rejects with an Error that has the program's own last words. */
export function runCommand(argv: readonly string[], options: CommandOptions): Promise<string> {
  const [file = "", ...rest] = asUser(options.user, argv);
  return new Promise((resolve, reject) => {
    const { environment, cwd, signal, timeout = 0 } = options;
    const settings = { cwd, signal, timeout, maxBuffer: LONGEST_OUTPUT, killSignal: "SIGKILL" as const };
    execFile(file, rest, { ...settings, env: { ...environment, LC_ALL: "C.UTF-8" } }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      if (signal.aborted) return reject(signal.reason);
      if (error.code === "ENOENT") {
        return reject(new Error(`the program '${file}' is not installed on this agent`, { cause: error }));
      }
      const words = stderr.trim().slice(-LONGEST_REASON) || error.message;
      const end = error.signal ? `was ended by ${error.signal}` : `exited with status ${error.code}`;
      reject(new Error(`'${argv[0]}' ${end}: ${words}`, { cause: error }));
    });
  });
}
