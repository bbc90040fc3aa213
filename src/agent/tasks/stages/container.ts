import { messageOf } from "../../../base/errors.ts";
import { type CommandInfo, type ContainerInfo, ContainerInfo_Type } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { variablesOf } from "../../../mesos/secrets.ts";
import { executorShare } from "../../model/command-share.ts";
import type { Containerizer, ContainerSpec } from "../../model/container.ts";
import { TaskFailure } from "../../model/failure.ts";
import { type ExecutorRecord, tasksIn } from "../../model/records.ts";
import { executorLimits } from "../limits.ts";
import type { TaskEnvironment } from "../task-environment.ts";
import type { Launch, Stage } from "./stage.ts";

export interface ContainerStageOptions {
  readonly containerizers: readonly Containerizer[];
  /** `--default_container_info`: of tasks and executors that bring none. */
  readonly defaultContainer?: ContainerInfo | undefined;
  readonly environment: TaskEnvironment;
  /** `--cgroups_enable_cfs` */
  readonly cfs: boolean;
}

/** The first enabled containerizer that takes the container; a launch that none can run is refused before it costs anything. */
export const chosenStage = ({ containerizers, defaultContainer }: ContainerStageOptions): Stage => ({
  name: "containerizer",
  prepare: (launch) => {
    const { executor, task } = launch;
    const container = task?.info?.container ?? executor.info.container ?? defaultContainer;
    const { healthCheck, check } = task?.info ?? {};
    checkVariables([executor.info.command, healthCheck?.command, check?.command?.command]);
    const containerizer = containerizers.find((candidate) => candidate.accepts(container));
    if (containerizer === undefined) {
      const names = containerizers.map(({ name }) => name).join(", ");
      const lacks =
        container?.type === ContainerInfo_Type.DOCKER ? ": it asks for Docker, and --containerizers has no docker" : "";
      throw TaskFailure.launch(
        `None of the enabled containerizers (${names}) could create a container for the provided TaskInfo/ExecutorInfo message${lacks}`,
      );
    }
    return containerizer.check(draftOf(launch, container));
  },
});

/** The container itself: from its spec to a running process. */
export const containerStage = (options: ContainerStageOptions): Stage => ({
  name: "container",
  prepare: async (launch) => {
    const { executor, task, framework, signal } = launch;
    const container = task?.info?.container ?? executor.info.container ?? options.defaultContainer;
    const containerizer = options.containerizers.find((candidate) => candidate.accepts(container));
    executor.containerizer = containerizer;
    const spec = {
      ...draftOf(launch, container),
      environment: await options.environment.of(framework, executor, task),
    };
    const limits = task === undefined ? limitsOfQueued(executor, options) : limitsOfTask(launch, container, options);
    launch.started = await containerizer?.launch({ ...spec, limits }, signal);
    executor.containerStatus = launch.started?.status;
  },
  cleanup: async ({ executor }) => {
    await executor.containerizer?.destroy(executor.containerId).catch(() => undefined);
    await executor.containerizer?.remove(executor.containerId).catch(() => undefined);
  },
});

/** The container as far as it is known before it is launched. */
function draftOf({ framework, executor, task, user }: Launch, container: ContainerInfo | undefined): ContainerSpec {
  const { command } = executor.info;
  const own = task?.task.resources ?? [];
  if (command === undefined) {
    throw TaskFailure.launch(
      `Executor '${executor.executorId}' has no command: this agent has no default executor (ExecutorInfo.type DEFAULT); use a custom executor, or tasks without a group`,
    );
  }
  return {
    containerId: executor.containerId,
    framework: framework.info,
    executor: executor.info,
    task: task?.info,
    command,
    container,
    sandbox: executor.directory,
    user,
    environment: {},
    resources: [...executorShare(executor, container, own), ...own],
    limits: task?.info?.limits ?? {},
    checkpoint: framework.info.checkpoint,
  };
}

/** Whether every variable has a value: those of the command, and of what is to run beside it. Throws a TaskFailure. */
function checkVariables(commands: readonly (CommandInfo | undefined)[]): void {
  try {
    for (const command of commands) variablesOf(command?.environment);
  } catch (error) {
    throw TaskFailure.launch(`Failed to launch container: ${messageOf(error)}`, { cause: error });
  }
}

/** The task's own, and what its container has besides. */
function limitsOfTask(
  { executor, task }: Launch,
  container: ContainerInfo | undefined,
  { cfs }: ContainerStageOptions,
): ContainerSpec["limits"] {
  const { limits = {} } = task?.info ?? {};
  const resources = task?.task.resources ?? [];
  return executorLimits(executorShare(executor, container, resources), [{ resources, limits }], { cfs });
}

/** Those of the tasks that wait for the executor. */
function limitsOfQueued(executor: ExecutorRecord, { cfs }: ContainerStageOptions): ContainerSpec["limits"] {
  const tasks = tasksIn(executor, "queued").map(({ task }) => task);
  return executorLimits(executor.info.resources, tasks, { cfs });
}
