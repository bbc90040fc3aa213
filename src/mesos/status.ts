import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type StatusUpdate, StatusUpdateSchema } from "./gen/mesos/internal/messages_pb.ts";
import {
  type TaskState,
  type TaskStatus,
  type TaskStatus_Reason,
  TaskStatus_Source,
  TaskStatusSchema,
} from "./gen/mesos/v1/mesos_pb.ts";
import { newUuid } from "./ids.ts";

type StatusInit = Omit<MessageInitShape<typeof TaskStatusSchema>, "$typeName" | "$unknown">;

export interface StatusOptions extends StatusInit {
  readonly taskId: { readonly value: string };
  readonly state: TaskState;
  readonly reason?: TaskStatus_Reason;
  readonly message?: string;
}

/**
 * A TaskStatus that the agent itself makes: SOURCE_AGENT and a fresh uuid unless given.
 *
 * @param now milliseconds since the epoch; the wire has seconds.
 */
export function makeStatus(now: number, options: StatusOptions): TaskStatus {
  return create(TaskStatusSchema, {
    source: TaskStatus_Source.AGENT,
    timestamp: now / 1000,
    uuid: newUuid(),
    ...options,
  });
}

/** A status without uuid wants no acknowledgement: what masters answer to reconciliation. */
export function makeUnacknowledgedStatus(now: number, options: StatusOptions): TaskStatus {
  const status = makeStatus(now, options);
  delete (status as { uuid?: Uint8Array }).uuid;
  return status;
}

/**
 * The StatusUpdate around a status: executor, agent, timestamp and uuid are copied from it, as peers expect.
 * `latestState` is for the moment of forwarding.
 */
export function makeStatusUpdate(frameworkId: string, status: TaskStatus, latestState?: TaskState): StatusUpdate {
  return create(StatusUpdateSchema, {
    frameworkId: { value: frameworkId },
    status,
    timestamp: status.timestamp,
    ...(status.executorId && { executorId: status.executorId }),
    ...(status.agentId && { agentId: status.agentId }),
    ...(Object.hasOwn(status, "uuid") && { uuid: status.uuid }),
    ...(latestState !== undefined && { latestState }),
  });
}
