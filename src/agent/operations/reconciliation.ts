import type {
  ReconcileOperationsMessage,
  ReconcileOperationsMessage_Operation,
  UpdateOperationStatusMessage,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { type Operation, OperationState, type OperationStatus } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { operationIdOf, operationStatus, statusMessage, withoutUuid } from "./statuses.ts";

type Asked = ReconcileOperationsMessage_Operation;

/**
 * The answers to a reconciliation (mesos-wire §3.12), none of which wants an acknowledgement. A framework asks about
 * operations that the master does not know: it is told what is known here. The master asks about operations that it
 * misses: those that never arrived are OPERATION_DROPPED. No resource provider was ever here. Pure.
 */
export function reconciliation(
  { operations, frameworkId }: ReconcileOperationsMessage,
  known: readonly Operation[],
  agentId: string,
): UpdateOperationStatusMessage[] {
  const framework = frameworkId?.value;
  return operations.flatMap((asked) => {
    const status =
      framework === undefined ? answerToMaster(asked, known, agentId) : answerTo(framework, asked, known, agentId);
    if (status === undefined) return [];
    const uuid = asked.operationUuid?.value ?? find(asked, framework, known)?.uuid?.value;
    return [statusMessage(agentId, framework, uuid, status)];
  });
}

function find(asked: Asked, framework: string | undefined, known: readonly Operation[]): Operation | undefined {
  const uuid = asked.operationUuid?.value;
  if (uuid !== undefined) return known.find((one) => Buffer.compare(one.uuid?.value ?? new Uint8Array(), uuid) === 0);
  const id = asked.operationId?.value;
  return known.find(({ info, frameworkId }) => operationIdOf(info) === id && frameworkId?.value === framework);
}

function answerTo(
  framework: string,
  asked: Asked,
  known: readonly Operation[],
  agentId: string,
): OperationStatus | undefined {
  const latest = find(asked, framework, known)?.latestStatus;
  if (latest !== undefined) return withoutUuid(latest);
  const providerId = asked.resourceProviderId?.value;
  if (providerId === undefined) return undefined;
  const operationId = asked.operationId?.value;
  return operationStatus({ state: OperationState.OPERATION_UNKNOWN, agentId, operationId, providerId });
}

function answerToMaster(asked: Asked, known: readonly Operation[], agentId: string): OperationStatus | undefined {
  if (asked.operationUuid === undefined || find(asked, undefined, known) !== undefined) return undefined;
  const providerId = asked.resourceProviderId?.value;
  const operationId = asked.operationId?.value;
  return operationStatus({ state: OperationState.OPERATION_DROPPED, agentId, operationId, providerId });
}
