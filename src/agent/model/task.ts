import { create } from "@bufbuild/protobuf";
import {
  type FrameworkInfo,
  type Task,
  type TaskInfo,
  TaskSchema,
  TaskState,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";

/**
 * The bookkeeping message of a task, as the master makes it too. `executor_id` stays unset for command tasks: a master
 * would look for that executor (mesos-wire §3.6).
 */
export function makeTask(framework: FrameworkInfo, info: TaskInfo): Task {
  const user = info.command?.user || info.executor?.command?.user || framework.user;
  return create(TaskSchema, {
    name: info.name,
    ...(info.taskId && { taskId: info.taskId }),
    ...(framework.id && { frameworkId: framework.id }),
    ...(info.agentId && { agentId: info.agentId }),
    state: TaskState.TASK_STAGING,
    resources: info.resources,
    ...(info.executor?.executorId && { executorId: info.executor.executorId }),
    ...(info.labels && { labels: info.labels }),
    ...(info.discovery && { discovery: info.discovery }),
    ...(info.container && { container: info.container }),
    ...(user !== "" && { user }),
    ...(info.healthCheck && { healthCheck: info.healthCheck }),
    ...(info.killPolicy && { killPolicy: info.killPolicy }),
    limits: info.limits,
  });
}
