import type { Clock } from "../../base/clock.ts";
import { millisecondsOf } from "../../base/duration.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Signal } from "../../base/signal.ts";
import type {
  KillTaskMessage,
  ReconcileTasksMessage,
  RunTaskGroupMessage,
  RunTaskMessage,
  UpdateFrameworkMessage,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import {
  type DrainConfig,
  type KillPolicy,
  TaskState,
  type TaskStatus,
  TaskStatus_Reason,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf, idProblem } from "../../mesos/ids.ts";
import { unlessLost } from "../../mesos/states.ts";
import { makeStatusUpdate } from "../../mesos/status.ts";
import type { LaunchPermission } from "../authorization/launch-permission.ts";
import type { CheckpointStore } from "../checkpoint/store.ts";
import type { AgentFlags } from "../flags/table.ts";
import type { Containerizer, ContainerTermination } from "../model/container.ts";
import type { GarbageCollection } from "../model/garbage-collection.ts";
import type { Identity } from "../model/identity.ts";
import type { MasterChannel } from "../model/master-channel.ts";
import type { Paths } from "../model/paths.ts";
import {
  type ExecutorRecord,
  type FrameworkRecord,
  isAgents,
  type KillRequest,
  moveExecutor,
  moveTask,
  type TaskRecord,
  tasksIn,
} from "../model/records.ts";
import type { StatusUpdates } from "../status-updates/streams.ts";
import { Accepting } from "./accepting.ts";
import { CommandTasks } from "./command-tasks.ts";
import { ContainerLimits } from "./container-limits.ts";
import type { DrainOrder } from "./draining.ts";
import { Ending } from "./ending.ts";
import { ExecutorControls, type ExecutorEvents } from "./executor-control.ts";
import { ExecutorProcesses } from "./executor-processes.ts";
import { GroupTasks } from "./groups/group-tasks.ts";
import type { HealthWatch } from "./health-watch.ts";
import { KeptKills } from "./kept-kills.ts";
import type { LaunchRunner } from "./launch.ts";
import type { FrameworkRegistry } from "./registry.ts";
import type { ResourceFacts } from "./resource-facts.ts";
import type { StatusIntake } from "./statuses.ts";

/** A framework that the master says nothing of. */
const NO_CAPABILITIES = { capabilities: [] };

export interface FrameworksOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly flags: AgentFlags;
  /** The agent's own address. */
  readonly ip: string;
  readonly identity: Identity;
  readonly master: MasterChannel;
  readonly registry: FrameworkRegistry;
  readonly statuses: StatusIntake;
  readonly updates: StatusUpdates;
  readonly store: CheckpointStore;
  readonly paths: Paths;
  readonly gc: GarbageCollection;
  readonly drain: DrainOrder;
  readonly resources: ResourceFacts;
  readonly containerizers: readonly Containerizer[];
  readonly runner: LaunchRunner;
  readonly permission: LaunchPermission;
  readonly health: Pick<HealthWatch, "start">;
  /** The last framework is gone. */
  readonly settled: Signal;
}

/**
 * Frameworks, executors and tasks on this agent: what the master asks, what executors report. Senders were checked
 * before; everything here is bookkeeping, checkpoints and the calls that follow from them.
 */
export class Frameworks implements ExecutorEvents {
  readonly #options: FrameworksOptions;
  readonly #commands: CommandTasks;
  readonly #groups: GroupTasks;
  /** Executors with a process of their own: what they send comes in through `drivers/` and `executor-api/`. */
  readonly processes: ExecutorProcesses;
  readonly controls: ExecutorControls;
  readonly #limits: ContainerLimits;
  readonly #kills: KeptKills;
  readonly #ending: Ending;
  readonly #accepting: Accepting;

  constructor(options: FrameworksOptions) {
    const { clock, log, flags, runner, health } = options;
    this.#options = options;
    this.#commands = new CommandTasks({
      clock,
      log,
      runner,
      health,
      events: this,
      launchTimeout: flags.executor_registration_timeout,
    });
    this.processes = new ExecutorProcesses({
      clock,
      log,
      runner,
      events: this,
      registrationTimeout: flags.executor_registration_timeout,
      shutdownGrace: flags.executor_shutdown_grace_period,
      reregistrationTimeout: flags.executor_reregistration_timeout,
    });
    this.#kills = new KeptKills(options.store, options.identity, log);
    this.#groups = new GroupTasks({
      ...{ clock, log, runner, health, ip: options.ip, events: this },
      shutdownGrace: flags.executor_shutdown_grace_period,
      kills: this.#kills,
    });
    this.controls = new ExecutorControls(this.#commands, this.#groups, this.processes);
    this.#limits = new ContainerLimits(flags, options.containerizers, log);
    this.#ending = new Ending({ ...options, controls: this.controls });
    this.#accepting = new Accepting({
      ...options,
      limits: this.#limits,
      controls: this.controls,
      ending: this.#ending,
    });
  }

  /** Takes up no launch any more. */
  stopAccepting(): void {
    this.#accepting.close();
  }

  /** Stops watching; tasks and executors run on. */
  close(): void {
    this.#options.runner.close();
    this.#commands.close();
    this.#groups.close();
    this.processes.close();
  }

  runTask(message: RunTaskMessage): void {
    this.#accepting.runTask(message);
  }

  runTaskGroup(message: RunTaskGroupMessage): void {
    this.#accepting.runTaskGroup(message);
  }

  /** The master's wish that a task ends (mesos-wire §3.14). */
  killTask(message: KillTaskMessage): void {
    const { log, registry, identity } = this.#options;
    const { phase } = identity;
    const frameworkId = idOf(message.frameworkId);
    const taskId = idOf(message.taskId);
    if (phase === "RECOVERING" || phase === "TERMINATING") {
      log.warn(`Ignoring the kill of task ${taskId}: the agent is ${phase}`);
      return;
    }
    const framework = registry.active.get(frameworkId);
    if (framework === undefined || framework.state === "TERMINATING") {
      log.warn(`Ignoring the kill of task ${taskId} of framework ${frameworkId}: no such framework here`);
      return;
    }
    log.info(`Asked to kill task ${taskId} of framework ${frameworkId}`);
    const found = registry.findTask(frameworkId, taskId);
    if (found === undefined) {
      void this.#options.statuses.fromAgent(framework, undefined, undefined, taskId, {
        state: unlessLost(framework.info, TaskState.TASK_DROPPED),
        reason: TaskStatus_Reason.EXECUTOR_TERMINATED,
        message: "Cannot find executor",
      });
      return;
    }
    this.#kill(framework, found.executor, found.task, message.killPolicy);
  }

  #kill(
    framework: FrameworkRecord,
    executor: ExecutorRecord | undefined,
    task: TaskRecord,
    policy: KillPolicy | undefined,
  ): void {
    if (executor === undefined) {
      this.#killPending(framework, task);
      return;
    }
    if (executor.state === "TERMINATING" || executor.state === "TERMINATED" || task.bucket === "terminated") return;
    if (task.bucket === "queued" && executor.kind !== "command") {
      this.#killQueued(framework, executor, task);
      return;
    }
    const own = policy?.gracePeriod === undefined ? undefined : millisecondsOf(policy.gracePeriod.nanoseconds);
    const kill: KillRequest = { policy, grace: own ?? this.#options.runner.killGrace(task, executor) };
    task.kill = kill;
    this.#kills.keep(framework, executor, task, kill);
    this.controls.of(executor).kill(framework, executor, task, kill);
  }

  #killPending(framework: FrameworkRecord, task: TaskRecord): void {
    for (const taskId of task.group ?? [task.taskId]) {
      const member = framework.pending.get(taskId);
      if (member === undefined) continue;
      framework.pending.delete(taskId);
      void this.#options.statuses.fromAgent(framework, undefined, member, taskId, {
        state: TaskState.TASK_KILLED,
        ...(member.masterTracksExecutors && { reason: TaskStatus_Reason.TASK_KILLED_DURING_LAUNCH }),
        message: member.masterTracksExecutors
          ? "Killed before delivery to the executor"
          : "Task killed before it was launched",
      });
    }
  }

  #killQueued(framework: FrameworkRecord, executor: ExecutorRecord, task: TaskRecord): void {
    const registering = executor.state === "REGISTERING";
    const old = registering ? "Unregistered executor" : "Task killed when it was queued";
    for (const taskId of task.group ?? [task.taskId]) {
      const member = executor.tasks.get(taskId);
      if (member === undefined || member.bucket !== "queued") continue;
      const oldReason = registering ? { reason: TaskStatus_Reason.EXECUTOR_UNREGISTERED } : {};
      void this.#options.statuses.fromAgent(framework, executor, member, taskId, {
        state: TaskState.TASK_KILLED,
        ...(member.masterTracksExecutors ? { reason: TaskStatus_Reason.TASK_KILLED_DURING_LAUNCH } : oldReason),
        message: member.masterTracksExecutors ? "Killed before delivery to the executor" : old,
      });
    }
    if (!executor.everDelivered && tasksIn(executor, "queued", "launched").length === 0) {
      this.#ending.shutdownExecutor(framework, executor);
    }
  }

  shutdownFramework(frameworkId: string): void {
    const framework = this.#options.registry.active.get(frameworkId);
    if (framework === undefined) {
      this.#options.log.verbose(1, `Asked to shut down framework ${frameworkId}, of which nothing is here`);
      return;
    }
    this.#ending.shutdownFramework(framework);
  }

  shutdownExecutor(frameworkId: string, executorId: string): void {
    const framework = this.#options.registry.active.get(frameworkId);
    const executor = framework?.executors.get(executorId);
    if (framework === undefined || executor === undefined) {
      this.#options.log.warn(`Asked to shut down executor '${executorId}' of ${frameworkId}, which is not here`);
      return;
    }
    this.#ending.shutdownExecutor(framework, executor);
  }

  /** The agent ends: everything with it. */
  shutdownAll(): void {
    for (const framework of [...this.#options.registry.active.values()]) this.#ending.shutdownFramework(framework);
    if (this.#options.registry.active.size === 0) this.#options.settled.raise();
  }

  /** Kills all tasks: the drain's grace holds for those with none of their own, or a longer one (mesos-wire §3.17). */
  drain(config: DrainConfig): void {
    const bound = config.maxGracePeriod;
    for (const framework of [...this.#options.registry.active.values()]) {
      for (const task of [...framework.pending.values()]) this.#killPending(framework, task);
      for (const executor of [...framework.executors.values()]) {
        for (const task of tasksIn(executor, "queued", "launched")) {
          const own = (task.info?.killPolicy ?? task.task.killPolicy)?.gracePeriod?.nanoseconds;
          const shorten = bound !== undefined && (own === undefined || bound.nanoseconds < own);
          const policy = shorten ? ({ $typeName: "mesos.v1.KillPolicy", gracePeriod: bound } as const) : undefined;
          this.#kill(framework, executor, task, policy);
        }
      }
      this.#ending.removeFrameworkIfIdle(framework);
    }
  }

  /** The framework's scheduler moved, or changed its info. Its pending updates are sent again. */
  updateFramework(message: UpdateFrameworkMessage): void {
    const { registry, identity, store, log, updates } = this.#options;
    const framework = registry.active.get(idOf(message.frameworkId));
    if (framework === undefined || identity.phase !== "RUNNING") return;
    framework.pid = message.pid === "" || message.pid.startsWith("@") ? undefined : message.pid;
    if (message.frameworkInfo !== undefined) framework.info = message.frameworkInfo;
    try {
      store.framework(identity.id, framework);
    } catch (error) {
      log.error(`Cannot checkpoint framework ${framework.frameworkId}: ${messageOf(error)}`);
    }
    updates.resend(framework.frameworkId);
  }

  /** The master knows tasks that may be unknown here: say so about those (mesos-wire §3.6). */
  reconcile(reconciliations: readonly ReconcileTasksMessage[]): void {
    for (const { frameworkId, statuses, framework } of reconciliations) {
      const id = idOf(frameworkId);
      for (const status of statuses) {
        const taskId = idOf(status.taskId);
        if (this.#options.registry.findTask(id, taskId) !== undefined) continue;
        this.#options.log.warn(`Task ${taskId} of framework ${id} is known to the master, but not here`);
        void this.#options.statuses.unknownTask(
          id,
          taskId,
          unlessLost(framework ?? NO_CAPABILITIES, TaskState.TASK_DROPPED),
        );
      }
    }
  }

  /** An update of this task was acknowledged; `closed`: its terminal one. */
  acknowledged(frameworkId: string, taskId: string, closed: boolean): void {
    if (!closed) return;
    const found = this.#options.registry.findTask(frameworkId, taskId);
    if (found?.executor === undefined || found.task.bucket !== "terminated") return;
    this.#ending.taskCompleted(found.framework, found.executor, found.task);
  }

  // ---- what executors report

  /** Whether the task is that of another executor, or has none yet: its end is not this one's to tell. */
  #isAnothers(framework: FrameworkRecord, executor: ExecutorRecord, taskId: string): boolean {
    if (executor.completed.some((task) => task.taskId === taskId)) return false;
    const others = [...framework.executors.values(), ...framework.completedExecutors].filter((one) => one !== executor);
    const has = ({ tasks, completed }: ExecutorRecord) =>
      tasks.has(taskId) || completed.some((task) => task.taskId === taskId);
    return framework.pending.has(taskId) || others.some(has);
  }

  status(framework: FrameworkRecord, executor: ExecutorRecord, status: TaskStatus): void {
    const { log, statuses } = this.#options;
    const taskId = idOf(status.taskId);
    if (framework.state === "TERMINATING") {
      log.verbose(1, `Dropping a status of task ${taskId}: its framework is being shut down`);
      const ending = executor.tasks.get(taskId);
      if (ending !== undefined && isAgents(executor) && ending.bucket !== "terminated") moveTask(ending, "terminated");
      return;
    }
    const problem = idProblem(taskId);
    if (problem !== undefined) {
      // It names the file that the update would be written to. Acknowledged: it would be sent again and again.
      log.warn(`Dropping a status of executor '${executor.executorId}': its task id '${taskId}' ${problem}`);
      this.controls.of(executor).acknowledge(executor, makeStatusUpdate(framework.frameworkId, status));
      return;
    }
    if (status.state === TaskState.TASK_STAGING) {
      log.error(`Executor '${executor.executorId}' sent TASK_STAGING, which is not its to send: shutting it down`);
      this.#ending.shutdownExecutor(framework, executor);
      return;
    }
    const task = executor.tasks.get(taskId);
    if (task === undefined && this.#isAnothers(framework, executor, taskId)) {
      log.warn(`Dropping a status that executor '${executor.executorId}' sent of task ${taskId}, which is not its own`);
      this.controls.of(executor).acknowledge(executor, makeStatusUpdate(framework.frameworkId, status));
      return;
    }
    if (executor.kind === "command") {
      if (executor.state === "REGISTERING") moveExecutor(executor, "RUNNING");
      if (task?.bucket === "queued") moveTask(task, "launched");
    }
    const taken = statuses.fromExecutor(framework, executor, task, status).then((refusal) => {
      // Not on disk: the executor keeps it, and replays it when it comes back.
      // The agent that is its own executor knows.
      if (refusal === "not-durable" || isAgents(executor)) return;
      const update = makeStatusUpdate(framework.frameworkId, status);
      this.controls.of(executor).acknowledge(executor, update);
    });
    taken.catch((error: unknown) => log.error(`Taking a status of task ${taskId} failed: ${messageOf(error)}`));
    if (task?.bucket === "terminated" && executor.kind !== "command" && executor.state === "RUNNING") {
      this.#limits.resize(executor);
    }
  }

  registered(framework: FrameworkRecord, executor: ExecutorRecord): void {
    const queued = tasksIn(executor, "queued");
    if (!executor.everDelivered && queued.length === 0) {
      this.#ending.shutdownExecutor(framework, executor);
      return;
    }
    if (executor.state === "REGISTERING") moveExecutor(executor, "RUNNING");
    this.#limits.resize(executor);
    if (queued.length > 0) this.controls.of(executor).deliver(framework, executor, queued);
  }

  terminated(framework: FrameworkRecord, executor: ExecutorRecord, termination: ContainerTermination): void {
    this.#ending.executorTerminated(framework, executor, termination);
  }

  /** Called for executors that recovery found complete: they are only cleaned up. */
  removeIfDone(framework: FrameworkRecord, executor: ExecutorRecord): void {
    this.#ending.removeIfDone(framework, executor);
  }
}
