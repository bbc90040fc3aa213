import { create } from "@bufbuild/protobuf";
import { ExitedExecutorMessageSchema } from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { TaskState, TaskStatus_Reason } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerTermination } from "../model/container.ts";
import {
  type ExecutorRecord,
  type FrameworkRecord,
  isGenerated,
  moveExecutor,
  moveTask,
  type TaskRecord,
  tasksIn,
} from "../model/records.ts";
import { remember } from "./book.ts";
import { type FrameworksContext, runKey } from "./context.ts";

export interface TerminalStatus {
  readonly state: TaskState;
  readonly reason: TaskStatus_Reason;
  readonly message: string;
}

/** What tasks are told when their executor's container ended under them (mesos-wire §3.16). Pure. */
export function terminationStatus(
  termination: ContainerTermination,
  generated: boolean,
  modern: boolean,
): TerminalStatus {
  const message = termination.message ?? (modern ? "Executor terminated" : "Abnormal executor termination");
  const { EXECUTOR_TERMINATED, COMMAND_EXECUTOR_FAILED } = TaskStatus_Reason;
  if (termination.state !== undefined) {
    return { state: termination.state, reason: termination.reason ?? EXECUTOR_TERMINATED, message };
  }
  if (modern) return { state: TaskState.TASK_FAILED, reason: termination.reason ?? EXECUTOR_TERMINATED, message };
  if (generated) return { state: TaskState.TASK_FAILED, reason: COMMAND_EXECUTOR_FAILED, message };
  return { state: TaskState.TASK_LOST, reason: EXECUTOR_TERMINATED, message };
}

/** Tells the master that an executor is gone, or never came to be (`status` -1). */
export function sendExited(context: FrameworksContext, frameworkId: string, executorId: string, status: number): void {
  context.send(
    ExitedExecutorMessageSchema,
    create(ExitedExecutorMessageSchema, {
      agentId: { value: context.agentId() },
      frameworkId: { value: frameworkId },
      executorId: { value: executorId },
      status,
    }),
  );
}

/** An executor's container has ended: its unfinished tasks get their terminal updates, in order. */
export function executorTerminated(
  context: FrameworksContext,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  termination: ContainerTermination,
): void {
  if (executor.state === "TERMINATED") return;
  moveExecutor(executor, "TERMINATED");
  context.log.info(
    `Executor '${executor.executorId}' of framework ${framework.frameworkId} has ended (wait status ${termination.status ?? "unknown"})`,
  );
  const left = [...tasksIn(executor, "launched"), ...tasksIn(executor, "queued")];
  for (const task of left) {
    if (framework.state === "TERMINATING") {
      moveTask(task, "terminated");
      continue;
    }
    const status = terminationStatus(termination, isGenerated(executor), task.modern);
    void context.intake.fromAgent(framework, executor, task, task.taskId, {
      ...status,
      ...(termination.limitation && {
        limitation: { $typeName: "mesos.v1.TaskResourceLimitation", resources: [...termination.limitation] },
      }),
    });
  }
  if (!isGenerated(executor)) {
    sendExited(context, framework.frameworkId, executor.executorId, termination.status ?? -1);
  }
  removeIfDone(context, framework, executor);
}

/** A terminal update was acknowledged. */
export function taskCompleted(
  context: FrameworksContext,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  task: TaskRecord,
): void {
  moveTask(task, "completed");
  executor.tasks.delete(task.taskId);
  remember(executor.completed, task, context.book.limits.tasksPerExecutor);
  removeIfDone(context, framework, executor);
}

/** Removes an executor that has ended and owes nobody anything; then its framework, when that was the last. */
export function removeIfDone(context: FrameworksContext, framework: FrameworkRecord, executor: ExecutorRecord): void {
  const nobodyWaits = framework.state === "TERMINATING" || context.phase() === "TERMINATING";
  if (executor.state !== "TERMINATED") return;
  if (!nobodyWaits && tasksIn(executor, "queued", "launched", "terminated").length > 0) return;
  for (const task of executor.tasks.values()) remember(executor.completed, task, context.book.limits.tasksPerExecutor);
  executor.tasks.clear();
  framework.executors.delete(executor.executorId);
  remember(framework.completedExecutors, executor, context.book.limits.executorsPerFramework);
  collect(context, framework, executor);
  context.control(executor).release(executor);
  removeFrameworkIfIdle(context, framework);
}

/** Marks the run as over and hands its directories to the garbage collection. */
function collect(context: FrameworksContext, framework: FrameworkRecord, executor: ExecutorRecord): void {
  const { paths, gc, log } = context;
  const key = runKey(context, executor);
  const reused = [...framework.pending.values()].some(
    ({ info }) => info?.executor?.executorId?.value === executor.executorId,
  );
  gc.schedule(executor.directory);
  if (!reused) gc.schedule(paths.executor(key.agentId, key.frameworkId, key.executorId));
  if (!framework.info.checkpoint) return;
  try {
    context.checkpoints.sentinel(key);
  } catch (error) {
    log.warn(`Cannot mark run ${key.containerId} as over: ${String(error)}; after a restart it is looked at once more`);
  }
  gc.schedule(paths.meta.run(key));
  if (!reused) gc.schedule(paths.meta.executor(key.agentId, key.frameworkId, key.executorId));
}

export function removeFrameworkIfIdle(context: FrameworksContext, framework: FrameworkRecord): void {
  if (framework.executors.size > 0 || framework.pending.size > 0) return;
  // It may be gone already, or have come back as another record.
  if (context.book.active.get(framework.frameworkId) !== framework) return;
  context.log.info(`Framework ${framework.frameworkId} has nothing left on this agent`);
  context.book.complete(framework);
  // What was refused is still to be told; nobody asks any more only when the framework, or the agent, was shut down.
  if (framework.state === "TERMINATING") context.updates.drop(framework.frameworkId);
  context.gc.schedule(context.paths.framework(context.agentId(), framework.frameworkId));
  if (framework.info.checkpoint) {
    context.gc.schedule(context.paths.meta.framework(context.agentId(), framework.frameworkId));
  }
  if (context.book.active.size === 0) context.idle();
}

/** Asks an executor to end. One that is ending already is left alone. */
export function shutdownExecutor(
  context: FrameworksContext,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
): void {
  if (executor.state === "TERMINATING" || executor.state === "TERMINATED") return;
  moveExecutor(executor, "TERMINATING");
  context.log.info(`Shutting down executor '${executor.executorId}' of framework ${framework.frameworkId}`);
  context.control(executor).shutdown(framework, executor);
}

/** Everything of a framework ends; its updates are no longer of interest to anybody. */
export function shutdownFramework(context: FrameworksContext, framework: FrameworkRecord): void {
  if (framework.state === "TERMINATING") return;
  framework.state = "TERMINATING";
  context.log.info(`Shutting down framework ${framework.frameworkId}`);
  framework.pending.clear();
  for (const executor of [...framework.executors.values()]) {
    if (executor.state === "TERMINATED") removeIfDone(context, framework, executor);
    else shutdownExecutor(context, framework, executor);
  }
  removeFrameworkIfIdle(context, framework);
}
