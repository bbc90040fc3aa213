import { create } from "@bufbuild/protobuf";
import { messageOf } from "../base/errors.ts";
import { has } from "../mesos/codec.ts";
import { copyOf } from "../mesos/copy.ts";
import {
  type ExecutorInfo,
  ExecutorInfo_Type,
  type FrameworkInfo,
  type Task,
  type TaskInfo,
  TaskSchema,
  TaskState,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf, idProblem } from "../mesos/ids.ts";
import { Resources } from "../mesos/resources.ts";
import { formatResources } from "../mesos/resources-text.ts";
import { type Dialect, speak } from "./model.ts";
import { taskProblem } from "./validation.ts";

export interface LaunchContext {
  readonly agentId: string;
  /** What is left of the offers, without allocation. */
  readonly available: Resources;
  readonly taskExists: (taskId: string) => boolean;
  readonly executorExists: (executorId: string) => boolean;
}

/** What a launch takes from the offers. */
export interface Demand {
  readonly task: Resources;
  /** Empty when the executor runs already, or there is none. */
  readonly executor: Resources;
}

function executorProblem(executor: ExecutorInfo, frameworkId: string): string | undefined {
  const problem = idProblem(idOf(executor.executorId));
  if (problem !== undefined) return `the executor id ${problem}`;
  if (executor.frameworkId !== undefined && executor.frameworkId.value !== frameworkId)
    return "the executor names another framework";
  // The default executor takes groups of tasks only.
  if (has(executor, "type") && executor.type !== ExecutorInfo_Type.CUSTOM)
    return "'ExecutorInfo.type' must be 'CUSTOM' for a task that is launched alone: launch a group with LAUNCH_GROUP";
  if (executor.command === undefined) return "an executor needs a command: 'ExecutorInfo.command' must be set";
  if ((executor.shutdownGracePeriod?.nanoseconds ?? 0n) < 0n)
    return "ExecutorInfo's 'shutdown_grace_period' must be non-negative";
  const groups = executor.container?.linuxInfo;
  if (groups !== undefined && has(groups, "shareCgroups") && groups.shareCgroups)
    return "The 'share_cgroups' field cannot be set to 'true' on executor containers";
  return undefined;
}

/** What a task demands, or why it cannot be launched with these offers. */
export function demandOf(task: TaskInfo, frameworkId: string, context: LaunchContext): Demand | string {
  const id = idOf(task.taskId);
  const problem = idProblem(id);
  if (problem !== undefined) return `the task id ${problem}`;
  if (context.taskExists(id)) return `task '${id}' exists`;
  if (task.agentId?.value !== context.agentId)
    return `the task is for agent ${task.agentId?.value}, the offers are of agent ${context.agentId}`;
  const { executor, command } = task;
  if ((executor === undefined) === (command === undefined))
    return "a task needs exactly one of 'command' and 'executor'";
  const wrong = executor === undefined ? undefined : executorProblem(executor, frameworkId);
  if (wrong !== undefined) return wrong;
  const refused = taskProblem(task);
  if (refused !== undefined) return refused;
  if (task.resources.length === 0) return "Task uses no resources";
  if (task.container?.linuxInfo?.shareCgroups === false)
    return "Only tasks in a task group may have 'share_cgroups' set to 'false'";
  try {
    const own = Resources.of(task.resources).unallocated();
    const fresh = executor !== undefined && !context.executorExists(idOf(executor.executorId));
    const forExecutor = fresh ? Resources.of(executor.resources).unallocated() : Resources.empty;
    const all = own.add(forExecutor);
    if (!context.available.contains(all))
      return `the task uses more resources (${formatResources(all)}) than available (${formatResources(context.available)})`;
    return { task: own, executor: forExecutor };
  } catch (error) {
    return messageOf(error);
  }
}

/** The task as masters and agents keep it, just launched. */
export function taskOf(info: TaskInfo, frameworkId: string, role: string, executor?: ExecutorInfo): Task {
  const user = (info.command ?? info.executor?.command ?? executor?.command)?.user;
  const executorId = executor?.executorId ?? info.executor?.executorId;
  return create(TaskSchema, {
    name: info.name,
    ...(info.taskId && { taskId: info.taskId }),
    frameworkId: { value: frameworkId },
    ...(info.agentId && { agentId: info.agentId }),
    ...(executorId && { executorId }),
    state: TaskState.TASK_STAGING,
    resources: Resources.of(info.resources).unallocated().allocatedTo(role).toMessages(),
    ...(info.labels && { labels: info.labels }),
    ...(info.discovery && { discovery: info.discovery }),
    ...(info.container && { container: info.container }),
    ...(info.healthCheck && { healthCheck: info.healthCheck }),
    ...(info.killPolicy && { killPolicy: info.killPolicy }),
    ...(user && { user }),
    limits: info.limits,
  });
}

/** The task as its agent is told: resources allocated to the role, in the agent's format; the executor's framework set. */
export function taskForAgent(info: TaskInfo, framework: FrameworkInfo, role: string, dialect: Dialect): TaskInfo {
  const told = copyOf(info);
  told.resources = speak(Resources.of(info.resources).unallocated(), dialect, role);
  if (told.executor !== undefined) prepareExecutor(told.executor, framework, role, dialect);
  return told;
}

/** A task of a group: with its executor in it, as masters send it. */
export function groupTaskForAgent(
  info: TaskInfo,
  executor: ExecutorInfo,
  framework: FrameworkInfo,
  role: string,
  dialect: Dialect,
): TaskInfo {
  const whole = copyOf(info);
  whole.executor = copyOf(executor);
  return taskForAgent(whole, framework, role, dialect);
}

/** Fills in what agents expect of an executor, in place. */
export function prepareExecutor(
  executor: ExecutorInfo,
  framework: FrameworkInfo,
  role: string,
  dialect: Dialect,
): void {
  executor.resources = speak(Resources.of(executor.resources).unallocated(), dialect, role);
  if (framework.id !== undefined) executor.frameworkId = framework.id;
  if (!Object.hasOwn(executor, "type")) executor.type = ExecutorInfo_Type.CUSTOM;
}
