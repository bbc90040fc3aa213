import { Backoff } from "../../../base/backoff.ts";
import { type Clock, sleep, type Timer } from "../../../base/clock.ts";
import { messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import type { Engine } from "../../../docker/engine.ts";
import { isEngineError, isNotFound } from "../../../docker/errors.ts";
import { type LogFrame, normalizeTime, splitTimestamp } from "../../../docker/log-frames.ts";
import { HeldFolder } from "../../model/held/folder.ts";
import { cursorSince, type OutputCursor, StreamFilter, type StreamName } from "./output-cursor.ts";
import { OutputFile, type Rotation } from "./output-file.ts";

export interface OutputOptions {
  readonly engine: Engine;
  readonly engineId: string;
  readonly containerId: string;
  readonly sandbox: string;
  readonly tty: boolean;
  /** The log driver keeps nothing: output is taken as it comes. */
  readonly attach: boolean;
  /** Undefined: nothing is known of what was written. */
  readonly cursor: OutputCursor | undefined;
  /** Whether this container is just being launched: the files' present content is not the container's. */
  readonly isNew: boolean;
  readonly rotation: Rotation;
  readonly save: (cursor: OutputCursor) => Promise<void>;
  /** The log ended although the container is not known to have ended. */
  readonly onQuiet: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const SAVE_EVERY = 1_000;
/** After the end of the container, its log stream may need so long to end by itself. */
const LAST_LINES = 3_000;
/** Milliseconds in which everything must be in the sandbox once the container has ended. */
const COMPLETE_WITHIN = 20_000;

/** Brings a container's log into the sandbox: live, exactly once, over breaks of the daemon and restarts of ours. */
export class ContainerOutput {
  readonly #options: OutputOptions;
  readonly #files: Record<StreamName, OutputFile>;
  readonly #cursor: OutputCursor;
  readonly #extra: Record<StreamName, number>;
  readonly #closed = new AbortController();
  readonly #ended = Promise.withResolvers<void>();
  #hasEnded = false;
  #attach: boolean;
  #saving: Timer | undefined;
  #finished: Promise<void> | undefined;
  #stream: AbortController | undefined;

  private constructor(
    options: OutputOptions,
    files: Record<StreamName, OutputFile>,
    cursor: OutputCursor,
    extra: Record<StreamName, number>,
  ) {
    this.#options = options;
    this.#files = files;
    this.#cursor = cursor;
    this.#extra = extra;
    this.#attach = options.attach;
  }

  /** Opens the sandbox's files and keeps the first cursor. Rejects with a system error when they cannot be opened. */
  static async open(options: OutputOptions): Promise<ContainerOutput> {
    const { sandbox, rotation } = options;
    const modified = options.isNew || options.cursor !== undefined ? undefined : lastWrite(sandbox);
    const files = {
      stdout: await OutputFile.open(sandbox, "stdout", rotation),
      stderr: await OutputFile.open(sandbox, "stderr", rotation),
    };
    const cursor = options.cursor ?? firstCursor(files, options.tty, modified);
    const extra = {
      stdout: await files.stdout.writtenSince(cursor.stdout),
      stderr: await files.stderr.writtenSince(cursor.stderr),
    };
    const output = new ContainerOutput(options, files, cursor, extra);
    if (options.cursor === undefined) await options.save(cursor);
    return output;
  }

  /** Begins to follow. For an attached container: resolves when nothing will be missed; call before its start. */
  async start(): Promise<void> {
    if (this.#attach && !this.#cursor.complete) {
      const stream = await this.#attached();
      this.#finished = this.#run(stream);
    } else this.#finished = this.#cursor.complete ? Promise.resolve() : this.#run(undefined);
  }

  /** The container has ended: resolves when its last line is in the sandbox, or after a bounded time. */
  async finish(): Promise<void> {
    const { clock, log, containerId } = this.#options;
    this.#hasEnded = true;
    this.#ended.resolve();
    const hurry = clock.after(LAST_LINES, () => this.#stream?.abort());
    const giveUp = clock.after(COMPLETE_WITHIN, () => {
      log.warn(`Container ${containerId}: the end of its log could not be read in time`);
      this.#closed.abort();
    });
    await this.#finished;
    hurry.cancel();
    giveUp.cancel();
    await this.close();
  }

  /** Lets go; the log can be continued later from the kept cursor. */
  async close(): Promise<void> {
    this.#closed.abort();
    this.#stream?.abort();
    await this.#finished;
    this.#saving?.cancel();
    await this.#save();
    await Promise.allSettled([this.#files.stdout.close(), this.#files.stderr.close()]);
  }

  async #run(first: AsyncGenerator<LogFrame[]> | undefined): Promise<void> {
    const { log, containerId } = this.#options;
    const backoff = new Backoff({ initial: 100, maximum: 10_000 });
    let attached = first;
    while (!this.#closed.signal.aborted) {
      const following = !this.#hasEnded;
      try {
        await this.#read(attached, () => backoff.reset());
        // Docker ends a followed log early now and then: only a read that began after the container's end has it all.
        if (!following || (this.#hasEnded && this.#attach)) return await this.#complete();
        if (!this.#hasEnded) this.#options.onQuiet();
      } catch (error) {
        if (this.#closed.signal.aborted) return;
        if (isNotFound(error)) return await this.#complete();
        if (isEngineError(error, "refused") && /does not support reading/.test(error.message)) {
          log.warn(`Container ${containerId}: its log driver cannot be read; output is taken from now on`);
          this.#attach = true;
          if (this.#hasEnded) return await this.#complete();
        } else log.verbose(1, `Container ${containerId}: log interrupted: ${messageOf(error)}`);
      }
      attached = undefined;
      await this.#pause(backoff.next());
    }
  }

  /** Waits, but not beyond the container's end. */
  async #pause(milliseconds: number): Promise<void> {
    const slept = sleep(this.#options.clock, milliseconds, this.#closed.signal).catch(() => undefined);
    await (this.#hasEnded ? slept : Promise.race([slept, this.#ended.promise]));
  }

  async #read(attached: AsyncGenerator<LogFrame[]> | undefined, onData: () => void): Promise<void> {
    const { engine, engineId, tty } = this.#options;
    if (attached !== undefined || (this.#attach && !this.#hasEnded)) {
      return this.#drain(attached ?? (await this.#attached()), undefined, onData);
    }
    if (this.#attach) return;
    const signal = this.#newStream();
    const filters = {
      stdout: new StreamFilter(this.#cursor, "stdout", this.#extra.stdout),
      stderr: new StreamFilter(this.#cursor, "stderr", this.#extra.stderr),
    };
    const since = cursorSince(this.#cursor);
    const options = { follow: !this.#hasEnded, timestamps: !tty, since, tty, signal };
    try {
      await this.#drain(await engine.logs(engineId, options), filters, onData);
    } finally {
      // What is known to be written and was not met in this read, is to be left out of the next one.
      this.#extra.stdout = filters.stdout.outstanding;
      this.#extra.stderr = filters.stderr.outstanding;
    }
  }

  #attached(): Promise<AsyncGenerator<LogFrame[]>> {
    const { engine, engineId, tty } = this.#options;
    return engine.attach(engineId, tty, this.#newStream());
  }

  #newStream(): AbortSignal {
    this.#stream = new AbortController();
    return AbortSignal.any([this.#stream.signal, this.#closed.signal]);
  }

  async #drain(
    frames: AsyncGenerator<LogFrame[]>,
    filters: Record<StreamName, StreamFilter> | undefined,
    onData: () => void,
  ): Promise<void> {
    for await (const batch of frames) {
      onData();
      const pending: Record<StreamName, Buffer[]> = { stdout: [], stderr: [] };
      for (const { stream, data } of batch) {
        const entry = filters === undefined || this.#options.tty ? undefined : splitTimestamp(data);
        const rest = filters?.[stream].take(entry?.time, entry?.data ?? data) ?? data;
        if (rest.length > 0) pending[stream].push(rest);
      }
      for (const name of ["stdout", "stderr"] as const) await this.#write(name, pending[name]);
    }
  }

  /** Writes all of it: a full disk only delays, the log waits at Docker. */
  async #write(name: StreamName, parts: readonly Buffer[]): Promise<void> {
    if (parts.length === 0) return;
    const { clock, log, containerId } = this.#options;
    const file = this.#files[name];
    let rest = Buffer.concat(parts);
    for (let warned = false; rest.length > 0; ) {
      const before = file.place;
      try {
        await file.append(rest);
        break;
      } catch (error) {
        if (!warned) log.warn(`Container ${containerId}: cannot write ${name} into the sandbox: ${messageOf(error)}`);
        warned = true;
        const rotated = file.place.inode !== before.inode;
        rest = rest.subarray(rotated ? file.place.size : file.place.size - before.size);
        await sleep(clock, 1_000, this.#closed.signal);
      }
    }
    const { inode, size } = file.place;
    Object.assign(this.#cursor[name], { inode, size });
    this.#saving ??= clock.after(SAVE_EVERY, () => {
      this.#saving = undefined;
      void this.#save();
    });
  }

  async #complete(): Promise<void> {
    this.#cursor.complete = true;
    await this.#save();
  }

  async #save(): Promise<void> {
    const { save, log, containerId } = this.#options;
    await save(structuredClone(this.#cursor)).catch((error) => {
      log.warn(`Container ${containerId}: cannot keep how far its log is: ${messageOf(error)}`);
    });
  }
}

/** The cursor of a container whose output has not been written yet, or (`since`) of which nothing is known. */
function firstCursor(files: Record<StreamName, OutputFile>, tty: boolean, since: string | undefined): OutputCursor {
  const stream = (name: StreamName) => ({
    bytesAtTime: 0,
    total: 0,
    ...files[name].place,
    ...(since === undefined ? {} : { time: since }),
  });
  return { stdout: stream("stdout"), stderr: stream("stderr"), replay: tty, complete: false };
}

/** When stdout or stderr was last written, as a time of the log; undefined when there is neither. */
function lastWrite(sandbox: string): string | undefined {
  using folder = HeldFolder.open(sandbox);
  const times = ["stdout", "stderr"].map((name) => folder.look(name)?.mtimeMs ?? 0);
  const latest = Math.max(...times);
  return latest === 0 ? undefined : normalizeTime(new Date(latest).toISOString());
}
