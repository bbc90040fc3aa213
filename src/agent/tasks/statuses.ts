import { create } from "@bufbuild/protobuf";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { has } from "../../mesos/codec.ts";
import { chainOf } from "../../mesos/container-chain.ts";
import { copyOf } from "../../mesos/copy.ts";
import {
  ContainerIDSchema,
  type ContainerInfo,
  ContainerInfo_Type,
  type ContainerStatus,
  ContainerStatusSchema,
  ContainerInfo_DockerInfo_Network as Network,
  NetworkInfo_Protocol,
  NetworkInfoSchema,
  type Task,
  TaskState,
  type TaskStatus,
  TaskStatus_Reason,
  TaskStatus_Source,
  TaskStatusSchema,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf, isUuid, newUuid } from "../../mesos/ids.ts";
import { frameworkCan, isTerminal, stateName, unlessLost } from "../../mesos/states.ts";
import { makeStatus, makeStatusUpdate } from "../../mesos/status.ts";
import { endCounter } from "../metrics/from-model.ts";
import type { Metrics } from "../metrics/registry.ts";
import { addEvent } from "../model/history.ts";
import type { Identity } from "../model/identity.ts";
import type { Paths } from "../model/paths.ts";
import { type ExecutorRecord, type FrameworkRecord, moveTask, runKey, type TaskRecord } from "../model/records.ts";
import type { StatusUpdates } from "../status-updates/streams.ts";
import type { DrainOrder } from "./draining.ts";

export interface StatusIntakeOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly identity: Identity;
  /** The agent's own address: reported as a task's when its containerizer names none. */
  readonly ip: string;
  readonly drain: DrainOrder;
  readonly paths: Paths;
  readonly updates: StatusUpdates;
  readonly metrics: Metrics;
}

/** Why an update from an executor goes no further. */
export type Refusal = "after-terminal" | "not-durable";

/**
 * Takes statuses in, from executors and from the agent itself: completes them, keeps the task's record right, queues
 * them for the master (mesos-wire §3.15).
 */
export class StatusIntake {
  readonly #options: StatusIntakeOptions;

  constructor(options: StatusIntakeOptions) {
    this.#options = options;
  }

  /** A status made here: terminal reports, reconciliation. `executor` and `task` are unset when nobody knows the task. */
  fromAgent(
    framework: FrameworkRecord,
    executor: ExecutorRecord | undefined,
    task: TaskRecord | undefined,
    taskId: string,
    init: { state: TaskState; reason?: TaskStatus_Reason; message?: string; limitation?: TaskStatus["limitation"] },
  ): Promise<boolean> {
    const status = create(TaskStatusSchema, {
      taskId: { value: taskId },
      source: TaskStatus_Source.AGENT,
      state: init.state,
      ...(init.reason !== undefined && { reason: init.reason }),
      ...(init.message !== undefined && { message: init.message }),
      ...(init.limitation !== undefined && { limitation: init.limitation }),
    });
    return this.#take(framework, executor, task, status);
  }

  /** Tasks that the agent had written down and handed over, but that never reached their executor. */
  neverDelivered(framework: FrameworkRecord, executor: ExecutorRecord, tasks: readonly TaskRecord[]): void {
    for (const task of tasks) {
      this.#options.log.warn(
        `Task ${task.taskId} was launched during the agent's restart and never reached its executor`,
      );
      void this.fromAgent(framework, executor, task, task.taskId, {
        state: unlessLost(framework.info, TaskState.TASK_DROPPED),
        reason: TaskStatus_Reason.AGENT_RESTARTED,
        message: "Task launched during agent restart",
      });
    }
  }

  /** The master asked about a task that nobody here knows; its framework may be unknown too. Not checkpointed. */
  async unknownTask(frameworkId: string, taskId: string, state: TaskState): Promise<void> {
    const status = makeStatus(this.#options.clock.now(), {
      taskId: { value: taskId },
      agentId: { value: this.#options.identity.id },
      state,
      reason: TaskStatus_Reason.RECONCILIATION,
      message: "Reconciliation: task unknown to the agent",
    });
    this.#count(status);
    await this.#options.updates.add(makeStatusUpdate(frameworkId, status), taskId, undefined);
  }

  /** A status that an executor made. Resolves when it is durable, to what became of it. */
  async fromExecutor(
    framework: FrameworkRecord,
    executor: ExecutorRecord,
    task: TaskRecord | undefined,
    status: TaskStatus,
  ): Promise<Refusal | undefined> {
    const over = task ?? executor.completed.findLast(({ taskId }) => taskId === status.taskId?.value);
    if (over !== undefined && isTerminal(over.task.state) && !(over === task && this.#isRepeated(task, status))) {
      this.#options.log.warn(
        `Dropping ${stateName(status.state)} of task ${over.taskId}: it ended with ${stateName(over.task.state)}`,
      );
      return "after-terminal";
    }
    return (await this.#take(framework, executor, task, status)) ? undefined : "not-durable";
  }

  #isRepeated(task: TaskRecord, status: TaskStatus): boolean {
    return task.task.statuses.some(({ uuid }) => Buffer.compare(uuid, status.uuid) === 0);
  }

  async #take(
    framework: FrameworkRecord,
    executor: ExecutorRecord | undefined,
    task: TaskRecord | undefined,
    status: TaskStatus,
  ): Promise<boolean> {
    this.#complete(framework, executor, task, status);
    const taskId = idOf(status.taskId);
    if (task !== undefined && !isTerminal(task.task.state)) this.#record(task, status);
    this.#count(status);
    const update = makeStatusUpdate(framework.frameworkId, status);
    this.#options.log.verbose(
      1,
      `Status update ${stateName(status.state)} of task ${taskId} of ${framework.frameworkId}`,
    );
    try {
      return await this.#options.updates.add(update, taskId, this.#path(framework, executor, taskId));
    } catch (error) {
      this.#options.log.error(`Cannot queue ${stateName(status.state)} of task ${taskId}: ${messageOf(error)}`);
      return false;
    }
  }

  #count(status: TaskStatus): void {
    const { metrics } = this.#options;
    metrics.count("slave/valid_status_updates");
    const ended = endCounter(status.state);
    if (ended !== undefined) metrics.count(ended);
  }

  /** Where a task's updates are written; undefined when its framework does not checkpoint. */
  #path(framework: FrameworkRecord, executor: ExecutorRecord | undefined, taskId: string): string | undefined {
    if (!framework.info.checkpoint || executor === undefined) return undefined;
    const { identity, paths } = this.#options;
    return paths.meta.taskUpdates(runKey(identity.id, executor), taskId);
  }

  /** Fills in what the sender leaves to the agent. */
  #complete(
    framework: FrameworkRecord,
    executor: ExecutorRecord | undefined,
    task: TaskRecord | undefined,
    status: TaskStatus,
  ): void {
    const { identity, clock } = this.#options;
    if (!isUuid(status.uuid)) status.uuid = newUuid();
    if (!has(status, "timestamp")) status.timestamp = clock.now() / 1000;
    status.agentId = { $typeName: "mesos.v1.AgentID", value: identity.id };
    if (executor !== undefined) status.executorId ??= { $typeName: "mesos.v1.ExecutorID", value: executor.executorId };
    if (executor !== undefined && hasContainer(executor, task, status)) {
      status.containerStatus = this.#containerStatus(executor, status.containerStatus);
    }
    this.#drained(framework, status);
  }

  /**
   * What the sender says of its container, the rest from what is known of it. On the machine's network the agent's address
   * is the container's. One on a network of its own that ended before its address was seen has none: least of all the agent's.
   */
  #containerStatus(
    { containerStatus: known, containerId, info, containerizer }: ExecutorRecord,
    told: ContainerStatus | undefined,
  ): ContainerStatus {
    const status = told ?? create(ContainerStatusSchema, {});
    status.containerId ??= create(ContainerIDSchema, { value: containerId });
    // A nested container is told of by its own id: nothing of its parent's is its own, but it has a process, too.
    const isOwn = status.containerId.value === containerId && status.containerId.parent === undefined;
    if (isOwn && known !== undefined) {
      if (status.networkInfos.length === 0) status.networkInfos.push(...known.networkInfos);
      if (!has(status, "executorPid") && has(known, "executorPid")) status.executorPid = known.executorPid;
      if (status.cgroupInfo === undefined && known.cgroupInfo !== undefined) status.cgroupInfo = known.cgroupInfo;
    }
    const chain = chainOf(status.containerId);
    if (!isOwn && !has(status, "executorPid") && chain[0] === containerId) {
      const pid = containerizer?.nested?.pid(chain);
      if (pid !== undefined) status.executorPid = pid;
    }
    if (status.networkInfos.length === 0) {
      const ipAddresses = [{ ipAddress: this.#options.ip, protocol: NetworkInfo_Protocol.IPv4 }];
      const own = hasOwnNetwork(info.container);
      status.networkInfos.push(create(NetworkInfoSchema, own ? {} : { ipAddresses }));
    }
    return status;
  }

  /** While draining, kills say so; on an agent that is given up, they are TASK_GONE_BY_OPERATOR where it is understood. */
  #drained(framework: FrameworkRecord, status: TaskStatus): void {
    const drain = this.#options.drain.config;
    if (drain === undefined) return;
    if (status.state !== TaskState.TASK_KILLING && status.state !== TaskState.TASK_KILLED) return;
    status.reason = TaskStatus_Reason.AGENT_DRAINING;
    if (drain.markGone && frameworkCan(framework.info, "PARTITION_AWARE"))
      status.state = TaskState.TASK_GONE_BY_OPERATOR;
  }

  /** The newest status of each state is kept, in the order they came, without payload for ended tasks. */
  #record(record: TaskRecord, status: TaskStatus): void {
    const task = record.task;
    task.state = status.state;
    if (status.state === TaskState.TASK_RUNNING) record.runningSince ??= status.timestamp * 1000;
    if (record.history !== undefined) addEvent(record.history, status);
    keepStatus(task, status);
    if (isTerminal(status.state)) moveTask(record, "terminated");
  }
}

/**
 * Whether a status is of something that runs in the executor's container: not of a task that never reached it (C++ decides
 * so, Slave::statusUpdate).
 */
function hasContainer(executor: ExecutorRecord, task: TaskRecord | undefined, status: TaskStatus): boolean {
  if (status.source === TaskStatus_Source.EXECUTOR) return true;
  const lost = status.state === TaskState.TASK_LOST || status.state === TaskState.TASK_DROPPED;
  return executor.containerizer !== undefined && task !== undefined && task.bucket !== "queued" && !lost;
}

/** Whether a container's addresses are its own, and not the machine's. */
function hasOwnNetwork(container: ContainerInfo | undefined): boolean {
  if (container?.type !== ContainerInfo_Type.DOCKER) return false;
  const { network = Network.HOST, parameters = [] } = container.docker ?? {};
  const asked = parameters.findLast(({ key }) => key === "net" || key === "network")?.value;
  return asked === undefined ? network === Network.BRIDGE || network === Network.USER : asked !== "host";
}

/** Adds a status to a task's list, in place of an older one of the same state. */
export function keepStatus(task: Task, status: TaskStatus): void {
  const kept = copyOf(status);
  const same = task.statuses.findIndex(({ state }) => state === status.state);
  if (same >= 0) task.statuses.splice(same, 1);
  task.statuses.push(kept);
}
