import { Backoff } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { CheckpointFiles } from "../model/files.ts";
import { encodeRecord } from "../model/record-file.ts";

/** How soon a record that could not be written (full disk) is tried again, milliseconds. */
const WRITE_RETRY = { initial: 1_000, maximum: 30_000, jitter: "half" } as const;

/** What becomes of a record. */
export interface Written {
  /** It was written, or failed to be once. */
  readonly attempted: Promise<void>;
  /** Whether it got onto the disk in the end. */
  readonly durable: Promise<boolean>;
}

/** Of a stream without a file. */
const NOWHERE: Written = { attempted: Promise.resolve(), durable: Promise.resolve(true) };

interface Waiting {
  readonly bytes: Uint8Array;
  /** It must survive the machine, and not only this process. */
  readonly synced: boolean;
  readonly attempt: () => void;
  readonly settle: (durable: boolean) => void;
}

export interface StreamFilesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly files: CheckpointFiles;
}

/** The files of all streams of one kind. */
export class StreamFiles {
  readonly options: StreamFilesOptions;
  /** Why records cannot be written now, if so. */
  trouble: string | undefined;
  /** Ends the wait of a write that is to be tried again. */
  readonly #waits = new Set<() => void>();
  /** What is being written. */
  readonly #writing = new Set<Promise<void>>();
  #stopped = false;

  constructor(options: StreamFilesOptions) {
    this.options = options;
  }

  /** Nothing that fails is tried again. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** close() waits for it. */
  follow(writing: Promise<void>): void {
    this.#writing.add(writing);
    void writing.finally(() => this.#writing.delete(writing));
  }

  /** Waits, but not beyond close(). */
  async wait(milliseconds: number): Promise<void> {
    if (this.#stopped) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.options.clock.after(milliseconds, resolve);
    this.#waits.add(resolve);
    await promise;
    this.#waits.delete(resolve);
    timer.cancel();
  }

  /** Resolves when all that was added is written, or has failed to be. */
  async close(): Promise<void> {
    this.#stopped = true;
    for (const wake of this.#waits) wake();
    await Promise.all(this.#writing);
  }
}

/**
 * The file of one stream. What is added in one go (TASK_STARTING with TASK_RUNNING), or while something else is written, gets
 * in by one append: it is all there or none of it, but for a kill in the middle, which leaves whole records and a torn one. When
 * that fails they are tried one by one, so that what there is room for gets in.
 */
export class StreamFile {
  readonly #files: StreamFiles;
  readonly #path: string | undefined;
  /** Its last item was acknowledged. */
  readonly #stream: { readonly closed: boolean };
  /** In the order of the calls; the first are being written. */
  readonly #waiting: Waiting[] = [];
  /** As many of the first are not to be joined: their join has failed. */
  #apart = 0;
  #isWriting = false;
  /** Between attempts that fail; undefined while writing works. */
  #backoff: Backoff | undefined;
  #last = NOWHERE.durable;
  #dropped = false;

  /** `path` undefined: its records go nowhere. */
  constructor(files: StreamFiles, path: string | undefined, stream: { readonly closed: boolean }) {
    this.#files = files;
    this.#path = path;
    this.#stream = stream;
  }

  /** Adds a record, given without its length. `synced`: it must survive the machine, and not only this process. */
  add(record: Uint8Array, synced: boolean): Written {
    if (this.#path === undefined) return NOWHERE;
    const { promise: attempted, resolve: attempt } = Promise.withResolvers<void>();
    const { promise: durable, resolve: settle } = Promise.withResolvers<boolean>();
    // Behind one that fails it counts as attempted, too: a full disk must not hide from the master that a task ended.
    if (this.#backoff !== undefined) attempt();
    this.#waiting.push({ bytes: encodeRecord(record), synced, attempt, settle });
    this.#last = durable;
    if (!this.#isWriting) {
      this.#isWriting = true;
      this.#files.follow(this.#write(this.#path));
    }
    return { attempted, durable };
  }

  /** Resolves when all that was added so far is written, or never will be. */
  async settled(): Promise<void> {
    await this.#last;
  }

  /** Nobody waits for its records any more: nothing is written. */
  drop(): void {
    this.#dropped = true;
  }

  async #write(path: string): Promise<void> {
    // What comes in the same go is to be with it.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const together = this.#apart > 0 ? this.#waiting.slice(0, 1) : [...this.#waiting];
      if (this.#dropped) this.#settle(together.length, false);
      else await this.#append(path, together);
    }
    this.#isWriting = false;
  }

  async #append(path: string, together: readonly Waiting[]): Promise<void> {
    const [first, ...others] = together.map(({ bytes }) => bytes);
    if (first === undefined) return;
    const bytes = others.length === 0 ? first : Buffer.concat([first, ...others]);
    const isSynced = together.some(({ synced }) => synced);
    try {
      await this.#files.options.files.append(path, bytes, isSynced);
    } catch (error) {
      if (others.length > 0) this.#apart = together.length;
      else await this.#failed(`cannot checkpoint in ${path}: ${messageOf(error)}`);
      return;
    }
    this.#recovered();
    this.#settle(together.length, true);
  }

  /** Nothing of the first was written. Resolves when it is time to try again, if it is of any use. */
  async #failed(problem: string): Promise<void> {
    const { options } = this.#files;
    if (this.#backoff === undefined)
      options.log.error(`${problem}; it is sent all the same and written as soon as possible`);
    this.#backoff ??= new Backoff(WRITE_RETRY);
    this.#files.trouble = problem;
    for (const { attempt } of this.#waiting) attempt();
    await this.#files.wait(this.#backoff.next());
    if (this.#stream.closed) {
      // It is over and its folder may be collected: do not write into it again.
      this.#recovered();
      this.#settle(this.#waiting.length, true);
    } else if (this.#files.stopped) this.#settle(1, false);
  }

  #recovered(): void {
    if (this.#backoff === undefined) return;
    this.#backoff = undefined;
    this.#files.trouble = undefined;
  }

  #settle(count: number, durable: boolean): void {
    this.#apart = Math.max(0, this.#apart - count);
    for (const { attempt, settle } of this.#waiting.splice(0, count)) {
      attempt();
      settle(durable);
    }
  }
}
