import { create } from "@bufbuild/protobuf";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import { encode } from "../../mesos/codec.ts";
import {
  type StatusUpdate,
  StatusUpdateRecord_Type,
  StatusUpdateRecordSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { idOf } from "../../mesos/ids.ts";
import { isTerminal, stateName } from "../../mesos/states.ts";
import { AcknowledgedStreams, type StreamKind, type Unexpected } from "../acknowledged/streams.ts";
import type { CheckpointFiles } from "../model/files.ts";
import { taskKey } from "../model/paths.ts";

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

const UNEXPECTED: Readonly<Record<Exclude<Unexpected, "no-uuid">, string>> = {
  unknown: "no update of that task is waiting",
  duplicate: "a duplicate",
  "not-in-flight": "not the update in flight",
};

const isEnd = (update: StatusUpdate): boolean => update.status !== undefined && isTerminal(update.status.state);

const statusUpdateKind = (outbox: StatusUpdatesOptions["outbox"]): StreamKind<StatusUpdate> => ({
  uuidOf: ({ uuid }) => uuid,
  isLast: isEnd,
  describe: ({ status, frameworkId }) =>
    `status update ${status === undefined ? "?" : stateName(status.state)} of task ${status?.taskId?.value} of framework ${frameworkId?.value}`,
  itemRecord: (update) =>
    encode(
      StatusUpdateRecordSchema,
      create(StatusUpdateRecordSchema, { type: StatusUpdateRecord_Type.UPDATE, update }),
    ),
  acknowledgementRecord: (uuid) =>
    encode(StatusUpdateRecordSchema, create(StatusUpdateRecordSchema, { type: StatusUpdateRecord_Type.ACK, uuid })),
  // After a crash of the machine its tasks are gone anyway: a lost RUNNING or acknowledgement changes nothing then, but a
  // second, different end of a task would contradict the first.
  isSynced: (update) => update !== undefined && isEnd(update),
  send: (update) => {
    outbox.forward(update);
    return true;
  },
});

/** Keys of one framework's tasks begin so. */
const ofFramework = (frameworkId: string): ((key: string) => boolean) => {
  const begin = taskKey(frameworkId, "");
  return (key) => key.startsWith(begin);
};

/** The updates of each task, from its first to its end (mesos-wire §3.15). */
export class StatusUpdates {
  readonly #streams: AcknowledgedStreams<StatusUpdate>;

  constructor({ clock, log, files, outbox }: StatusUpdatesOptions) {
    this.#streams = new AcknowledgedStreams({ clock, log, files, kind: statusUpdateKind(outbox) });
  }

  /** Why records cannot be written now, if so. */
  get writeTrouble(): string | undefined {
    return this.#streams.writeTrouble;
  }

  /** Updates that wait for an acknowledgement, over all tasks. */
  get pendingCount(): number {
    return this.#streams.pendingCount;
  }

  /**
   * Queues an update and writes it down; `path` is the task's update file, undefined when its framework does not
   * checkpoint. Resolves to true once it is durable: acknowledge the executor then; to false when that will never be
   * (agent closed, framework gone).
   */
  async add(update: StatusUpdate, taskId: string, path: string | undefined): Promise<boolean> {
    return await this.#streams.add(taskKey(idOf(update.frameworkId), taskId), update, path).durable;
  }

  /** The master's or scheduler's acknowledgement of the update in flight. Anything else is ignored, and says why. */
  async acknowledge(frameworkId: string, taskId: string, uuid: Uint8Array): Promise<AcknowledgementResult> {
    const result = await this.#streams.acknowledge(taskKey(frameworkId, taskId), uuid);
    if (result.kind === "acknowledged") return { kind: result.kind, update: result.item, closed: result.closed };
    const bytes = `its uuid has ${uuid.length} bytes, not 16`;
    return { kind: "ignored", why: result.why === "no-uuid" ? bytes : UNEXPECTED[result.why] };
  }

  /** The master is gone: nothing is forwarded until resume(). */
  pause(): void {
    this.#streams.pause();
  }

  /** Registered: sends every head. */
  resume(): void {
    this.#streams.resume();
  }

  /** The framework's scheduler may have failed over: sends its heads again. Masters say so after each re-registration. */
  resend(frameworkId: string): void {
    this.#streams.resend(ofFramework(frameworkId));
  }

  /** Drops the streams of a framework that is gone. */
  drop(frameworkId: string): void {
    this.#streams.drop(ofFramework(frameworkId));
  }

  /** The update in flight of a task, if any. */
  head(frameworkId: string, taskId: string): StatusUpdate | undefined {
    return this.#streams.head(taskKey(frameworkId, taskId));
  }

  /** Replays what was written before a restart. A closed stream is not kept. */
  recover({ frameworkId, taskId, path, records }: RecoveredStream): { readonly closed: boolean } {
    return this.#streams.recover(
      taskKey(frameworkId, taskId),
      path,
      records.map(({ update, acknowledged }) => ({ item: update, acknowledged })),
    );
  }

  /** Stops retrying and resolves when everything queued was written, or has failed to be. */
  close(): Promise<void> {
    return this.#streams.close();
  }
}
