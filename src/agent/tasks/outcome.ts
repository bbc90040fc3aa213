import { TaskState, TaskStatus_Reason } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerTermination } from "../model/container.ts";
import { commandEndMessage } from "../model/wait-status.ts";

export interface OutcomeContext {
  /** The master is 1.5.1 or newer: a killed task that ends with status 0 is KILLED, not FINISHED. */
  readonly masterTracksExecutors: boolean;
  readonly killed: boolean;
  /** The kill came from the task's own failing health check. */
  readonly unhealthy: boolean;
  /** TaskInfo.max_completion_time was over. */
  readonly timedOut: boolean;
}

export interface Outcome {
  readonly state: TaskState;
  readonly reason?: TaskStatus_Reason;
  readonly message: string;
  readonly healthy?: false;
  readonly limitation?: ContainerTermination["limitation"];
}

/** How the end of a command task's container is reported (mesos-agent-behaviour §5.12, the table of final statuses). */
export function outcomeOf(termination: ContainerTermination, context: OutcomeContext): Outcome {
  const { status } = termination;
  const healthy = context.unhealthy ? ({ healthy: false } as const) : {};
  const message = termination.message ?? commandEndMessage(status);
  if (termination.state !== undefined) {
    return {
      state: termination.state,
      message,
      ...(termination.reason !== undefined && { reason: termination.reason }),
      ...(termination.limitation && { limitation: termination.limitation }),
      ...healthy,
    };
  }
  if (context.timedOut) {
    return { state: TaskState.TASK_FAILED, reason: TaskStatus_Reason.MAX_COMPLETION_TIME_REACHED, message };
  }
  if (context.killed && (context.masterTracksExecutors || status !== 0))
    return { state: TaskState.TASK_KILLED, message, ...healthy };
  return { state: status === 0 ? TaskState.TASK_FINISHED : TaskState.TASK_FAILED, message, ...healthy };
}
