import { create } from "@bufbuild/protobuf";
import { copyOf } from "../../../mesos/copy.ts";
import {
  type Response_GetContainers,
  Response_GetContainersSchema,
  type Response_GetExecutors,
  Response_GetExecutorsSchema,
  type Response_GetFrameworks,
  Response_GetFrameworksSchema,
  type Response_GetTasks,
  Response_GetTasksSchema,
} from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import { type Task, TaskState } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { containerIdOf } from "../../model/nested.ts";
import { type ExecutorRecord, type FrameworkRecord, type TaskBucket, tasksIn } from "../../model/records.ts";
import type { AgentSnapshot, AgentView, ContainerUsage, NestedUsage } from "../view.ts";
import { shownExecutor } from "./shown-executor.ts";

/** All frameworks, those that are gone after those that are not. */
const everyFramework = ({ frameworks, completedFrameworks }: AgentSnapshot): FrameworkRecord[] => [
  ...frameworks,
  ...completedFrameworks,
];

const everyExecutor = (framework: FrameworkRecord): ExecutorRecord[] => [
  ...framework.executors.values(),
  ...framework.completedExecutors,
];

export const frameworksMessage = (snapshot: AgentSnapshot): Response_GetFrameworks =>
  create(Response_GetFrameworksSchema, {
    frameworks: [...snapshot.frameworks].map(({ info }) => ({ frameworkInfo: info })),
    completedFrameworks: [...snapshot.completedFrameworks].map(({ info }) => ({ frameworkInfo: info })),
  });

export function executorsMessage(snapshot: AgentSnapshot, flags: AgentView["flags"]): Response_GetExecutors {
  const shown = (executor: ExecutorRecord) => ({ executorInfo: shownExecutor(executor, flags?.get("launcher_dir")) });
  const frameworks = everyFramework(snapshot);
  return create(Response_GetExecutorsSchema, {
    executors: frameworks.flatMap(({ executors }) => [...executors.values()].map(shown)),
    completedExecutors: frameworks.flatMap(({ completedExecutors }) => completedExecutors.map(shown)),
  });
}

/** A task that no executor has yet is in TASK_STAGING for clients, whatever is noted of it here. */
function staged(task: Task): Task {
  if (task.state === TaskState.TASK_STAGING) return task;
  return Object.assign(copyOf(task), { state: TaskState.TASK_STAGING });
}

export function tasksMessage(snapshot: AgentSnapshot): Response_GetTasks {
  const frameworks = everyFramework(snapshot);
  const executors = frameworks.flatMap(everyExecutor);
  const inBucket = (bucket: TaskBucket): Task[] =>
    executors.flatMap((executor) => tasksIn(executor, bucket).map(({ task }) => task));
  const pending = frameworks.flatMap((framework) => [...framework.pending.values()].map(({ task }) => task));
  return create(Response_GetTasksSchema, {
    pendingTasks: pending.map(staged),
    queuedTasks: inBucket("queued").map(staged),
    launchedTasks: inBucket("launched"),
    terminatedTasks: inBucket("terminated"),
    completedTasks: executors.flatMap(({ completed }) => completed.map(({ task }) => task)),
  });
}

export const containersMessage = (
  usages: readonly ContainerUsage[],
  others: readonly NestedUsage[],
): Response_GetContainers =>
  create(Response_GetContainersSchema, {
    containers: [
      ...usages.map((usage) => ({
        frameworkId: { value: usage.frameworkId },
        executorId: { value: usage.executorId },
        executorName: usage.executorName,
        containerId: { value: usage.containerId },
        ...measured(usage),
      })),
      // Of these Mesos tells no executor either.
      ...others.map((usage) => ({ containerId: containerIdOf(usage.chain), ...measured(usage) })),
    ],
  });

const measured = ({ status, statistics }: Pick<ContainerUsage, "status" | "statistics">) => ({
  ...(status && { containerStatus: status }),
  ...(statistics && { resourceStatistics: statistics }),
});
