import { execFile } from "node:child_process";
import type { Clock } from "../../base/clock.ts";
import { TaskFailure } from "../model/failure.ts";

/** What a process needs to become a user, supplementary groups included. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

const LONGEST_ANSWER = 64 * 1024;
const TIMEOUT = 10_000;
/** Milliseconds that an answer is believed: user databases change rarely, and a launch must not pay for a process. */
const BELIEVED = 30_000;

/**
 * Parses what `getent passwd` and `id -G` say of `user`. Only a name of the database counts, exactly as it is written there:
 * both programs take a number for a user, too, and `0`, `+0` or `00` would be root.
 */
export function parseAccount(user: string, text: string): Account | undefined {
  const [entry = "", groups = ""] = text.trim().split("\n");
  const [name, , uid = "", gid = ""] = entry.split(":");
  if (name !== user || !/^\d+$/.test(uid) || !/^\d+$/.test(gid) || !/^\d+( \d+)*$/.test(groups)) return undefined;
  return { uid: Number(uid), gid: Number(gid), groups: groups.split(" ").map(Number) };
}

/** What no user of a system is called: a number, or a text that the user database would read otherwise. */
const NO_NAME = /^[+-]|^\d+$|[:/\s]|^$/;

/** Errors of starting a process that say nothing of the user. */
const EXHAUSTED = new Set<unknown>(["EAGAIN", "ENOMEM", "EMFILE", "ENFILE"]);

/** Whether no process could be started, here (`code`) or in the shell that asked (`stderr`): the node is out of something. */
export const isNodeExhausted = (code: unknown, stderr: string): boolean =>
  EXHAUSTED.has(code) || /cannot fork|resource temporarily unavailable|cannot allocate memory/i.test(stderr);

const exhausted = (user: string, why: string): TaskFailure =>
  TaskFailure.launch(
    `User '${user}' could not be looked up, because no process could be started (${why}): the node's limit of processes or memory is ` +
      "reached; raise it (docker run --pids-limit, --memory; ulimit -u)",
  );

/**
 * Asks the system's user database (NSS) through getent(1) and id(1). Rejects with a TaskFailure for a user that does not exist.
 *
 * @param attempts how often an empty answer is asked for again. Node gives one, without an error, when the program ended
 * well but this process was too busy to read its output before the timeout.
 */
function lookUpAccount(user: string, attempts = 3): Promise<Account> {
  const unknown = (why: string): TaskFailure =>
    TaskFailure.launch(
      `Failed to find user '${user}' on this agent (${why}): create it, name another user in the task, or start the agent with --no-switch_user`,
    );
  if (NO_NAME.test(user) || user.includes("\0")) return Promise.reject(unknown("it is not a name of a user"));
  return new Promise((resolve, reject) => {
    const script = 'getent passwd -- "$1" && id -G -- "$1"';
    const options = { timeout: TIMEOUT, maxBuffer: LONGEST_ANSWER, env: { LC_ALL: "C", PATH: "/usr/bin:/bin" } };
    execFile("/bin/sh", ["-c", script, "sh", user], options, (error, stdout, stderr) => {
      const identity = error === null ? parseAccount(user, stdout) : undefined;
      if (identity !== undefined) return resolve(identity);
      if (error === null && stdout === "" && attempts > 1) return resolve(lookUpAccount(user, attempts - 1));
      if (error !== null && isNodeExhausted(error.code, stderr))
        return reject(exhausted(user, stderr.trim() || error.message));
      reject(unknown(stderr.trim() || (error?.code === 2 ? "no such user" : error?.message) || "no such name"));
    });
  });
}

/** Remembers accounts for half a minute; concurrent questions for one user are one question. */
export class Accounts {
  readonly #clock: Clock;
  readonly #lookUp: (user: string) => Promise<Account>;
  readonly #known = new Map<string, { readonly since: number; readonly identity: Promise<Account> }>();

  constructor(clock: Clock, lookUp: (user: string) => Promise<Account> = (user) => lookUpAccount(user)) {
    this.#clock = clock;
    this.#lookUp = lookUp;
  }

  of(user: string): Promise<Account> {
    const now = this.#clock.monotonic();
    for (const [name, entry] of this.#known) if (now - entry.since >= BELIEVED) this.#known.delete(name);
    const known = this.#known.get(user);
    if (known !== undefined) return known.identity;
    const identity = this.#lookUp(user);
    this.#known.set(user, { since: now, identity });
    identity.catch(() => this.#known.delete(user));
    return identity;
  }
}
