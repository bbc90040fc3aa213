import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { Process } from "../libprocess/process.ts";
import { formatUPID, parseUPID } from "../libprocess/upid.ts";
import { ExecutorToFrameworkMessageSchema } from "../mesos/gen/mesos/internal/messages_pb.ts";
import { type AgentInfo, TaskState, TaskStatus_Reason } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { frameworkCan } from "../mesos/states.ts";
import type { CheckpointStore } from "./checkpoint/store.ts";
import { Drivers } from "./executors/driver.ts";
import { ExecutorEndpoint } from "./executors/http-endpoint.ts";
import { RemoteExecutors } from "./executors/remote-executors.ts";
import type { AgentFlags } from "./flags/table.ts";
import type { FrameworkBook } from "./frameworks/book.ts";
import type { AgentPhase } from "./frameworks/context.ts";
import type { StatusIntake } from "./frameworks/intake.ts";
import type { LaunchPlan } from "./frameworks/launching.ts";
import { judgeLaunch } from "./launch/admission.ts";
import { generateCommandExecutor } from "./launch/command-executor.ts";
import { CommandTasks, type CommandTasksOptions } from "./launch/command-tasks.ts";
import { executorEnvironment } from "./launch/environment.ts";
import { type Launch, LaunchRunner, type Stage } from "./launch/runner.ts";
import { makeTask } from "./launch/task.ts";
import type { Metrics } from "./metrics/registry.ts";
import type { Containerizer } from "./model/container.ts";
import type { ExecutorControl, ExecutorEvents } from "./model/executor-control.ts";
import type { Paths } from "./model/paths.ts";
import type { ExecutorRecord, FrameworkRecord, TaskRecord } from "./model/records.ts";
import { ownVolumes } from "./sandbox/volume-owner.ts";
import type { StatusUpdates } from "./status-updates/streams.ts";

/** The pure steps of a launch. */
export const launchPlan: LaunchPlan = {
  judge: judgeLaunch,
  makeTask,
  commandExecutor: generateCommandExecutor,
};

/** The agent as those who run tasks and executors see it. */
export interface Employer {
  readonly phase: AgentPhase;
  readonly book: FrameworkBook;
  readonly updates: StatusUpdates;
  readonly options: { readonly metrics: Metrics };
  userOf(framework: FrameworkRecord, executor: ExecutorRecord): string | undefined;
  /** To the master; dropped when there is none. */
  send<D extends DescMessage>(schema: D, message: MessageShape<D>): void;
}

export interface ExecutorParts {
  readonly agent: Employer;
  readonly flags: AgentFlags;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly process: Process;
  readonly clock: Clock;
  readonly log: Logger;
  readonly containerizers: readonly Containerizer[];
  readonly intake: StatusIntake;
  readonly store: CheckpointStore;
  readonly paths: Paths;
  readonly events: ExecutorEvents;
  readonly agentId: () => string;
  readonly agentInfo: () => AgentInfo;
  readonly health: CommandTasksOptions["watchHealth"];
  /** Makes a sandbox that belongs to `user`, and the link to the newest one. */
  readonly createSandbox: (directory: string, user: string | undefined) => void | Promise<void>;
}

export interface Executors {
  control(executor: ExecutorRecord): ExecutorControl;
  readonly drivers: Drivers;
  readonly remote: RemoteExecutors;
  readonly endpoint: ExecutorEndpoint;
  readonly killGrace: (task: TaskRecord, executor: ExecutorRecord) => number;
  close(): void;
}

/** The stages of a launch before its container; the list is the launch. */
function launchStages({ store, createSandbox, paths, log }: ExecutorParts): readonly Stage[] {
  return [
    { name: "sandbox", prepare: ({ executor, user }) => createSandbox(executor.directory, user) },
    {
      name: "volumes",
      prepare: ({ executor, task }) => {
        const resources = [...executor.info.resources, ...(task?.task.resources ?? [])];
        ownVolumes(paths.workDir, resources, executor.directory, log);
      },
    },
    {
      name: "pid",
      prepare: () => undefined,
      started: ({ framework, run }: Launch, { pid }) => {
        if (framework.info.checkpoint && pid !== undefined) store.forkedPid(run, pid);
      },
    },
  ];
}

function environmentOf(
  parts: ExecutorParts,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  task: TaskRecord | undefined,
): Record<string, string> {
  const { flags, environment, process, agentId } = parts;
  const container = task?.info?.container ?? executor.info.container;
  const inImage = container?.docker !== undefined || container?.mesos?.image !== undefined;
  return executorEnvironment({
    agent: environment,
    configured: flags.executor_environment_variables as Record<string, string> | undefined,
    frameworkId: framework.frameworkId,
    executorId: executor.executorId,
    agentId: agentId(),
    agentPid: formatUPID(process.self),
    agentEndpoint: `${process.self.ip}:${process.self.port}`,
    directory: executor.directory,
    sandbox: inImage ? flags.sandbox_directory : executor.directory,
    checkpoint: framework.info.checkpoint,
    recoveryTimeout: flags.recovery_timeout,
    shutdownGracePeriod: flags.executor_shutdown_grace_period,
    httpCommandExecutor: false,
    allocationRole: (task?.task.resources ?? executor.info.resources)[0]?.allocationInfo?.role,
    command: executor.info.command,
  });
}

/** Builds what runs tasks and executors. */
export function buildExecutors(parts: ExecutorParts): Executors {
  const { agent, flags, clock, log, containerizers, events, agentId } = parts;
  const runner = new LaunchRunner({
    clock,
    log,
    agentId,
    containerizers,
    stages: launchStages(parts),
    userOf: (framework, executor) => agent.userOf(framework, executor),
    environmentOf: (framework, executor, task) => environmentOf(parts, framework, executor, task),
    graceOf: (name) => (name === "docker" ? flags.docker_stop_timeout : undefined),
    cfs: flags.cgroups_enable_cfs,
    failedLaunch: () => agent.options.metrics.count("slave/container_launch_errors"),
  });
  const commands = new CommandTasks({
    clock,
    log,
    runner,
    events,
    launchTimeout: flags.executor_registration_timeout,
    watchHealth: parts.health,
  });
  const remote = new RemoteExecutors({
    clock,
    log,
    runner,
    events,
    registrationTimeout: flags.executor_registration_timeout,
    shutdownGrace: flags.executor_shutdown_grace_period,
    reregistrationTimeout: flags.executor_reregistration_timeout,
  });
  const drivers = buildDrivers(parts, remote);
  const endpoint = new ExecutorEndpoint({
    clock,
    log,
    executors: remote,
    events,
    frameworks: agent.book.active,
    agentInfo: parts.agentInfo,
    phase: () => agent.phase,
    checkpointMarker: (framework, executor) => {
      if (framework.info.checkpoint) parts.store.httpMarker(runOf(parts, executor));
    },
    forwardToFramework: (framework, message) => forwardToFramework(parts, framework, message),
    neverDelivered: (framework, executor, ids) => reportNeverDelivered(parts, framework, executor, ids),
  });
  return {
    control: (executor) => (executor.kind === "command" ? commands : remote),
    drivers,
    remote,
    endpoint,
    killGrace: (task, executor) => runner.killGrace(task, executor),
    close: () => {
      runner.close();
      commands.close();
      remote.close();
    },
  };
}

const runOf = ({ agentId }: ExecutorParts, { frameworkId, executorId, containerId }: ExecutorRecord) => ({
  agentId: agentId(),
  frameworkId,
  executorId,
  containerId,
});

function buildDrivers(parts: ExecutorParts, executors: RemoteExecutors): Drivers {
  const { agent, process, log, events, agentId, agentInfo, store } = parts;
  return new Drivers({
    process,
    log,
    executors,
    events,
    frameworks: agent.book.active,
    agentId,
    agentInfo,
    open: () => (agent.phase === "TERMINATING" ? "no" : agent.phase === "RECOVERING" ? "recovering" : "yes"),
    checkpointPid: (framework, executor, pid) => {
      if (framework.info.checkpoint) store.libprocessPid(runOf(parts, executor), pid);
    },
    forwardToFramework: (framework, message) => forwardToFramework(parts, framework, message),
    neverDelivered: (framework, executor, ids) => reportNeverDelivered(parts, framework, executor, ids),
  });
}

/** To the framework's driver when it has one, else to the master, which passes it on. */
function forwardToFramework(
  { agent, process }: ExecutorParts,
  framework: FrameworkRecord,
  message: Parameters<ConstructorParameters<typeof Drivers>[0]["forwardToFramework"]>[1],
): void {
  const pid = parseUPID(framework.pid);
  if (pid === undefined) agent.send(ExecutorToFrameworkMessageSchema, message);
  else process.send(pid, ExecutorToFrameworkMessageSchema, message);
}

/** Tasks that the agent had written down but never handed over before it restarted. */
function reportNeverDelivered(
  { intake, log }: ExecutorParts,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  taskIds: readonly string[],
): void {
  for (const taskId of taskIds) {
    log.warn(`Task ${taskId} was launched during the agent's restart and never reached its executor`);
    void intake.fromAgent(framework, executor, executor.tasks.get(taskId), taskId, {
      state: frameworkCan(framework.info, "PARTITION_AWARE") ? TaskState.TASK_DROPPED : TaskState.TASK_LOST,
      reason: TaskStatus_Reason.AGENT_RESTARTED,
      message: "Task launched during agent restart",
    });
  }
}
