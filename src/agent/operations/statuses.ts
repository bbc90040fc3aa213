import { clone, create } from "@bufbuild/protobuf";
import {
  type UpdateOperationStatusMessage,
  UpdateOperationStatusMessageSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import {
  type Offer_Operation,
  type Operation,
  OperationSchema,
  OperationState,
  type OperationStatus,
  OperationStatusSchema,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";

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
export const idOf = (operation: Offer_Operation | undefined): string | undefined => operation?.id?.value;

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
  const copy = clone(OperationStatusSchema, status);
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
  const status = operationStatus({ state, agentId, operationId: idOf(info), uuid: statusUuid });
  return create(OperationSchema, {
    info,
    uuid: { value: uuid },
    agentId: { value: agentId },
    ...(frameworkId !== undefined && { frameworkId: { value: frameworkId } }),
    latestStatus: status,
    statuses: [status],
  });
}
