import type { StatusUpdate } from "../../mesos/gen/mesos/internal/messages_pb.ts";
import type { TaskState, TaskStatus } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerTermination } from "../model/container.ts";
import type { ExecutorRecord, FrameworkRecord, KillRequest, TaskRecord } from "../model/records.ts";

/**
 * What the agent's bookkeeping asks of an executor. Three implementations: command tasks, where the agent itself is the
 * executor and the container is the task (command-tasks.ts), task groups of the default executor, which the agent is, too
 * (groups/group-tasks.ts), and executor processes that speak to the agent (executor-processes.ts).
 * No call waits; results come back through `ExecutorEvents`.
 */
export interface ExecutorControl {
  /** Starts the executor's container; for a command task, the task. */
  launch(framework: FrameworkRecord, executor: ExecutorRecord, task: TaskRecord | undefined): void;
  /** Picks up an executor after a restart. Its container was recovered, or not: `found`. */
  recover(framework: FrameworkRecord, executor: ExecutorRecord, found: boolean): void;
  /** Hands queued tasks to a running executor. */
  deliver(framework: FrameworkRecord, executor: ExecutorRecord, tasks: readonly TaskRecord[]): void;
  /** Asks for the end of a task that the executor was handed. */
  kill(framework: FrameworkRecord, executor: ExecutorRecord, task: TaskRecord, kill: KillRequest): void;
  /** Asks the executor to end everything; its container is destroyed after its grace period. */
  shutdown(framework: FrameworkRecord, executor: ExecutorRecord): void;
  /** The update is durable here. */
  acknowledge(executor: ExecutorRecord, update: StatusUpdate): void;
  /** A framework message. */
  message(executor: ExecutorRecord, data: Uint8Array): void;
  /** Everything about it is acknowledged: what was kept to find it after a restart can go. */
  release(executor: ExecutorRecord): void;
}

/** What executors tell the agent's bookkeeping. */
export interface ExecutorEvents {
  /** A status that an executor made; its source, ids, uuid and time are filled in where missing. */
  status(framework: FrameworkRecord, executor: ExecutorRecord, status: TaskStatus): void;
  /** The executor process registered or subscribed and can be handed tasks. */
  registered(framework: FrameworkRecord, executor: ExecutorRecord): void;
  /** The container has ended. Remaining tasks get a terminal update. */
  terminated(framework: FrameworkRecord, executor: ExecutorRecord, termination: ContainerTermination): void;
}

/** A status that the agent makes itself. */
export interface AgentStatus {
  readonly state: TaskState;
  readonly reason?: TaskStatus["reason"];
  readonly message?: string;
}

/** Who runs an executor, by its kind. */
export class ExecutorControls {
  readonly #commands: ExecutorControl;
  readonly #groups: ExecutorControl;
  readonly #processes: ExecutorControl;

  constructor(commands: ExecutorControl, groups: ExecutorControl, processes: ExecutorControl) {
    this.#commands = commands;
    this.#groups = groups;
    this.#processes = processes;
  }

  of(executor: ExecutorRecord): ExecutorControl {
    if (executor.kind === "command") return this.#commands;
    return executor.kind === "group" ? this.#groups : this.#processes;
  }
}
