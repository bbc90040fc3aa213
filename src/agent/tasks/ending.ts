import { create } from "@bufbuild/protobuf";
import type { Logger } from "../../base/log.ts";
import type { Signal } from "../../base/signal.ts";
import { ExitedExecutorMessageSchema } from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { TaskState, TaskStatus_Reason } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { CheckpointStore } from "../checkpoint/store.ts";
import type { ContainerTermination } from "../model/container.ts";
import type { GarbageCollection } from "../model/garbage-collection.ts";
import type { Identity } from "../model/identity.ts";
import type { MasterChannel } from "../model/master-channel.ts";
import type { Paths } from "../model/paths.ts";
import {
  type ExecutorRecord,
  type FrameworkRecord,
  isGenerated,
  moveExecutor,
  moveTask,
  runKey,
  type TaskRecord,
  tasksIn,
} from "../model/records.ts";
import type { StatusUpdates } from "../status-updates/streams.ts";
import type { ExecutorControls } from "./executor-control.ts";
import { type FrameworkRegistry, remember } from "./registry.ts";
import type { StatusIntake } from "./statuses.ts";

export interface TerminalStatus {
  readonly state: TaskState;
  readonly reason: TaskStatus_Reason;
  readonly message: string;
}

/** What tasks are told when their executor's container ended under them (mesos-wire §3.16). Pure. */
export function terminationStatus(
  termination: ContainerTermination,
  generated: boolean,
  masterTracksExecutors: boolean,
): TerminalStatus {
  const message =
    termination.message ?? (masterTracksExecutors ? "Executor terminated" : "Abnormal executor termination");
  const { EXECUTOR_TERMINATED, COMMAND_EXECUTOR_FAILED } = TaskStatus_Reason;
  if (termination.state !== undefined) {
    return { state: termination.state, reason: termination.reason ?? EXECUTOR_TERMINATED, message };
  }
  if (masterTracksExecutors)
    return { state: TaskState.TASK_FAILED, reason: termination.reason ?? EXECUTOR_TERMINATED, message };
  if (generated) return { state: TaskState.TASK_FAILED, reason: COMMAND_EXECUTOR_FAILED, message };
  return { state: TaskState.TASK_LOST, reason: EXECUTOR_TERMINATED, message };
}

export interface EndingOptions {
  readonly log: Logger;
  readonly identity: Identity;
  readonly master: MasterChannel;
  readonly registry: FrameworkRegistry;
  readonly statuses: StatusIntake;
  readonly updates: StatusUpdates;
  readonly store: CheckpointStore;
  readonly paths: Paths;
  readonly gc: GarbageCollection;
  readonly controls: ExecutorControls;
  /** The last framework is gone. */
  readonly settled: Signal;
}

/** How tasks, executors and frameworks go: asked to, by themselves, acknowledged, collected. */
export class Ending {
  readonly #options: EndingOptions;

  constructor(options: EndingOptions) {
    this.#options = options;
  }

  /** Tells the master that an executor is gone, or never came to be (`status` -1). */
  sendExited(frameworkId: string, executorId: string, status: number): void {
    const { master, identity } = this.#options;
    master.send(
      ExitedExecutorMessageSchema,
      create(ExitedExecutorMessageSchema, {
        agentId: { value: identity.id },
        frameworkId: { value: frameworkId },
        executorId: { value: executorId },
        status,
      }),
    );
  }

  /** An executor's container has ended: its unfinished tasks get their terminal updates, in order. */
  executorTerminated(framework: FrameworkRecord, executor: ExecutorRecord, termination: ContainerTermination): void {
    if (executor.state === "TERMINATED") return;
    moveExecutor(executor, "TERMINATED");
    this.#options.log.info(
      `Executor '${executor.executorId}' of framework ${framework.frameworkId} has ended (wait status ${termination.status ?? "unknown"})`,
    );
    const left = [...tasksIn(executor, "launched"), ...tasksIn(executor, "queued")];
    for (const task of left) {
      if (framework.state === "TERMINATING") {
        moveTask(task, "terminated");
        continue;
      }
      const status = terminationStatus(termination, isGenerated(executor), task.masterTracksExecutors);
      void this.#options.statuses.fromAgent(framework, executor, task, task.taskId, {
        ...status,
        ...(termination.limitation && {
          limitation: { $typeName: "mesos.v1.TaskResourceLimitation", resources: [...termination.limitation] },
        }),
      });
    }
    if (!isGenerated(executor)) {
      this.sendExited(framework.frameworkId, executor.executorId, termination.status ?? -1);
    }
    this.removeIfDone(framework, executor);
  }

  /** A terminal update was acknowledged. */
  taskCompleted(framework: FrameworkRecord, executor: ExecutorRecord, task: TaskRecord): void {
    moveTask(task, "completed");
    executor.tasks.delete(task.taskId);
    remember(executor.completed, task, this.#options.registry.limits.tasksPerExecutor);
    this.removeIfDone(framework, executor);
  }

  /** Removes an executor that has ended and owes nobody anything; then its framework, when that was the last. */
  removeIfDone(framework: FrameworkRecord, executor: ExecutorRecord): void {
    const nobodyWaits = framework.state === "TERMINATING" || this.#options.identity.phase === "TERMINATING";
    if (executor.state !== "TERMINATED") return;
    if (!nobodyWaits && tasksIn(executor, "queued", "launched", "terminated").length > 0) return;
    for (const task of executor.tasks.values())
      remember(executor.completed, task, this.#options.registry.limits.tasksPerExecutor);
    executor.tasks.clear();
    framework.executors.delete(executor.executorId);
    remember(framework.completedExecutors, executor, this.#options.registry.limits.executorsPerFramework);
    this.#collect(framework, executor);
    this.#options.controls.of(executor).release(executor);
    this.removeFrameworkIfIdle(framework);
  }

  /** Marks the run as over and hands its directories to the garbage collection. */
  #collect(framework: FrameworkRecord, executor: ExecutorRecord): void {
    const { paths, gc, log, identity, store } = this.#options;
    const key = runKey(identity.id, executor);
    const reused = [...framework.pending.values()].some(
      ({ info }) => info?.executor?.executorId?.value === executor.executorId,
    );
    gc.schedule(executor.directory);
    if (!reused) gc.schedule(paths.executor(key.agentId, key.frameworkId, key.executorId));
    if (!framework.info.checkpoint) return;
    try {
      store.sentinel(key);
    } catch (error) {
      log.warn(
        `Cannot mark run ${key.containerId} as over: ${String(error)}; after a restart it is looked at once more`,
      );
    }
    gc.schedule(paths.meta.run(key));
    if (!reused) gc.schedule(paths.meta.executor(key.agentId, key.frameworkId, key.executorId));
  }

  removeFrameworkIfIdle(framework: FrameworkRecord): void {
    if (framework.executors.size > 0 || framework.pending.size > 0) return;
    // It may be gone already, or have come back as another record.
    if (this.#options.registry.active.get(framework.frameworkId) !== framework) return;
    this.#options.log.info(`Framework ${framework.frameworkId} has nothing left on this agent`);
    this.#options.registry.complete(framework);
    // What was refused is still to be told; nobody asks any more only when the framework, or the agent, was shut down.
    if (framework.state === "TERMINATING") this.#options.updates.drop(framework.frameworkId);
    this.#options.gc.schedule(this.#options.paths.framework(this.#options.identity.id, framework.frameworkId));
    if (framework.info.checkpoint) {
      this.#options.gc.schedule(this.#options.paths.meta.framework(this.#options.identity.id, framework.frameworkId));
    }
    if (this.#options.registry.active.size === 0) this.#options.settled.raise();
  }

  /** Asks an executor to end. One that is ending already is left alone. */
  shutdownExecutor(framework: FrameworkRecord, executor: ExecutorRecord): void {
    if (executor.state === "TERMINATING" || executor.state === "TERMINATED") return;
    moveExecutor(executor, "TERMINATING");
    this.#options.log.info(`Shutting down executor '${executor.executorId}' of framework ${framework.frameworkId}`);
    this.#options.controls.of(executor).shutdown(framework, executor);
  }

  /** Everything of a framework ends; its updates are no longer of interest to anybody. */
  shutdownFramework(framework: FrameworkRecord): void {
    if (framework.state === "TERMINATING") return;
    framework.state = "TERMINATING";
    this.#options.log.info(`Shutting down framework ${framework.frameworkId}`);
    framework.pending.clear();
    for (const executor of [...framework.executors.values()]) {
      if (executor.state === "TERMINATED") this.removeIfDone(framework, executor);
      else this.shutdownExecutor(framework, executor);
    }
    this.removeFrameworkIfIdle(framework);
  }
}
