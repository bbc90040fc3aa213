import { create } from "@bufbuild/protobuf";
import { Backoff } from "../../base/backoff.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { SerialQueue } from "../../base/serial-queue.ts";
import { encode } from "../../mesos/codec.ts";
import {
  type StatusUpdate,
  type StatusUpdateRecord,
  StatusUpdateRecord_Type,
  StatusUpdateRecordSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { isUuid } from "../../mesos/ids.ts";
import { isTerminal, stateName } from "../../mesos/states.ts";
import type { CheckpointFiles } from "../model/files.ts";
import { taskKey } from "../model/paths.ts";
import { encodeRecord } from "../model/record-file.ts";
import { UpdateStream } from "./stream.ts";

/** Milliseconds; mesos-wire §3.19. */
const RETRY = { initial: 10_000, maximum: 600_000, jitter: "none" } as const;
/** Milliseconds that an update which was just sent is given before it is sent once more for its scheduler. */
const MOMENT = 1_000;
/** How soon a checkpoint that could not be written (full disk) is tried again, milliseconds. */
const WRITE_RETRY = { initial: 1_000, maximum: 30_000, jitter: "half" } as const;

interface Entry {
  readonly frameworkId: string;
  readonly taskId: string;
  readonly stream: UpdateStream;
  /** Updates whose first attempt to write them down is not over: they may not be forwarded yet. */
  readonly unwritten: Set<StatusUpdate>;
  /** Acknowledgements being written: the next update waits for them, or a crash would send the one before it again. */
  acknowledging: number;
  /** Where its records go; undefined for frameworks that do not checkpoint. */
  readonly path: string | undefined;
  readonly writes: SerialQueue;
  /** Called when the write in progress fails: those behind it count as attempted too. */
  readonly behind: Set<() => void>;
  /** The write in progress has failed and is tried again. */
  failing: boolean;
  readonly backoff: Backoff;
  retry: Timer | undefined;
  /** Monotonic milliseconds of the last transmission of the head. */
  sentAt: number;
  /** Its framework is gone: nothing is sent or written any more. */
  dropped: boolean;
}

export interface StatusUpdatesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly files: CheckpointFiles;
  /** Sends the head of a stream to the master. Called only while not paused. */
  readonly outbox: { forward(update: StatusUpdate): void };
}

export type AcknowledgementResult =
  | { readonly kind: "acknowledged"; readonly update: StatusUpdate; readonly closed: boolean }
  | { readonly kind: "ignored"; readonly why: string };

/** A stream as recovery reads it back. */
export interface RecoveredStream {
  readonly frameworkId: string;
  readonly taskId: string;
  readonly path: string;
  readonly records: readonly { readonly update?: StatusUpdate | undefined; readonly acknowledged?: Uint8Array }[];
}

/**
 * Only terminal updates are synced. After a crash of the machine its tasks are gone anyway: a lost RUNNING or
 * acknowledgement changes nothing then, but a second, different end of a task would contradict the first.
 */
const mustSurviveMachine = ({ update }: StatusUpdateRecord): boolean =>
  update?.status !== undefined && isTerminal(update.status.state);

/** `TASK_RUNNING` */
const describe = (update: StatusUpdate): string => (update.status === undefined ? "?" : stateName(update.status.state));

/** All status-update streams: written ahead, forwarded in order, retried until acknowledged, across restarts. */
export class StatusUpdates {
  readonly #options: StatusUpdatesOptions;
  readonly #entries = new Map<string, Entry>();
  /** Ends the wait of a write that is to be tried again. */
  readonly #waits = new Set<() => void>();
  /** Writes that are not over. */
  readonly #writing = new Set<Promise<boolean>>();
  #paused = true;
  #stopped = false;
  #writeTrouble: string | undefined;

  constructor(options: StatusUpdatesOptions) {
    this.#options = options;
  }

  /** Why records cannot be written now, if so. */
  get writeTrouble(): string | undefined {
    return this.#writeTrouble;
  }

  /** Updates that wait for an acknowledgement, over all streams. */
  get pendingCount(): number {
    let count = 0;
    for (const { stream } of this.#entries.values()) count += stream.pending.length;
    return count;
  }

  #entry(frameworkId: string, taskId: string, path: string | undefined): Entry {
    const key = taskKey(frameworkId, taskId);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = {
        frameworkId,
        taskId,
        path,
        stream: new UpdateStream(),
        unwritten: new Set(),
        acknowledging: 0,
        writes: new SerialQueue(),
        behind: new Set(),
        failing: false,
        backoff: new Backoff(RETRY),
        retry: undefined,
        sentAt: Number.NEGATIVE_INFINITY,
        dropped: false,
      };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  /**
   * Queues an update and writes it down; `path` is the task's update file, undefined when its framework does not
   * checkpoint. Resolves to true once it is durable: acknowledge the executor then; to false when that will never be
   * (agent closed, framework gone). A write that fails is tried again for ever, but does not hold back the master: a full
   * disk must not hide that a task ended.
   */
  async add(update: StatusUpdate, taskId: string, path: string | undefined): Promise<boolean> {
    const frameworkId = update.frameworkId?.value ?? "";
    const entry = this.#entry(frameworkId, taskId, path);
    if (!entry.stream.receive(update)) return await entry.writes.add(() => !this.#isOver(entry));
    entry.unwritten.add(update);
    const record = create(StatusUpdateRecordSchema, { type: StatusUpdateRecord_Type.UPDATE, update });
    const written = this.#write(entry, record);
    await written.attempted;
    entry.unwritten.delete(update);
    if (entry.stream.head === update) this.#send(entry);
    return await written.durable;
  }

  #isOver(entry: Entry): boolean {
    return this.#stopped || entry.dropped;
  }

  /** Appends a record. `attempted`: it was written or failed once. `durable`: whether it got onto the disk in the end. */
  #write(entry: Entry, record: StatusUpdateRecord): { attempted: Promise<void>; durable: Promise<boolean> } {
    const { path } = entry;
    if (path === undefined) return { attempted: Promise.resolve(), durable: Promise.resolve(true) };
    const bytes = encodeRecord(encode(StatusUpdateRecordSchema, record));
    const { promise: attempted, resolve: attempt } = Promise.withResolvers<void>();
    if (entry.failing) attempt();
    else entry.behind.add(attempt);
    const durable = entry.writes.add(async () => {
      const done = await this.#append(entry, path, bytes, mustSurviveMachine(record));
      entry.behind.delete(attempt);
      attempt();
      return done;
    });
    this.#writing.add(durable);
    void durable.finally(() => this.#writing.delete(durable));
    return { attempted, durable };
  }

  /** Appends, again and again until it works or is of no use any more. */
  async #append(entry: Entry, path: string, bytes: Uint8Array, durable: boolean): Promise<boolean> {
    const { files, log } = this.#options;
    const backoff = new Backoff(WRITE_RETRY);
    for (let failures = 0; !entry.dropped && !(failures > 0 && this.#stopped); failures++) {
      try {
        await files.append(path, bytes, durable);
        if (failures > 0) this.#recovered(entry);
        return true;
      } catch (error) {
        const problem = `cannot checkpoint a status update of task ${entry.taskId} in ${path}: ${messageOf(error)}`;
        if (failures === 0) log.error(`${problem}; it is forwarded all the same and written as soon as possible`);
        this.#writeTrouble = problem;
        entry.failing = true;
        for (const attempt of entry.behind) attempt();
        entry.behind.clear();
        await this.#wait(backoff.next());
        // The task may be over and its directory collected meanwhile: do not write into it again.
        if (entry.stream.closed) {
          this.#recovered(entry);
          return true;
        }
      }
    }
    return false;
  }

  #recovered(entry: Entry): void {
    entry.failing = false;
    this.#writeTrouble = undefined;
  }

  /** Waits, but not beyond close(). */
  async #wait(milliseconds: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#options.clock.after(milliseconds, resolve);
    this.#waits.add(resolve);
    await promise;
    this.#waits.delete(resolve);
    timer.cancel();
  }

  #send(entry: Entry): void {
    entry.retry?.cancel();
    entry.retry = undefined;
    const update = entry.stream.head;
    if (update === undefined || this.#paused || this.#isOver(entry)) return;
    if (entry.acknowledging > 0 || entry.unwritten.has(update)) return;
    entry.sentAt = this.#options.clock.monotonic();
    this.#options.outbox.forward(update);
    this.#arm(entry, entry.backoff.next());
  }

  #arm(entry: Entry, milliseconds: number): void {
    entry.retry?.cancel();
    entry.retry = this.#options.clock.after(milliseconds, () => {
      const { head } = entry.stream;
      if (head === undefined) return;
      this.#options.log.warn(
        `Resending status update ${describe(head)} of task ${entry.taskId} of framework ${entry.frameworkId}: not acknowledged yet`,
      );
      this.#send(entry);
    });
  }

  /** The master's or scheduler's acknowledgement of the update in flight. Anything else is ignored, and says why. */
  async acknowledge(frameworkId: string, taskId: string, uuid: Uint8Array): Promise<AcknowledgementResult> {
    const entry = this.#entries.get(taskKey(frameworkId, taskId));
    if (uuid.length !== 16) return { kind: "ignored", why: `its uuid has ${uuid.length} bytes, not 16` };
    if (entry === undefined) return { kind: "ignored", why: "no update of that task is waiting" };
    const verdict = entry.stream.judge(uuid);
    if (verdict !== "head") {
      return { kind: "ignored", why: verdict === "duplicate" ? "a duplicate" : "not the update in flight" };
    }
    entry.retry?.cancel();
    entry.retry = undefined;
    const update = entry.stream.acknowledge();
    const record = create(StatusUpdateRecordSchema, { type: StatusUpdateRecord_Type.ACK, uuid });
    entry.acknowledging++;
    const written = this.#write(entry, record);
    await written.attempted;
    entry.acknowledging--;
    entry.backoff.reset();
    if (entry.stream.closed) this.#entries.delete(taskKey(frameworkId, taskId));
    else this.#send(entry);
    return { kind: "acknowledged", update, closed: entry.stream.closed };
  }

  /** The master is gone: nothing is forwarded until resume(). */
  pause(): void {
    this.#paused = true;
    for (const entry of this.#entries.values()) {
      entry.retry?.cancel();
      entry.retry = undefined;
    }
  }

  /** Registered: sends every head. */
  resume(): void {
    this.#paused = false;
    for (const entry of this.#entries.values()) {
      entry.backoff.reset();
      this.#send(entry);
    }
  }

  /**
   * The framework's scheduler may have failed over: sends its heads again. One that went out a moment ago (masters say
   * this right after each re-registration) waits that moment: its acknowledgement is probably on the way.
   */
  resend(frameworkId: string): void {
    const now = this.#options.clock.monotonic();
    for (const entry of this.#entries.values()) {
      if (entry.frameworkId !== frameworkId || entry.stream.head === undefined || this.#paused) continue;
      entry.backoff.reset();
      const quiet = entry.sentAt + MOMENT - now;
      if (quiet > 0) this.#arm(entry, quiet);
      else this.#send(entry);
    }
  }

  /** Drops the streams of a framework that is gone. */
  drop(frameworkId: string): void {
    for (const [key, entry] of this.#entries) {
      if (entry.frameworkId !== frameworkId) continue;
      entry.dropped = true;
      entry.retry?.cancel();
      this.#entries.delete(key);
    }
  }

  /** The update in flight of a task, if any. */
  head(frameworkId: string, taskId: string): StatusUpdate | undefined {
    return this.#entries.get(taskKey(frameworkId, taskId))?.stream.head;
  }

  /** Replays what was written before a restart. A closed stream is not kept. */
  recover(recovered: RecoveredStream): { readonly closed: boolean } {
    const entry = this.#entry(recovered.frameworkId, recovered.taskId, recovered.path);
    for (const { update, acknowledged } of recovered.records) {
      if (update !== undefined && isUuid(update.uuid)) entry.stream.receive(update);
      if (acknowledged !== undefined && entry.stream.judge(acknowledged) === "head") entry.stream.acknowledge();
    }
    if (entry.stream.closed) this.#entries.delete(taskKey(recovered.frameworkId, recovered.taskId));
    return { closed: entry.stream.closed };
  }

  /** Stops retrying and resolves when everything queued was written, or has failed to be. */
  async close(): Promise<void> {
    this.pause();
    this.#stopped = true;
    for (const wake of this.#waits) wake();
    await Promise.all(this.#writing);
  }
}
