import { equals } from "@bufbuild/protobuf";
import { has } from "../mesos/codec.ts";
import {
  type ContainerInfo,
  ContainerInfo_Type,
  type ExecutorInfo,
  ExecutorInfo_Type,
  ExecutorInfoSchema,
  HealthCheck_Type,
  type Resource,
  type TaskInfo,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf, idProblem } from "../mesos/ids.ts";
import { Resources, resourceProblem } from "../mesos/resources.ts";
import { formatResources } from "../mesos/resources-text.ts";
import { taskProblem } from "./validation.ts";

/** What a 1.11 master refuses a task group for with TASK_ERROR, REASON_TASK_GROUP_INVALID (facts of its master/validation). */

export interface GroupContext {
  readonly agentId: string;
  readonly frameworkId: string;
  /** What is left of the offers, without allocation. */
  readonly available: Resources;
  readonly taskExists: (taskId: string) => boolean;
  /** The executor that runs by this id, as it was launched; undefined: none. */
  readonly runningExecutor: ExecutorInfo | undefined;
  /** The containers of the tasks that it has. */
  readonly itsContainers: readonly (ContainerInfo | undefined)[];
}

type Problems = Generator<string>;

const [LEAST_CPUS, LEAST_MEM] = [0.01, 32];

/** Unless somebody says otherwise, tasks run in their executor's control groups. */
const sharesGroups = (container: ContainerInfo | undefined): boolean => container?.linuxInfo?.shareCgroups ?? true;

/** Of what makes no amounts: nothing can be counted with them. */
function* resourcesProblems(resources: readonly Resource[]): Problems {
  for (const resource of resources) {
    const problem = resourceProblem(resource);
    if (problem !== undefined) yield `Invalid resources: ${problem}`;
  }
}

function* memberProblems(task: TaskInfo, { agentId, taskExists }: GroupContext): Problems {
  const id = idOf(task.taskId);
  const wrong = idProblem(id);
  if (wrong !== undefined) yield `the task id ${wrong}`;
  if (taskExists(id)) yield `task '${id}' exists`;
  if (task.agentId?.value !== agentId)
    yield `the task is for agent ${task.agentId?.value}, the offers are of agent ${agentId}`;
  const problem = taskProblem(task);
  if (problem !== undefined) yield problem;
  if (task.resources.length === 0) yield "Task uses no resources";
  yield* resourcesProblems(task.resources);
  const { container, healthCheck, limits } = task;
  const isNetworked = healthCheck?.type === HealthCheck_Type.HTTP || healthCheck?.type === HealthCheck_Type.TCP;
  if (container !== undefined && container.networkInfos.length > 0 && isNetworked)
    yield "HTTP and TCP health checks are not supported for nested containers not joining parent's network";
  if (container?.type === ContainerInfo_Type.DOCKER) yield "Docker ContainerInfo is not supported on the task";
  if (Object.keys(limits).length > 0 && sharesGroups(container))
    yield "Resource limits may only be set for tasks within a task group when the 'share_cgroups' field is set to 'false'.";
}

function* executorProblems(executor: ExecutorInfo, { frameworkId, runningExecutor }: GroupContext): Problems {
  const wrong = idProblem(idOf(executor.executorId));
  if (wrong !== undefined) yield `the executor id ${wrong}`;
  yield* resourcesProblems(executor.resources);
  const { type, container } = executor;
  if (type === ExecutorInfo_Type.DEFAULT) {
    if (executor.command !== undefined) yield "'ExecutorInfo.command' must not be set for 'DEFAULT' executor";
    if (container !== undefined && container.type !== ContainerInfo_Type.MESOS)
      yield "'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor";
    if (container?.mesos?.image !== undefined)
      yield "'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor";
  }
  if (type === ExecutorInfo_Type.CUSTOM && executor.command === undefined)
    yield "'ExecutorInfo.command' must be set for 'CUSTOM' executor";
  if (executor.frameworkId === undefined) yield "'ExecutorInfo.framework_id' must be set";
  else if (executor.frameworkId.value !== frameworkId)
    yield `ExecutorInfo has an invalid FrameworkID (Actual: ${executor.frameworkId.value} vs Expected: ${frameworkId})`;
  if ((executor.shutdownGracePeriod?.nanoseconds ?? 0n) < 0n)
    yield "ExecutorInfo's 'shutdown_grace_period' must be non-negative";
  if (runningExecutor !== undefined && !isSame(executor, runningExecutor))
    yield "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.";
  if (!has(executor, "type")) yield "'ExecutorInfo.type' must be set";
  else if (type === ExecutorInfo_Type.UNKNOWN) yield "Unknown executor type";
  if (container?.type === ContainerInfo_Type.DOCKER) yield "Docker ContainerInfo is not supported on the executor";
  if (container?.linuxInfo && has(container.linuxInfo, "shareCgroups") && container.linuxInfo.shareCgroups)
    yield "The 'share_cgroups' field cannot be set to 'true' on executor containers";
}

/** Whether two are the same but for how their resources are written. */
function isSame(one: ExecutorInfo, other: ExecutorInfo): boolean {
  const bare = (executor: ExecutorInfo): ExecutorInfo =>
    Object.assign(Object.create(Object.getPrototypeOf(executor)), executor, { resources: [] });
  const amounts = ({ resources }: ExecutorInfo): string => formatResources(Resources.of(resources).unallocated());
  return equals(ExecutorInfoSchema, bare(one), bare(other)) && amounts(one) === amounts(other);
}

function* resourceProblems(
  tasks: readonly TaskInfo[],
  executor: ExecutorInfo,
  { available, runningExecutor }: GroupContext,
): Problems {
  const own = Resources.of(executor.resources).unallocated();
  const id = idOf(executor.executorId);
  const [cpus, mem] = [own.scalar("cpus"), own.scalar("mem")];
  if (cpus === undefined || cpus < LEAST_CPUS)
    yield `Executor '${id}' uses less CPUs (${cpus ?? "None"}) than the minimum required (${LEAST_CPUS})`;
  if (mem === undefined || mem < LEAST_MEM)
    yield `Executor '${id}' uses less memory (${mem === undefined ? "None" : `${mem}MB`}) than the minimum required (${LEAST_MEM}MB)`;
  if (own.scalar("disk") === undefined) yield `Executor '${id}' uses no disk`;
  const all = tasks.reduce(
    (sum, { resources }) => sum.add(Resources.of(resources).unallocated()),
    runningExecutor === undefined ? own : Resources.empty,
  );
  if (!available.contains(all))
    yield `Total resources ${formatResources(all)} required by task group and its executor are more than available ${formatResources(available)}`;
}

function* groupProblems(tasks: readonly TaskInfo[], executor: ExecutorInfo, context: GroupContext): Problems {
  const seen = new Set<string>();
  for (const task of tasks) {
    const id = idOf(task.taskId);
    const taskExists = (other: string): boolean => seen.has(other) || context.taskExists(other);
    for (const problem of memberProblems(task, { ...context, taskExists })) yield `Task '${id}' is invalid: ${problem}`;
    seen.add(id);
  }
  yield* executorProblems(executor, context);
  for (const task of tasks)
    if (task.executor !== undefined && !equals(ExecutorInfoSchema, task.executor, executor))
      yield `The \`ExecutorInfo\` of task '${idOf(task.taskId)}' is different from executor '${idOf(executor.executorId)}'`;
  yield* resourceProblems(tasks, executor, context);
  const shared = new Set([...tasks.map(({ container }) => container), ...context.itsContainers].map(sharesGroups));
  if (shared.size > 1)
    yield "If set, the value of 'share_cgroups' must be the same for all tasks in each task group and under a single executor";
}

/** Why a 1.11 master would not launch the group; undefined when it would. */
export function groupProblem(
  tasks: readonly TaskInfo[],
  executor: ExecutorInfo,
  context: GroupContext,
): string | undefined {
  return groupProblems(tasks, executor, context).next().value ?? undefined;
}
