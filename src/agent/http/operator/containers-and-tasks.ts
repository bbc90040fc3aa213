import { create, type Message } from "@bufbuild/protobuf";
import { copyOf } from "../../../mesos/copy.ts";
import {
  Response_GetContainers_ContainerSchema,
  Response_GetContainersSchema,
  Response_GetExecutors_ExecutorSchema,
  Response_GetExecutorsSchema,
  Response_GetFrameworks_FrameworkSchema,
  Response_GetFrameworksSchema,
  Response_GetStateSchema,
  Response_GetTasksSchema,
} from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import { type Task, TaskState } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { type LongMessage, listOf } from "../../../mesos/long-message.ts";
import { containerIdOf } from "../../model/nested.ts";
import type { ExecutorRecord, FrameworkRecord, TaskBucket, TaskRecord } from "../../model/records.ts";
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

const frameworkList = (frameworks: readonly FrameworkRecord[]) =>
  listOf(frameworks, ({ info }) => create(Response_GetFrameworks_FrameworkSchema, { frameworkInfo: info }));

export const frameworksMessage = ({ frameworks, completedFrameworks }: AgentSnapshot): LongMessage => ({
  schema: Response_GetFrameworksSchema,
  parts: { frameworks: frameworkList(frameworks), completedFrameworks: frameworkList(completedFrameworks) },
});

export function executorsMessage(snapshot: AgentSnapshot, flags: AgentView["flags"]): LongMessage {
  const launcherDir = flags?.get("launcher_dir");
  const list = (executors: readonly ExecutorRecord[]) =>
    listOf(executors, (executor) =>
      create(Response_GetExecutors_ExecutorSchema, { executorInfo: shownExecutor(executor, launcherDir) }),
    );
  const frameworks = everyFramework(snapshot);
  return {
    schema: Response_GetExecutorsSchema,
    parts: {
      executors: list(frameworks.flatMap(({ executors }) => [...executors.values()])),
      completedExecutors: list(frameworks.flatMap(({ completedExecutors }) => completedExecutors)),
    },
  };
}

/** A task that no executor has yet is in TASK_STAGING for clients, whatever is noted of it here. */
function staged(task: Task): Task {
  if (task.state === TaskState.TASK_STAGING) return task;
  return Object.assign(copyOf(task), { state: TaskState.TASK_STAGING });
}

const taskList = (records: readonly TaskRecord[], show: (task: Task) => Task = (task) => task) =>
  listOf(records, ({ task }) => show(task));

/** Of the tasks that an executor has. */
const BUCKETS = ["queued", "launched", "terminated"] as const;

/** A task is in one of its lists, whatever becomes of it before its turn comes. */
export function tasksMessage(snapshot: AgentSnapshot): LongMessage {
  const frameworks = everyFramework(snapshot);
  const executors = frameworks.flatMap(everyExecutor);
  const buckets = new Map<TaskBucket, TaskRecord[]>(BUCKETS.map((bucket) => [bucket, []]));
  for (const { tasks } of executors) for (const task of tasks.values()) buckets.get(task.bucket)?.push(task);
  const inBucket = (bucket: (typeof BUCKETS)[number]) => buckets.get(bucket) ?? [];
  return {
    schema: Response_GetTasksSchema,
    parts: {
      pendingTasks: taskList(
        frameworks.flatMap(({ pending }) => [...pending.values()]),
        staged,
      ),
      queuedTasks: taskList(inBucket("queued"), staged),
      launchedTasks: taskList(inBucket("launched")),
      terminatedTasks: taskList(inBucket("terminated")),
      completedTasks: taskList(executors.flatMap(({ completed }) => completed)),
    },
  };
}

export const stateMessage = (snapshot: AgentSnapshot, flags: AgentView["flags"]): LongMessage => ({
  schema: Response_GetStateSchema,
  parts: {
    getTasks: tasksMessage(snapshot),
    getExecutors: executorsMessage(snapshot, flags),
    getFrameworks: frameworksMessage(snapshot),
  },
});

export const containersMessage = (usages: readonly ContainerUsage[], others: readonly NestedUsage[]): LongMessage => ({
  schema: Response_GetContainersSchema,
  parts: { containers: listOf([...usages, ...others], containerMessage) },
});

const containerMessage = (usage: ContainerUsage | NestedUsage): Message =>
  create(
    Response_GetContainers_ContainerSchema,
    "chain" in usage
      ? // Of these Mesos tells no executor either.
        { containerId: containerIdOf(usage.chain), ...measured(usage) }
      : {
          frameworkId: { value: usage.frameworkId },
          executorId: { value: usage.executorId },
          executorName: usage.executorName,
          containerId: { value: usage.containerId },
          ...measured(usage),
        },
  );

const measured = ({ status, statistics }: Pick<ContainerUsage, "status" | "statistics">) => ({
  ...(status && { containerStatus: status }),
  ...(statistics && { resourceStatistics: statistics }),
});
