import type { Duplex, Readable } from "node:stream";
import { type Clock, sleep } from "../../../../base/clock.ts";
import { messageOf } from "../../../../base/errors.ts";
import type { Logger } from "../../../../base/log.ts";
import type { Engine, ExecState } from "../../../../docker/engine.ts";
import { isDaemonTrouble } from "../../../../docker/errors.ts";
import { outputsOf } from "../../../../docker/output-streams.ts";
import type { ContainerTermination } from "../../../model/container.ts";
import { TaskFailure } from "../../../model/failure.ts";
import type { SessionProcess, WindowSize } from "../../../model/session.ts";
import { newestOnly } from "../../sessions/newest.ts";
import { type FirstProcess, MARK, type MarkedPlace, type MarkedProcesses } from "./marked-processes.ts";

export interface ExecOrder {
  readonly place: MarkedPlace;
  /** Of all its processes, and of no others. */
  readonly mark: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly window: WindowSize | undefined;
}

export interface ExecHost {
  readonly engine: Engine;
  readonly processes: MarkedProcesses;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Milliseconds between two looks at an exec: the first ones follow quickly, each a fifth later, so that no start is noticed much too late. */
const [FIRST_LOOK, LATER, LONGEST_LOOK] = [2, 1.2, 500];
/** Milliseconds for the Engine to begin with it. */
const BEGIN = 5_000;
/** Milliseconds for a process to start. */
const START = 60_000;
/** Exit codes that Docker gives to what it could not start. */
const COULD_NOT_START = 126;
/** What of a daemon's explanation is kept. */
const LONGEST_REASON = 2_000;
/** SIGKILL as wait(2) tells it, and as Docker does, or tells of one whose connection broke first. */
const KILLED = 9;
const KILLED_CODES: ReadonlySet<number | undefined> = new Set([137, 126, undefined]);

/** Calls `look` until it gives something, less and less often. */
async function until<T>(clock: Clock, look: () => Promise<T | undefined>): Promise<T> {
  for (let pause = FIRST_LOOK; ; pause = Math.min(pause * LATER, LONGEST_LOOK)) {
    const seen = await look();
    if (seen !== undefined) return seen;
    await sleep(clock, pause);
  }
}

/** Starts a command inside a container by the Engine's exec. Rejects with a TaskFailure, or an EngineError, when it cannot be. */
export async function startExec(order: ExecOrder, host: ExecHost): Promise<SessionProcess> {
  const { place, mark, argv, window } = order;
  const { engine, processes } = host;
  const environment = { ...order.environment, [MARK]: mark };
  let process: ExecProcess | undefined;
  try {
    const request = { argv, environment, user: place.user, terminal: window };
    const { id, connection } = await engine.openExec(place.engineId, request);
    process = new ExecProcess(id, connection, order, host);
    await process.started();
    return process;
  } catch (error) {
    // Whatever the Engine said, it may run. What it refused does not.
    if (process !== undefined) process.kill();
    else if (isDaemonTrouble(error)) void processes.end(place, mark);
    throw error;
  }
}

/** An exec of the Engine: it ends when its process has ended and all that it said was read. */
class ExecProcess implements SessionProcess {
  readonly hasTerminal: boolean;
  readonly input: Duplex;
  readonly stdout: Readable;
  readonly stderr: Readable | undefined;
  readonly termination: Promise<ContainerTermination>;
  readonly #id: string;
  readonly #order: ExecOrder;
  readonly #host: ExecHost;
  readonly #closed: Promise<void>;
  readonly resize: (size: WindowSize) => void;
  #first: FirstProcess | undefined;
  #isKilled = false;

  constructor(id: string, connection: Duplex, order: ExecOrder, host: ExecHost) {
    this.#id = id;
    this.#order = order;
    this.#host = host;
    this.input = connection;
    this.hasTerminal = order.window !== undefined;
    this.resize = newestOnly((size) => this.#resize(size));
    const { stdout, stderr } = outputsOf(connection, this.hasTerminal);
    this.stdout = stdout;
    this.stderr = stderr;
    this.#closed = new Promise((resolve) => connection.once("close", () => resolve()));
    this.termination = this.#closed.then(() => this.#end());
  }

  /** Resolves when it runs, with its terminal of the size that was asked for. Rejects with the Engine's reason why it does not. */
  async started(): Promise<void> {
    const { clock, engine } = this.#host;
    const begun = clock.monotonic();
    const late = begun + START;
    const state = await until(clock, async () => {
      const seen = await engine.execState(this.#id);
      if (seen.pid !== undefined || seen.exitCode !== undefined) return seen;
      // Docker hands the connection over before it begins: until then it neither runs nor has ended.
      if (!seen.running && clock.monotonic() >= begun + BEGIN) return seen;
      if (clock.monotonic() < late) return undefined;
      throw TaskFailure.launch(`Failed to start the process: Docker did not start it within ${START / 1000} s`);
    });
    const { place } = this.#order;
    this.#first = state.pid === undefined ? undefined : this.#host.processes.firstOf(place, state.pid);
    if (state.pid === undefined && (state.exitCode ?? 0) >= COULD_NOT_START) {
      const reason = await this.#reason();
      if (reason !== "") throw TaskFailure.launch(`Failed to start the process: ${reason}`);
    }
    const { window } = this.#order;
    if (window !== undefined && window.rows > 0 && window.columns > 0 && state.running) await this.#resize(window);
  }

  /** The Engine says why it could not start a process where the process would have spoken. */
  async #reason(): Promise<string> {
    const texts = [this.stdout, this.stderr].map(async (output) => {
      let text = "";
      try {
        for await (const piece of (output ?? []) as AsyncIterable<Buffer>)
          if (text.length < LONGEST_REASON) text += piece;
      } catch {
        // What was said before the connection broke will do.
      }
      return text;
    });
    const text = (await Promise.all(texts)).join("").trim();
    return text.slice(0, LONGEST_REASON);
  }

  async #end(): Promise<ContainerTermination> {
    const { clock, engine, processes, log } = this.#host;
    const { place, mark } = this.#order;
    let state: ExecState | undefined;
    try {
      state = await until(clock, async () => {
        const seen = await engine.execState(this.#id);
        return seen.running ? undefined : seen;
      });
    } catch (error) {
      log.verbose(1, `The exit of a session is not known: ${messageOf(error)}`);
    }
    // A session ends with its first process, as a container does.
    await processes.end(place, mark, this.#first);
    const code = state?.exitCode;
    if (this.#isKilled && KILLED_CODES.has(code)) return { status: KILLED };
    if (code === undefined) return { status: undefined, message: "Docker does not know how it ended" };
    return { status: (code & 0xff) << 8 };
  }

  async #resize(size: WindowSize): Promise<void> {
    try {
      await this.#host.engine.resizeExec(this.#id, size);
    } catch (error) {
      this.#host.log.verbose(1, `The terminal of a session keeps its size: ${messageOf(error)}`);
    }
  }

  signal(signal: number): void {
    void this.#host.processes.signal(this.#order.place, this.#order.mark, signal, this.#first);
  }

  kill(): void {
    this.#isKilled = true;
    for (const stream of [this.input, this.stdout, this.stderr]) stream?.destroy();
    void this.#endAll();
  }

  /** Twice: what has just been started has its mark a moment later. */
  async #endAll(): Promise<void> {
    const { clock, processes } = this.#host;
    const { place, mark } = this.#order;
    await processes.end(place, mark, this.#first);
    await sleep(clock, LONGEST_LOOK);
    await processes.end(place, mark, this.#first);
  }
}
