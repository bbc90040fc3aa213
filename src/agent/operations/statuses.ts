import { create } from "@bufbuild/protobuf";
import { encode } from "../../mesos/codec.ts";
import { copyOf } from "../../mesos/copy.ts";
import {
  type UpdateOperationStatusMessage,
  UpdateOperationStatusMessageSchema,
  UpdateOperationStatusRecord_Type,
  UpdateOperationStatusRecordSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import {
  type Offer_Operation,
  type Operation,
  OperationSchema,
  OperationState,
  type OperationStatus,
  OperationStatusSchema,
  UUIDSchema,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf, isUuid, newUuid, uuidText } from "../../mesos/ids.ts";
import type { StreamKind } from "../acknowledged/streams.ts";

export interface StatusInit {
  readonly state: OperationState;
  readonly agentId: string;
  readonly operationId: string | undefined;
  readonly providerId?: string | undefined;
  /** 16 bytes; only for what wants an acknowledgement. */
  readonly uuid?: Uint8Array | undefined;
  readonly message?: string | undefined;
}

/** The id that a framework gave an operation, if it wants feedback. */
export const operationIdOf = (operation: Offer_Operation | undefined): string | undefined => operation?.id?.value;

export const operationStatus = ({ state, agentId, operationId, providerId, uuid, message }: StatusInit) =>
  create(OperationStatusSchema, {
    state,
    agentId: { value: agentId },
    ...(operationId !== undefined && { operationId: { value: operationId } }),
    ...(providerId !== undefined && { resourceProviderId: { value: providerId } }),
    ...(uuid !== undefined && { uuid: { value: uuid } }),
    ...(message !== undefined && { message }),
  });

/** A status on its way to the master. `agent_id` is always set: a 1.11 master aborts without. */
export function statusMessage(
  agentId: string,
  frameworkId: string | undefined,
  operationUuid: Uint8Array | undefined,
  status: OperationStatus,
): UpdateOperationStatusMessage {
  return create(UpdateOperationStatusMessageSchema, {
    agentId: { value: agentId },
    ...(frameworkId !== undefined && { frameworkId: { value: frameworkId } }),
    ...(operationUuid !== undefined && { operationUuid: { value: operationUuid } }),
    status,
  });
}

/** The same status for somebody who shall not acknowledge it. */
export function withoutUuid(status: OperationStatus): OperationStatus {
  const copy = copyOf(status);
  delete copy.uuid;
  return copy;
}

/** An operation that is done, as it is kept until its status (`statusUuid`) is acknowledged. */
export function finishedOperation(
  { info, uuid, frameworkId }: { info: Offer_Operation; uuid: Uint8Array; frameworkId: string | undefined },
  agentId: string,
  statusUuid: Uint8Array,
): Operation {
  const state = OperationState.OPERATION_FINISHED;
  const status = operationStatus({ state, agentId, operationId: operationIdOf(info), uuid: statusUuid });
  return create(OperationSchema, {
    info,
    uuid: { value: uuid },
    agentId: { value: agentId },
    ...(frameworkId !== undefined && { frameworkId: { value: frameworkId } }),
    latestStatus: status,
    statuses: [status],
  });
}

/** An operation's status on its way to the master. */
export const messageFor = (
  { agentId, frameworkId, uuid }: Operation,
  status: OperationStatus,
): UpdateOperationStatusMessage => statusMessage(idOf(agentId), frameworkId?.value, uuid?.value, status);

/** A checkpointed operation, with something in its status that can be acknowledged. C++ agents always write it. */
export function withStatusUuid(operation: Operation): Operation {
  const { latestStatus } = operation;
  if (latestStatus === undefined || isUuid(latestStatus.uuid?.value ?? new Uint8Array())) return operation;
  const completed = copyOf(operation);
  completed.latestStatus = copyOf(latestStatus);
  completed.latestStatus.uuid = create(UUIDSchema, { value: newUuid() });
  return completed;
}

/** How the status of an operation is carried: there is one, and it is on disk before it is sent. */
export const operationKind = (send: (operation: Operation) => boolean): StreamKind<Operation> => ({
  uuidOf: ({ latestStatus }) => latestStatus?.uuid?.value ?? new Uint8Array(),
  isLast: () => true,
  describe: ({ uuid }) => `the status of operation ${uuidText(uuid?.value ?? new Uint8Array())}`,
  itemRecord: (operation) => {
    const { latestStatus } = operation;
    const type = UpdateOperationStatusRecord_Type.UPDATE;
    const init = latestStatus === undefined ? { type } : { type, update: messageFor(operation, latestStatus) };
    return encode(UpdateOperationStatusRecordSchema, create(UpdateOperationStatusRecordSchema, init));
  },
  acknowledgementRecord: (value) =>
    encode(
      UpdateOperationStatusRecordSchema,
      create(UpdateOperationStatusRecordSchema, { type: UpdateOperationStatusRecord_Type.ACK, uuid: { value } }),
    ),
  isSynced: () => true,
  send,
});
