import { type ChildProcess, spawn } from "node:child_process";
import { Backoff } from "../../../base/backoff.ts";
import type { Clock, Timer } from "../../../base/clock.ts";
import { messageOf, UserError } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import { describeWaitStatus } from "../../model/wait-status.ts";
import { launcherProgram } from "./launcher-script.ts";
import { type Answer, type ProcessRequest, parseAnswer, runFrame, startFrame } from "./request.ts";

/** What the launcher says of a started container. */
export interface Started {
  readonly shim: number;
  /** Start time of the shim in clock ticks since boot. */
  readonly since: string;
  readonly pid: number;
}

/** The process could not be started; nothing of it runs. */
export class NotStarted extends Error {
  readonly errno: number;

  constructor(errno: number, message: string) {
    super(message);
    this.name = "NotStarted";
    this.errno = errno;
  }
}

export interface LauncherOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Path or name of perl; default `perl`. */
  readonly perl?: string | undefined;
  /** PATH of the launcher, to find perl by. */
  readonly path?: string | undefined;
  /** Node's name of the architecture. */
  readonly architecture: string;
  /** Shown in process lists. */
  readonly mark: string;
  /** Path of the named pipe that is open while launches are under way. */
  readonly launching: string;
  /** What the container's folder already says, asked before a launch is repeated. */
  readonly already: (id: string) => Started | undefined;
  readonly shimLost: (id: string, status: number) => void;
  /** Resolves when no process holds the pipe `launching` open any more. */
  readonly quiet: () => Promise<unknown>;
}

interface Pending {
  readonly frame: Buffer;
  readonly kind: "start" | "run";
  /** The launcher that has it. */
  sentTo: ChildProcess | undefined;
  readonly answer: (answer: Answer) => void;
  readonly fail: (error: Error) => void;
}

/** So many launchers in a row may die without a single answer before their requests are given up. */
const MOST_FRUITLESS = 3;
/** Milliseconds that `close` waits for a launcher which does not react. It ends by itself when it can. */
const EXIT_TIMEOUT = 2_000;
/** Longer lines than this are not answers. */
const LONGEST_LINE = 16 * 1024;

/**
 * The long-lived launcher process, started when first needed and again when it died. A request is answered once: when a
 * launcher died, every shim that it was starting is waited for (`quiet`), so a start that is then unanswered did not
 * happen and is asked again. A command that it ran still answers by itself; when the pipe ends, it will not.
 */
export class Launcher {
  readonly #options: LauncherOptions;
  readonly #pending = new Map<string, Pending>();
  readonly #backoff = new Backoff({ initial: 50, maximum: 5_000 });
  #process: ChildProcess | undefined;
  /** A launcher died and the next one is not started yet. */
  #isBetween = false;
  #restart: Timer | undefined;
  #closed = false;
  #fruitless = 0;
  #trouble: string | undefined;

  constructor(options: LauncherOptions) {
    this.#options = options;
  }

  /** Why nothing can be launched now, if so. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** The launcher's process id, while it runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts a container. Rejects with NotStarted, or a RangeError for what no process can take. */
  start(id: string, folders: Parameters<typeof startFrame>[1], request: ProcessRequest): Promise<Started> {
    return new Promise((resolve, reject) => {
      this.#ask(id, "start", startFrame(id, folders, request), reject, (answer) => {
        if (answer.kind === "started") resolve(answer);
        else if (answer.kind === "failed") reject(new NotStarted(answer.errno, answer.message));
        else if (answer.kind === "shim lost") {
          reject(new NotStarted(0, `the task's supervisor ${describeWaitStatus(answer.status)} while it started`));
        }
      });
    });
  }

  /** Runs a command to its end. Resolves to the raw wait status, or to `timeout`. Rejects as `start`. */
  run(id: string, milliseconds: number, request: ProcessRequest): Promise<number | "timeout"> {
    return new Promise((resolve, reject) => {
      this.#ask(id, "run", runFrame(id, milliseconds, request), reject, (answer) => {
        if (answer.kind === "ran") resolve(answer.status);
        else if (answer.kind === "failed") reject(new NotStarted(answer.errno, answer.message));
        else if (answer.kind === "shim lost") reject(new NotStarted(0, describeWaitStatus(answer.status)));
      });
    });
  }

  /** Lets the launcher end by itself; containers keep running. Resolves when it has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#restart?.cancel();
    const child = this.#process;
    for (const pending of this.#pending.values()) pending.fail(new NotStarted(0, "the agent is stopping"));
    this.#pending.clear();
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(EXIT_TIMEOUT, resolve);
      child.once("exit", () => {
        timer.cancel();
        resolve();
      });
      child.stdin?.end();
    });
    child.stdout?.destroy();
    child.stderr?.destroy();
  }

  #ask(
    id: string,
    kind: Pending["kind"],
    frame: Buffer,
    reject: (error: Error) => void,
    resolve: (answer: Answer) => void,
  ): void {
    if (this.#closed) return reject(new NotStarted(0, "the agent is stopping"));
    if (this.#pending.has(id)) return reject(new NotStarted(0, `'${id}' is being started already`));
    const settle = <T>(use: (value: T) => void) => {
      return (value: T): void => {
        this.#pending.delete(id);
        use(value);
      };
    };
    const pending: Pending = { frame, kind, sentTo: undefined, answer: settle(resolve), fail: settle(reject) };
    this.#pending.set(id, pending);
    if (this.#process !== undefined) this.#send(this.#process, pending);
    else if (!this.#isBetween) this.#begin();
  }

  #send(child: ChildProcess, pending: Pending): void {
    pending.sentTo = child;
    const { stdin } = child;
    if (stdin === null) return;
    if (stdin.writableCorked === 0) {
      // What one turn of the event loop starts is one write, which wakes the launcher once.
      stdin.cork();
      setImmediate(() => stdin.uncork());
    }
    stdin.write(pending.frame);
  }

  #begin(): void {
    const { architecture, mark, launching, perl = "perl", path, log } = this.#options;
    const program = launcherProgram(architecture, mark, launching);
    if (program === undefined) {
      return this.#giveUp(new UserError(`no task can be launched on the architecture '${architecture}'`));
    }
    // Its forks find the C library's functions found: each would look up fifty names, and touch the pages that hold them. Nor
    // does the kernel write to each of them where it runs (restartable sequences, which nothing here uses).
    const tuning = { LD_BIND_NOW: "1", GLIBC_TUNABLES: "glibc.pthread.rseq=0" };
    const environment = { LC_ALL: "C", ...tuning, ...(path === undefined ? {} : { PATH: path }) };
    // detached: a session of its own, so that a signal to the agent's process group does not reach it.
    const child = spawn(perl, program.arguments, { cwd: "/", detached: true, stdio: "pipe", env: environment });
    this.#process = child;
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return;
      this.#process = undefined;
      this.#giveUp(
        error.code === "ENOENT"
          ? new UserError(`'${perl}' was not found, so no task can be started`, "install it: apt-get install perl-base")
          : error,
      );
    });
    // Errors of the pipe come together with the end of the process, which is handled below.
    child.stdin.on("error", () => undefined);
    child.stderr.setEncoding("utf8").on("data", (text: string) => log.warn(`launcher: ${text.trim().slice(0, 500)}`));
    child.stdin.write(program.input);
    this.#readAnswers(child);
    child.on("exit", (code, signal) => void this.#ended(child, signal ?? `exit status ${code}`));
    child.on("close", () => this.#askAgain(child, "run"));
    this.#sendWaiting(child);
  }

  #readAnswers(child: ChildProcess): void {
    let rest = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > LONGEST_LINE) rest = "";
      for (const line of lines) this.#handle(parseAnswer(line), line);
    });
  }

  #handle(answer: Answer | undefined, line: string): void {
    if (answer === undefined) return this.#options.log.warn(`launcher: unknown answer ${line.slice(0, 200)}`);
    this.#trouble = undefined;
    this.#fruitless = 0;
    this.#backoff.reset();
    const pending = this.#pending.get(answer.id);
    if (pending !== undefined) pending.answer(answer);
    else if (answer.kind === "shim lost") this.#options.shimLost(answer.id, answer.status);
  }

  async #ended(child: ChildProcess, how: string): Promise<void> {
    this.#process = undefined;
    if (this.#closed) return;
    this.#isBetween = true;
    this.#fruitless++;
    this.#options.log.warn(`The launcher ended (${how}); what it was starting is started again`);
    await this.#options.quiet();
    for (const [id, pending] of [...this.#pending]) {
      const started = pending.kind === "start" ? this.#options.already(id) : undefined;
      if (started !== undefined) pending.answer({ kind: "started", id, ...started });
      else if (this.#fruitless >= MOST_FRUITLESS) pending.fail(new NotStarted(0, `the launcher ended (${how})`));
    }
    this.#askAgain(child, "start");
    this.#restart = this.#options.clock.after(this.#backoff.next(), () => {
      this.#isBetween = false;
      if (this.#pending.size > 0) this.#begin();
    });
  }

  /** What `child` has not answered goes to the next launcher. */
  #askAgain(child: ChildProcess, kind: Pending["kind"]): void {
    for (const pending of this.#pending.values()) {
      if (pending.kind === kind && pending.sentTo === child) pending.sentTo = undefined;
    }
    if (this.#closed || this.#isBetween || this.#pending.size === 0) return;
    if (this.#process !== undefined) this.#sendWaiting(this.#process);
    else this.#begin();
  }

  #sendWaiting(child: ChildProcess): void {
    for (const pending of this.#pending.values()) if (pending.sentTo === undefined) this.#send(child, pending);
  }

  #giveUp(error: Error): void {
    this.#trouble = messageOf(error);
    for (const pending of [...this.#pending.values()]) pending.fail(error);
  }
}
