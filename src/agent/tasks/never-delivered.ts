import { TaskState } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { type ExecutorRecord, moveTask, type TaskRecord, tasksIn } from "../model/records.ts";

/**
 * Tasks that a returning executor never got: the agent had handed them over, nothing was ever heard of them, and the
 * executor does not list them. Those that still wait for it stay queued; what it lists, it has. (C++: re-registration of
 * executors, Agent::reregisterExecutor and Agent::subscribe.)
 */
export function neverDelivered(executor: ExecutorRecord, listed: ReadonlySet<string | undefined>): TaskRecord[] {
  for (const task of tasksIn(executor, "queued")) if (listed.has(task.taskId)) moveTask(task, "launched");
  return tasksIn(executor, "launched").filter(
    ({ task, taskId }) => task.state === TaskState.TASK_STAGING && !listed.has(taskId),
  );
}
