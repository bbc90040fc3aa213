import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Signal } from "../../base/signal.ts";
import {
  type AcknowledgeOperationStatusMessage,
  type ApplyOperationMessage,
  type ReconcileOperationsMessage,
  type UpdateOperationStatusMessage,
  UpdateOperationStatusMessageSchema,
  UpdateOperationStatusRecord_Type,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { type Offer_Operation, type Operation, OperationState } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { isUuid, newUuid, uuidText } from "../../mesos/ids.ts";
import { applyConversion, type Conversion } from "../../mesos/resource-operations.ts";
import type { Resources } from "../../mesos/resources.ts";
import { AcknowledgedStreams, type Unexpected } from "../acknowledged/streams.ts";
import type { CheckpointedOperationStream } from "../model/checkpointed-state.ts";
import type { CheckpointFiles } from "../model/files.ts";
import type { Identity } from "../model/identity.ts";
import type { MasterChannel } from "../model/master-channel.ts";
import type { Paths } from "../model/paths.ts";
import { decide, feedbackFor } from "./decide.ts";
import { reconciliation } from "./reconciliation.ts";
import {
  finishedOperation,
  messageFor,
  operationIdOf,
  operationKind,
  operationStatus,
  statusMessage,
  withoutUuid,
  withStatusUuid,
} from "./statuses.ts";

/** The operations whose status is not acknowledged. A table of its own: the agent's resources are checkpointed together with it. */
export class OperationTable {
  /** By the text of their uuid. */
  readonly tracked = new Map<string, Operation>();

  pending(): Operation[] {
    return [...this.tracked.values()];
  }
}

const UNEXPECTED: Readonly<Record<Unexpected, string>> = {
  "no-uuid": "the uuid of its status has not 16 bytes",
  unknown: "it is not known here",
  duplicate: "a duplicate",
  "not-in-flight": "it is for another status than the one in flight",
};

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
  /** One stream for each operation, of one status. */
  readonly #streams: AcknowledgedStreams<Operation>;

  constructor(options: OperationsOptions) {
    this.#options = options;
    const { clock, log, files } = options;
    this.#streams = new AcknowledgedStreams({ clock, log, files, kind: operationKind((one) => this.#send(one)) });
  }

  get #tracked(): Map<string, Operation> {
    return this.#options.table.tracked;
  }

  /** Operations whose status is not acknowledged. */
  pending(): Operation[] {
    return this.#options.table.pending();
  }

  /** What a master may be told of them at (re)registration: one that takes no feedback must not hear of them. */
  announced(): Operation[] {
    const version = this.#options.master.version;
    return this.pending().filter(({ info }) => feedbackFor(operationIdOf(info) !== undefined, version) === "reliable");
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
    const name = describe(uuid, operationIdOf(operationInfo), frameworkId?.value);
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
    const status = operationStatus({ state, agentId, operationId: operationIdOf(operationInfo), message: why });
    this.#tell(statusMessage(agentId, frameworkId?.value, operationUuid?.value, status));
  }

  /** Applies a conversion and starts to report it. */
  async #finish(given: Given, conversion: Conversion): Promise<void> {
    const { reservations, log, master, failed, settled } = this.#options;
    const key = uuidText(given.uuid);
    const name = describe(given.uuid, operationIdOf(given.info), given.frameworkId);
    const operation = finishedOperation(given, this.#options.identity.id, newUuid());
    const once = feedbackFor(operationIdOf(operation.info) !== undefined, master.version) === "once";
    try {
      await reservations.change((total) => {
        const next = applyConversion(total, conversion);
        if (once) this.#tracked.delete(key);
        else this.#tracked.set(key, operation);
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
    } else await this.#open(operation);
  }

  /** Writes the status into the operation's own file, then sends it. */
  async #open(operation: Operation): Promise<void> {
    const key = keyOf(operation);
    await this.#streams.add(key, operation, this.#pathOf(key)).sent;
  }

  #pathOf(key: string): string {
    const { paths, identity } = this.#options;
    return paths.meta.operationUpdates(identity.id, key);
  }

  #tell(message: UpdateOperationStatusMessage): void {
    this.#options.master.send(UpdateOperationStatusMessageSchema, message);
  }

  /** Sends a status as far as this master takes it; false: nobody is to acknowledge it. */
  #send(operation: Operation): boolean {
    const { latestStatus } = operation;
    const how = feedbackFor(operationIdOf(operation.info) !== undefined, this.#options.master.version);
    if (how === "withheld" || latestStatus === undefined) return false;
    if (how === "once") {
      this.#tell(messageFor(operation, withoutUuid(latestStatus)));
      const key = keyOf(operation);
      this.#tracked.delete(key);
      this.#streams.drop((one) => one === key);
      void this.#forget(key);
      return false;
    }
    this.#tell(messageFor(operation, latestStatus));
    return true;
  }

  /** The master's word that a status has arrived where it should. */
  async acknowledge({ operationUuid, statusUuid }: AcknowledgeOperationStatusMessage): Promise<void> {
    const { log } = this.#options;
    const key = uuidText(operationUuid?.value ?? new Uint8Array());
    // In the same turn: a re-registration must not announce what the master has acknowledged.
    const waited = this.#streams.head(key) !== undefined;
    const acknowledging = this.#streams.acknowledge(key, statusUuid?.value ?? new Uint8Array());
    if (waited && this.#streams.head(key) === undefined) this.#tracked.delete(key);
    const result = await acknowledging;
    if (result.kind === "ignored")
      log.warn(`Ignoring an acknowledgement of operation ${key}: ${UNEXPECTED[result.why]}`);
    else await this.#forget(key);
  }

  /** Removes what is kept of an operation that nobody waits for any more. */
  async #forget(key: string): Promise<void> {
    const { reservations, log, paths, identity, removeFolder, settled } = this.#options;
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
    this.#streams.pause();
  }

  /** Registered, and the master has been told of `announced()`. */
  resume(): void {
    this.#streams.resume();
  }

  /** What the checkpoint says was not acknowledged, before anything else is changed. */
  load(operations: readonly Operation[]): void {
    for (const operation of operations)
      if (isUuid(operation.uuid?.value ?? new Uint8Array()))
        this.#tracked.set(keyOf(operation), withStatusUuid(operation));
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
    const written = new Set<string>();
    for (const { uuid, records } of streams) {
      const operation = this.#tracked.get(uuid);
      const acknowledged = records.some(({ type }) => type === UpdateOperationStatusRecord_Type.ACK);
      if (operation !== undefined && !acknowledged) {
        if (records.length > 0) written.add(uuid);
        continue;
      }
      if (operation === undefined) log.warn(`Removing what is left of operation ${uuid}, which is over`);
      this.#tracked.delete(uuid);
      await removeFolder(paths.meta.operation(identity.id, uuid));
    }
    for (const [key, operation] of [...this.#tracked]) {
      if (operation.latestStatus?.state === OperationState.OPERATION_PENDING) await this.#redo(key, operation);
      else if (written.has(key)) this.#streams.recover(key, this.#pathOf(key), [{ item: operation }]);
      else await this.#open(operation);
    }
    if (this.#tracked.size > 0) log.info(`Recovered ${this.#tracked.size} operations that are not acknowledged`);
  }

  /** Since 1.8 C++ agents write CREATE and DESTROY down before they do them. */
  async #redo(key: string, { info, frameworkId, uuid }: Operation): Promise<void> {
    const decision = info === undefined ? undefined : decide(info);
    if (info === undefined || uuid === undefined || decision?.kind !== "apply") {
      this.#options.failed(`cannot apply the checkpointed operation ${key}`);
      return;
    }
    await this.#finish({ info, uuid: uuid.value, frameworkId: frameworkId?.value }, decision.conversion);
  }

  /** Stops sending; resolves when what is being written is. */
  close(): Promise<void> {
    return this.#streams.close();
  }
}

const keyOf = ({ uuid }: Operation): string => uuidText(uuid?.value ?? new Uint8Array());

const describe = (uuid: Uint8Array, id: string | undefined, frameworkId: string | undefined): string =>
  `operation ${id === undefined ? "" : `'${id}' `}${uuidText(uuid)} of ${frameworkId === undefined ? "an operator" : `framework ${frameworkId}`}`;
