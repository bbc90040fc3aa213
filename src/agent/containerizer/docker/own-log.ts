import type { Clock } from "../../../base/clock.ts";
import { SerialQueue } from "../../../base/serial-queue.ts";
import type { Engine } from "../../../docker/engine.ts";
import { isNotFound } from "../../../docker/errors.ts";
import type { LogFrame } from "../../../docker/log-frames.ts";
import type { LogParts, LogWindows } from "../../model/container.ts";

/** Milliseconds for a log: the daemon tells it from its beginning, however far on the wanted part lies. */
const DEADLINE = 30_000;
/** Logs that are read or wait for it, at most. */
const MOST_LOGS = 8;

/** One stream as it goes by: only the wanted part is kept. */
class Window {
  readonly #from: number;
  readonly #until: number;
  readonly #kept: Buffer[] = [];
  #size = 0;

  constructor({ offset, length }: LogWindows["stdout"]) {
    this.#from = offset;
    this.#until = offset + length;
  }

  take({ data }: LogFrame): void {
    const [begin, end] = [Math.max(0, this.#from - this.#size), this.#until - this.#size];
    // A copy: a frame is a piece of something larger.
    if (end > begin && begin < data.length) this.#kept.push(Buffer.from(data.subarray(begin, end)));
    this.#size += data.length;
  }

  get part(): LogParts["stdout"] {
    return { size: this.#size, data: Buffer.concat(this.#kept) };
  }
}

/** Parts of what containers have logged so far, from the daemon: one log at a time, as each is read from its beginning. */
export class OwnLogs {
  readonly #engine: Pick<Engine, "inspect" | "logs">;
  readonly #clock: Clock;
  readonly #queue = new SerialQueue();

  constructor(engine: Pick<Engine, "inspect" | "logs">, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  /**
   * With a terminal all of a log is stdout. undefined: there is no such container any more. Rejects with an EngineError, also
   * for a log driver that keeps nothing; when it takes too long; and when too many are asked for at once.
   */
  read(engineId: string, wanted: LogWindows): Promise<LogParts | undefined> {
    if (this.#queue.length >= MOST_LOGS)
      return Promise.reject(new Error(`${MOST_LOGS} logs are being read from Docker: ask again`));
    return this.#queue.add(() => this.#read(engineId, wanted));
  }

  async #read(engineId: string, wanted: LogWindows): Promise<LogParts | undefined> {
    const late = new AbortController();
    const timer = this.#clock.after(DEADLINE, () => late.abort());
    const windows = { stdout: new Window(wanted.stdout), stderr: new Window(wanted.stderr) };
    try {
      const { tty } = await this.#engine.inspect(engineId);
      const options = { follow: false, timestamps: false, tty, signal: late.signal };
      for await (const frames of await this.#engine.logs(engineId, options))
        for (const frame of frames) windows[frame.stream].take(frame);
      return { stdout: windows.stdout.part, stderr: windows.stderr.part };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    } finally {
      timer.cancel();
    }
  }
}
