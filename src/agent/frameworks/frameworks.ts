import { millisecondsOf } from "../../base/duration.ts";
import { messageOf } from "../../base/errors.ts";
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
import { frameworkCan } from "../../mesos/states.ts";
import { makeStatusUpdate } from "../../mesos/status.ts";
import type { ContainerTermination } from "../model/container.ts";
import type { ExecutorEvents } from "../model/executor-control.ts";
import {
  type ExecutorRecord,
  type FrameworkRecord,
  type KillRequest,
  moveExecutor,
  moveTask,
  type TaskRecord,
  tasksIn,
} from "../model/records.ts";
import { type FrameworksContext, runKey } from "./context.ts";
import {
  executorTerminated,
  removeFrameworkIfIdle,
  removeIfDone,
  shutdownExecutor,
  shutdownFramework,
  taskCompleted,
} from "./ending.ts";
import { Launching, type LaunchPlan } from "./launching.ts";

/**
 * Frameworks, executors and tasks on this agent: what the master asks, what executors report. Senders were checked
 * before; everything here is bookkeeping, checkpoints and the calls that follow from them.
 */
export class Frameworks implements ExecutorEvents {
  readonly #context: FrameworksContext;
  readonly #launching: Launching;

  constructor(context: FrameworksContext, plan: LaunchPlan) {
    this.#context = context;
    this.#launching = new Launching(context, plan);
  }

  /** Takes up no launch any more. */
  close(): void {
    this.#launching.close();
  }

  runTask(message: RunTaskMessage): void {
    this.#launching.runTask(message);
  }

  runTaskGroup(message: RunTaskGroupMessage): void {
    this.#launching.runTaskGroup(message);
  }

  /** The master's wish that a task ends (mesos-wire §3.14). */
  killTask(message: KillTaskMessage): void {
    const { log, book, phase } = this.#context;
    const frameworkId = message.frameworkId?.value ?? "";
    const taskId = message.taskId?.value ?? "";
    if (phase() === "RECOVERING" || phase() === "TERMINATING") {
      log.warn(`Ignoring the kill of task ${taskId}: the agent is ${phase()}`);
      return;
    }
    const framework = book.active.get(frameworkId);
    if (framework === undefined || framework.state === "TERMINATING") {
      log.warn(`Ignoring the kill of task ${taskId} of framework ${frameworkId}: no such framework here`);
      return;
    }
    log.info(`Asked to kill task ${taskId} of framework ${frameworkId}`);
    const found = book.findTask(frameworkId, taskId);
    if (found === undefined) {
      void this.#context.intake.fromAgent(framework, undefined, undefined, taskId, {
        state: frameworkCan(framework.info, "PARTITION_AWARE") ? TaskState.TASK_DROPPED : TaskState.TASK_LOST,
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
    const kill: KillRequest = { policy, grace: own ?? this.#context.killGrace(task, executor) };
    task.kill = kill;
    if (framework.info.checkpoint) {
      try {
        this.#context.checkpoints.kill(runKey(this.#context, executor), task.taskId, kill);
      } catch (error) {
        this.#context.log.error(`Cannot checkpoint the kill of task ${task.taskId}: ${messageOf(error)}`);
      }
    }
    this.#context.control(executor).kill(framework, executor, task, kill);
  }

  #killPending(framework: FrameworkRecord, task: TaskRecord): void {
    for (const taskId of task.group ?? [task.taskId]) {
      const member = framework.pending.get(taskId);
      if (member === undefined) continue;
      framework.pending.delete(taskId);
      void this.#context.intake.fromAgent(framework, undefined, member, taskId, {
        state: TaskState.TASK_KILLED,
        ...(member.modern && { reason: TaskStatus_Reason.TASK_KILLED_DURING_LAUNCH }),
        message: member.modern ? "Killed before delivery to the executor" : "Task killed before it was launched",
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
      void this.#context.intake.fromAgent(framework, executor, member, taskId, {
        state: TaskState.TASK_KILLED,
        ...(member.modern ? { reason: TaskStatus_Reason.TASK_KILLED_DURING_LAUNCH } : oldReason),
        message: member.modern ? "Killed before delivery to the executor" : old,
      });
    }
    if (!executor.everDelivered && tasksIn(executor, "queued", "launched").length === 0) {
      shutdownExecutor(this.#context, framework, executor);
    }
  }

  shutdownFramework(frameworkId: string): void {
    const framework = this.#context.book.active.get(frameworkId);
    if (framework === undefined) {
      this.#context.log.verbose(1, `Asked to shut down framework ${frameworkId}, of which nothing is here`);
      return;
    }
    shutdownFramework(this.#context, framework);
  }

  shutdownExecutor(frameworkId: string, executorId: string): void {
    const framework = this.#context.book.active.get(frameworkId);
    const executor = framework?.executors.get(executorId);
    if (framework === undefined || executor === undefined) {
      this.#context.log.warn(`Asked to shut down executor '${executorId}' of ${frameworkId}, which is not here`);
      return;
    }
    shutdownExecutor(this.#context, framework, executor);
  }

  /** The agent ends: everything with it. */
  shutdownAll(): void {
    for (const framework of [...this.#context.book.active.values()]) shutdownFramework(this.#context, framework);
    if (this.#context.book.active.size === 0) this.#context.idle();
  }

  /** Kills all tasks: the drain's grace holds for those with none of their own, or a longer one (mesos-wire §3.17). */
  drain(config: DrainConfig): void {
    const bound = config.maxGracePeriod;
    for (const framework of [...this.#context.book.active.values()]) {
      for (const task of [...framework.pending.values()]) this.#killPending(framework, task);
      for (const executor of [...framework.executors.values()]) {
        for (const task of tasksIn(executor, "queued", "launched")) {
          const own = (task.info?.killPolicy ?? task.task.killPolicy)?.gracePeriod?.nanoseconds;
          const shorten = bound !== undefined && (own === undefined || bound.nanoseconds < own);
          const policy = shorten ? ({ $typeName: "mesos.v1.KillPolicy", gracePeriod: bound } as const) : undefined;
          this.#kill(framework, executor, task, policy);
        }
      }
      removeFrameworkIfIdle(this.#context, framework);
    }
  }

  /** The framework's scheduler moved, or changed its info. Its pending updates are sent again. */
  updateFramework(message: UpdateFrameworkMessage): void {
    const { book, phase, checkpoints, agentId, log, updates } = this.#context;
    const framework = book.active.get(message.frameworkId?.value ?? "");
    if (framework === undefined || phase() !== "RUNNING") return;
    framework.pid = message.pid === "" || message.pid.startsWith("@") ? undefined : message.pid;
    if (message.frameworkInfo !== undefined) framework.info = message.frameworkInfo;
    try {
      checkpoints.framework(agentId(), framework);
    } catch (error) {
      log.error(`Cannot checkpoint framework ${framework.frameworkId}: ${messageOf(error)}`);
    }
    updates.resend(framework.frameworkId);
  }

  /** The master knows tasks that may be unknown here: say so about those (mesos-wire §3.6). */
  reconcile(reconciliations: readonly ReconcileTasksMessage[]): void {
    for (const { frameworkId, statuses, framework } of reconciliations) {
      const id = frameworkId?.value ?? "";
      const aware = framework !== undefined && frameworkCan(framework, "PARTITION_AWARE");
      for (const status of statuses) {
        const taskId = status.taskId?.value ?? "";
        if (this.#context.book.findTask(id, taskId) !== undefined) continue;
        this.#context.log.warn(`Task ${taskId} of framework ${id} is known to the master, but not here`);
        void this.#context.intake.unknownTask(id, taskId, aware ? TaskState.TASK_DROPPED : TaskState.TASK_LOST);
      }
    }
  }

  /** An update of this task was acknowledged; `closed`: its terminal one. */
  acknowledged(frameworkId: string, taskId: string, closed: boolean): void {
    if (!closed) return;
    const found = this.#context.book.findTask(frameworkId, taskId);
    if (found?.executor === undefined || found.task.bucket !== "terminated") return;
    taskCompleted(this.#context, found.framework, found.executor, found.task);
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
    const { log, intake, control } = this.#context;
    const taskId = status.taskId?.value ?? "";
    if (framework.state === "TERMINATING") {
      log.verbose(1, `Dropping a status of task ${taskId}: its framework is being shut down`);
      const ending = executor.tasks.get(taskId);
      if (ending !== undefined && executor.kind === "command" && ending.bucket !== "terminated")
        moveTask(ending, "terminated");
      return;
    }
    if (status.state === TaskState.TASK_STAGING) {
      log.error(`Executor '${executor.executorId}' sent TASK_STAGING, which is not its to send: shutting it down`);
      shutdownExecutor(this.#context, framework, executor);
      return;
    }
    const task = executor.tasks.get(taskId);
    if (task === undefined && this.#isAnothers(framework, executor, taskId)) {
      log.warn(`Dropping a status that executor '${executor.executorId}' sent of task ${taskId}, which is not its own`);
      control(executor).acknowledge(executor, makeStatusUpdate(framework.frameworkId, status));
      return;
    }
    if (executor.kind === "command") {
      if (executor.state === "REGISTERING") moveExecutor(executor, "RUNNING");
      if (task?.bucket === "queued") moveTask(task, "launched");
    }
    void intake.fromExecutor(framework, executor, task, status).then((refusal) => {
      // Not on disk: the executor keeps it, and replays it when it comes back.
      if (refusal === "not-durable") return;
      const update = makeStatusUpdate(framework.frameworkId, status);
      control(executor).acknowledge(executor, update);
    });
    if (task?.bucket === "terminated" && executor.kind !== "command" && executor.state === "RUNNING") {
      this.#context.resize(executor);
    }
  }

  registered(framework: FrameworkRecord, executor: ExecutorRecord): void {
    const { control, resize } = this.#context;
    const queued = tasksIn(executor, "queued");
    if (!executor.everDelivered && queued.length === 0) {
      shutdownExecutor(this.#context, framework, executor);
      return;
    }
    if (executor.state === "REGISTERING") moveExecutor(executor, "RUNNING");
    resize(executor);
    if (queued.length > 0) control(executor).deliver(framework, executor, queued);
  }

  terminated(framework: FrameworkRecord, executor: ExecutorRecord, termination: ContainerTermination): void {
    executorTerminated(this.#context, framework, executor, termination);
  }

  /** Called for executors that recovery found complete: they are only cleaned up. */
  removeIfDone(framework: FrameworkRecord, executor: ExecutorRecord): void {
    removeIfDone(this.#context, framework, executor);
  }
}
