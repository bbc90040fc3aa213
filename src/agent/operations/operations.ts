import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Backoff } from "../../base/backoff.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { SerialQueue } from "../../base/serial-queue.ts";
import type { Signal } from "../../base/signal.ts";
import { encode } from "../../mesos/codec.ts";
import {
  type AcknowledgeOperationStatusMessage,
  type ApplyOperationMessage,
  type ReconcileOperationsMessage,
  type UpdateOperationStatusMessage,
  UpdateOperationStatusMessageSchema,
  UpdateOperationStatusRecord_Type,
  UpdateOperationStatusRecordSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { type Offer_Operation, type Operation, OperationState } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { isUuid, newUuid, uuidText } from "../../mesos/ids.ts";
import { applyConversion, type Conversion } from "../../mesos/resource-operations.ts";
import type { Resources } from "../../mesos/resources.ts";
import type { CheckpointedOperationStream } from "../model/checkpointed-state.ts";
import type { CheckpointFiles } from "../model/files.ts";
import type { Identity } from "../model/identity.ts";
import type { MasterChannel } from "../model/master-channel.ts";
import type { Paths } from "../model/paths.ts";
import { encodeRecord } from "../model/record-file.ts";
import { decide, feedbackFor } from "./decide.ts";
import { reconciliation } from "./reconciliation.ts";
import { finishedOperation, idOf, operationStatus, statusMessage, withoutUuid } from "./statuses.ts";

/** Milliseconds; mesos-wire §3.12. */
const RETRY = { initial: 10_000, maximum: 600_000, jitter: "none" } as const;

/** The operations whose status is not acknowledged. A table of its own: the agent's resources are checkpointed together with it. */
export class OperationTable {
  readonly tracked = new Map<string, Tracked>();

  pending(): Operation[] {
    return [...this.tracked.values()].map(({ operation }) => operation);
  }
}

interface Tracked {
  readonly operation: Operation;
  readonly writes: SerialQueue;
  readonly backoff: Backoff;
  retry: Timer | undefined;
  /** Its status is in its file, or could not be written there: it may be sent. */
  written: boolean;
}

type RecordInit = Omit<MessageInitShape<typeof UpdateOperationStatusRecordSchema>, "$typeName" | "$unknown">;

interface Given {
  readonly info: Offer_Operation;
  readonly uuid: Uint8Array;
  readonly frameworkId: string | undefined;
}

export interface OperationsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly files: CheckpointFiles;
  readonly paths: Paths;
  readonly identity: Pick<Identity, "id">;
  /** Deletes a folder with what is in it. */
  readonly removeFolder: (path: string) => Promise<void>;
  /** Changes the agent's total, and checkpoints it together with `pending()` as it is after `convert` was called. */
  readonly reservations: { change(convert: (total: Resources) => Resources): Promise<void> };
  /** What is tracked, for those who checkpoint it. */
  readonly table: OperationTable;
  readonly master: Pick<MasterChannel, "version" | "send">;
  /** The master has counted on what cannot be done: the agent has to start over. */
  readonly failed: (why: string) => void;
  /** An operation is over: whoever waits for the last one may look. */
  readonly settled: Signal;
}

/**
 * Operations on the agent's own resources that a RESOURCE_PROVIDER agent applies itself (mesos-wire §3.12): applied at
 * once and durably, then their status is sent until it is acknowledged, across restarts.
 *
 * Only finished operations are ever kept: what was not applied when the agent died never was, and the master is told
 * so (OPERATION_DROPPED) when it asks.
 */
export class Operations {
  readonly #options: OperationsOptions;
  #paused = true;

  constructor(options: OperationsOptions) {
    this.#options = options;
  }

  get #tracked(): Map<string, Tracked> {
    return this.#options.table.tracked;
  }

  /** Operations whose status is not acknowledged. */
  pending(): Operation[] {
    return this.#options.table.pending();
  }

  /** What a master may be told of them at (re)registration: one that takes no feedback must not hear of them. */
  announced(): Operation[] {
    const version = this.#options.master.version;
    return this.pending().filter(({ info }) => feedbackFor(idOf(info) !== undefined, version) === "reliable");
  }

  get count(): number {
    return this.#tracked.size;
  }

  /** An operation from the master. Resolves when it is done and durable, or refused. Never rejects. */
  async apply(message: ApplyOperationMessage): Promise<void> {
    const { operationInfo, operationUuid, frameworkId } = message;
    const { log, failed } = this.#options;
    const uuid = operationUuid?.value ?? new Uint8Array();
    if (operationInfo === undefined || !isUuid(uuid)) {
      log.warn(`Ignoring an operation whose uuid has ${uuid.length} bytes, not 16`);
      return;
    }
    const name = describe(uuid, idOf(operationInfo), frameworkId?.value);
    if (this.#tracked.has(uuidText(uuid))) {
      log.warn(`Ignoring ${name}: it was applied already`);
      return;
    }
    const decision = decide(operationInfo);
    if (decision.kind === "contradiction") {
      failed(`cannot apply ${name}: ${decision.why}`);
      return;
    }
    if (decision.kind === "refuse") {
      log.warn(`Refusing ${name}: ${decision.why}`);
      this.#refuse(message, decision.state, decision.why);
      return;
    }
    await this.#finish({ info: operationInfo, uuid, frameworkId: frameworkId?.value }, decision.conversion);
  }

  #refuse({ operationInfo, operationUuid, frameworkId }: ApplyOperationMessage, state: OperationState, why: string) {
    const agentId = this.#options.identity.id;
    const status = operationStatus({ state, agentId, operationId: idOf(operationInfo), message: why });
    this.#tell(statusMessage(agentId, frameworkId?.value, operationUuid?.value, status));
  }

  /** Applies a conversion and starts to report it. */
  async #finish(given: Given, conversion: Conversion): Promise<void> {
    const { reservations, log, master, failed, settled } = this.#options;
    const key = uuidText(given.uuid);
    const name = describe(given.uuid, idOf(given.info), given.frameworkId);
    const operation = finishedOperation(given, this.#options.identity.id, newUuid());
    const once = feedbackFor(idOf(operation.info) !== undefined, master.version) === "once";
    const tracked = entryFor(operation);
    try {
      await reservations.change((total) => {
        const next = applyConversion(total, conversion);
        if (once) this.#tracked.delete(key);
        else this.#tracked.set(key, tracked);
        return next;
      });
    } catch (error) {
      this.#tracked.delete(key);
      failed(`cannot apply ${name}: ${messageOf(error)}`);
      return;
    }
    log.info(`Applied ${name}`);
    if (once) {
      const { latestStatus } = operation;
      if (latestStatus !== undefined) this.#tell(messageFor(operation, withoutUuid(latestStatus)));
      settled.raise();
    } else await this.#open(tracked);
  }

  /** Writes the status into the operation's own file, then sends it. */
  async #open(tracked: Tracked): Promise<void> {
    const { latestStatus } = tracked.operation;
    if (latestStatus === undefined) return;
    const update = messageFor(tracked.operation, latestStatus);
    await this.#append(tracked, { type: UpdateOperationStatusRecord_Type.UPDATE, update });
    tracked.written = true;
    this.#send(tracked);
  }

  /** The operation is in the agent's checkpoint already: a file that cannot be written is no reason to stop. */
  async #append({ operation, writes }: Tracked, init: RecordInit): Promise<void> {
    const { files, paths, identity, log } = this.#options;
    const path = paths.meta.operationUpdates(identity.id, uuidText(operation.uuid?.value ?? new Uint8Array()));
    const bytes = encode(UpdateOperationStatusRecordSchema, create(UpdateOperationStatusRecordSchema, init));
    try {
      await writes.add(() => files.append(path, encodeRecord(bytes), true));
    } catch (error) {
      log.error(`Cannot write ${path}: ${messageOf(error)}; after a restart the status is sent once more`);
    }
  }

  #tell(message: UpdateOperationStatusMessage): void {
    this.#options.master.send(UpdateOperationStatusMessageSchema, message);
  }

  #send(tracked: Tracked): void {
    const { operation } = tracked;
    tracked.retry?.cancel();
    tracked.retry = undefined;
    const key = uuidText(operation.uuid?.value ?? new Uint8Array());
    const { latestStatus } = operation;
    if (this.#paused || !tracked.written || this.#tracked.get(key) !== tracked || latestStatus === undefined) return;
    const { clock, log, master } = this.#options;
    const how = feedbackFor(idOf(operation.info) !== undefined, master.version);
    if (how === "withheld") return;
    if (how === "once") {
      this.#tell(messageFor(operation, withoutUuid(latestStatus)));
      void this.#forget(tracked);
      return;
    }
    this.#tell(messageFor(operation, latestStatus));
    tracked.retry = clock.after(tracked.backoff.next(), () => {
      log.warn(`Resending the status of operation ${key}: not acknowledged yet`);
      this.#send(tracked);
    });
  }

  /** The master's word that a status has arrived where it should. */
  async acknowledge({ operationUuid, statusUuid }: AcknowledgeOperationStatusMessage): Promise<void> {
    const { log } = this.#options;
    const key = uuidText(operationUuid?.value ?? new Uint8Array());
    const tracked = this.#tracked.get(key);
    const expected = tracked?.operation.latestStatus?.uuid?.value;
    if (tracked === undefined || expected === undefined) {
      log.warn(`Ignoring an acknowledgement of operation ${key}, which is not known here`);
      return;
    }
    if (Buffer.compare(statusUuid?.value ?? new Uint8Array(), expected) !== 0) {
      log.warn(`Ignoring an acknowledgement of operation ${key} for another status than the one in flight`);
      return;
    }
    await this.#forget(tracked, expected);
  }

  /** Forgets an operation that nobody waits for any more. `acknowledged`: the uuid of its status. */
  async #forget(tracked: Tracked, acknowledged?: Uint8Array): Promise<void> {
    const { reservations, log, paths, identity, removeFolder, settled } = this.#options;
    const key = uuidText(tracked.operation.uuid?.value ?? new Uint8Array());
    tracked.retry?.cancel();
    this.#tracked.delete(key);
    if (acknowledged !== undefined) {
      await this.#append(tracked, { type: UpdateOperationStatusRecord_Type.ACK, uuid: uuidOf(acknowledged) });
    }
    try {
      await reservations.change((total) => total);
      await removeFolder(paths.meta.operation(identity.id, key));
    } catch (error) {
      log.error(
        `Cannot remove operation ${key} from the checkpoint: ${messageOf(error)}; its status may be sent again`,
      );
    }
    settled.raise();
  }

  /** Answers what a master, or a framework by way of it, asks about operations that it misses. */
  reconcile(message: ReconcileOperationsMessage): void {
    const known = this.pending();
    for (const answer of reconciliation(message, known, this.#options.identity.id)) this.#tell(answer);
  }

  /** The master is gone: nothing is sent until resume(). */
  pause(): void {
    this.#paused = true;
    for (const tracked of this.#tracked.values()) {
      tracked.retry?.cancel();
      tracked.retry = undefined;
    }
  }

  /** Registered, and the master has been told of `announced()`. */
  resume(): void {
    this.#paused = false;
    for (const tracked of [...this.#tracked.values()]) {
      tracked.backoff.reset();
      this.#send(tracked);
    }
  }

  /** What the checkpoint says was not acknowledged, before anything else is changed. */
  load(operations: readonly Operation[]): void {
    for (const operation of operations) {
      const uuid = operation.uuid?.value ?? new Uint8Array();
      if (isUuid(uuid)) this.#tracked.set(uuidText(uuid), entryFor(operation));
    }
  }

  /** A new agent's: what an earlier one left undone is nobody's. */
  abandon(): void {
    this.#tracked.clear();
  }

  /**
   * Carries on with what load() found: drops what was acknowledged, applies what a C++ agent had only begun, takes up
   * the files of the rest. Call it when resources are recovered. Throws when what was begun cannot be applied.
   */
  async recover(streams: readonly CheckpointedOperationStream[]): Promise<void> {
    const { log, paths, identity, removeFolder } = this.#options;
    for (const { uuid, records } of streams) {
      const tracked = this.#tracked.get(uuid);
      const acknowledged = records.some(({ type }) => type === UpdateOperationStatusRecord_Type.ACK);
      if (tracked !== undefined && !acknowledged) tracked.written = records.length > 0;
      else {
        if (tracked === undefined) log.warn(`Removing what is left of operation ${uuid}, which is over`);
        this.#tracked.delete(uuid);
        await removeFolder(paths.meta.operation(identity.id, uuid));
      }
    }
    for (const [key, tracked] of [...this.#tracked]) {
      if (tracked.operation.latestStatus?.state === OperationState.OPERATION_PENDING) await this.#redo(key, tracked);
      else if (!tracked.written) await this.#open(tracked);
    }
    if (this.#tracked.size > 0) log.info(`Recovered ${this.#tracked.size} operations that are not acknowledged`);
  }

  /** Since 1.8 C++ agents write CREATE and DESTROY down before they do them. */
  async #redo(key: string, { operation: { info, frameworkId, uuid } }: Tracked): Promise<void> {
    const decision = info === undefined ? undefined : decide(info);
    if (info === undefined || uuid === undefined || decision?.kind !== "apply") {
      this.#options.failed(`cannot apply the checkpointed operation ${key}`);
      return;
    }
    await this.#finish({ info, uuid: uuid.value, frameworkId: frameworkId?.value }, decision.conversion);
  }

  /** Stops sending; resolves when what is being written is. */
  async close(): Promise<void> {
    this.pause();
    await Promise.all([...this.#tracked.values()].map(({ writes }) => writes.drained()));
  }
}

const entryFor = (operation: Operation): Tracked => ({
  operation,
  writes: new SerialQueue(),
  backoff: new Backoff(RETRY),
  retry: undefined,
  written: false,
});

const uuidOf = (value: Uint8Array): NonNullable<Operation["uuid"]> => ({ $typeName: "mesos.v1.UUID", value });

const messageFor = (
  { agentId, frameworkId, uuid }: Operation,
  status: NonNullable<Operation["latestStatus"]>,
): UpdateOperationStatusMessage => statusMessage(agentId?.value ?? "", frameworkId?.value, uuid?.value, status);

const describe = (uuid: Uint8Array, id: string | undefined, frameworkId: string | undefined): string =>
  `operation ${id === undefined ? "" : `'${id}' `}${uuidText(uuid)} of ${frameworkId === undefined ? "an operator" : `framework ${frameworkId}`}`;
