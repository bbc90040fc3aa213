import { TaskState, TaskStatus_Reason } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerTermination } from "../../model/container.ts";
import { describeWaitStatus } from "../../model/wait-status.ts";
import type { EndCause } from "../command-task.ts";
import type { Outcome } from "../outcome.ts";

function plainState(status: number, cause: EndCause | undefined): TaskState {
  if (cause === "overdue") return TaskState.TASK_FAILED;
  if (cause !== undefined) return TaskState.TASK_KILLED;
  return status === 0 ? TaskState.TASK_FINISHED : TaskState.TASK_FAILED;
}

/** How the end of a task's container is reported by Mesos' default executor. `cause`: why we ended it. */
export function groupOutcome(termination: ContainerTermination, cause: EndCause | undefined): Outcome {
  const { status, state, reason, message, limitation } = termination;
  const words = status === undefined ? undefined : `Command ${describeWaitStatus(status)}`;
  const known = status === undefined ? TaskState.TASK_FAILED : plainState(status, cause);
  const overdue = cause === "overdue" ? TaskStatus_Reason.MAX_COMPLETION_TIME_REACHED : undefined;
  const why = reason ?? overdue;
  return {
    state: state ?? known,
    message: [words, message].filter(Boolean).join(": ") || "Command terminated with unknown status",
    ...(why !== undefined && { reason: why }),
    ...(limitation && limitation.length > 0 && { limitation }),
    ...(cause === "unhealthy" && { healthy: false as const }),
  };
}

/** Whether the end of one task ends the others of its group. */
export const endsGroup = ({ state }: Pick<Outcome, "state">): boolean =>
  state === TaskState.TASK_FAILED || state === TaskState.TASK_KILLED;
