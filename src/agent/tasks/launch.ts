import type { Clock } from "../../base/clock.ts";
import { millisecondsOf } from "../../base/duration.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { type ContainerInfo, ContainerInfo_Type, type ContainerStatus } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Metrics } from "../metrics/registry.ts";
import type { Containerizer, ContainerSpec, ContainerTermination, StartedContainer } from "../model/container.ts";
import { TaskFailure } from "../model/failure.ts";
import type { Identity } from "../model/identity.ts";
import type { RunKey } from "../model/paths.ts";
import { type ExecutorRecord, type FrameworkRecord, runKey, type TaskRecord, tasksIn } from "../model/records.ts";
import { executorLimits } from "./limits.ts";
import type { TaskEnvironment } from "./task-environment.ts";
import type { TaskUsers } from "./task-users.ts";

/** One launch, as its stages see it. */
export interface Launch {
  readonly framework: FrameworkRecord;
  readonly executor: ExecutorRecord;
  /** Set for command tasks. */
  readonly task: TaskRecord | undefined;
  readonly run: RunKey;
  readonly user: string | undefined;
  readonly signal: AbortSignal;
}

/** One step of a launch. Prepared in the order of the list, cleaned up in reverse, whatever half happened. */
export interface Stage {
  readonly name: string;
  prepare(launch: Launch): void | Promise<void>;
  /** The container runs. */
  started?(launch: Launch, container: StartedContainer): void | Promise<void>;
  /** Undoes prepare after a failed launch. Must bear being called when prepare failed half-way. */
  cleanup?(launch: Launch): void | Promise<void>;
}

/** Milliseconds from SIGTERM to SIGKILL when nobody says otherwise; the C++ command executor's. */
export const DEFAULT_KILL_GRACE = 3_000;

export interface LaunchRunnerOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly stages: readonly Stage[];
  readonly identity: Identity;
  readonly containerizers: readonly Containerizer[];
  readonly users: TaskUsers;
  readonly environment: TaskEnvironment;
  /** `--cgroups_enable_cfs` */
  readonly cfs: boolean;
  readonly metrics: Metrics;
}

/** Runs the stages of a launch: owns order, abort, logging and what is undone when one fails. */
export class LaunchRunner {
  readonly #options: LaunchRunnerOptions;
  #closed = false;

  constructor(options: LaunchRunnerOptions) {
    this.#options = options;
  }

  /**
   * The agent leaves: a launch that it does not see to its end may still succeed, so nothing of it is undone. The next agent
   * finds what became of it.
   */
  close(): void {
    this.#closed = true;
  }

  /** The first enabled containerizer that takes the container. */
  choose(container: ContainerInfo | undefined): Containerizer | undefined {
    return this.#options.containerizers.find((containerizer) => containerizer.accepts(container));
  }

  /** Milliseconds from SIGTERM to SIGKILL for a task: its kill policy, the containerizer's flag, or 3 s. */
  killGrace(task: TaskRecord, executor: ExecutorRecord): number {
    const policy = task.info?.killPolicy ?? task.task.killPolicy;
    if (policy?.gracePeriod !== undefined) return millisecondsOf(policy.gracePeriod.nanoseconds);
    return executor.containerizer?.killGrace ?? DEFAULT_KILL_GRACE;
  }

  /** Prepares and starts. Rejects with what the failing stage threw, everything undone. */
  async prepare(
    framework: FrameworkRecord,
    executor: ExecutorRecord,
    task: TaskRecord | undefined,
    signal: AbortSignal,
  ): Promise<StartedContainer> {
    const launch: Launch = {
      framework,
      executor,
      task,
      signal,
      user: this.#options.users.of(framework, executor),
      run: runKey(this.#options.identity.id, executor),
    };
    const begun: Stage[] = [];
    try {
      for (const stage of this.#options.stages) {
        signal.throwIfAborted();
        begun.push(stage);
        const prepared = stage.prepare(launch);
        if (prepared !== undefined) await prepared;
      }
      signal.throwIfAborted();
      const container = await this.#start(launch);
      for (const stage of this.#options.stages) {
        const done = stage.started?.(launch, container);
        if (done !== undefined) await done;
      }
      return container;
    } catch (error) {
      if (!this.#closed) {
        this.#options.metrics.count("slave/container_launch_errors");
        await this.#undo(launch, begun);
      }
      throw error;
    }
  }

  async #start(launch: Launch): Promise<StartedContainer> {
    const { framework, executor, task } = launch;
    const container = task?.info?.container ?? executor.info.container;
    const containerizer = this.choose(container);
    if (containerizer === undefined) {
      const names = this.#options.containerizers.map(({ name }) => name).join(", ");
      const lacks =
        container?.type === ContainerInfo_Type.DOCKER ? ": it asks for Docker, and --containerizers has no docker" : "";
      throw TaskFailure.launch(
        `None of the enabled containerizers (${names}) could create a container for the provided TaskInfo/ExecutorInfo message${lacks}`,
      );
    }
    executor.containerizer = containerizer;
    const { command } = executor.info;
    if (command === undefined) {
      throw TaskFailure.launch(
        `Executor '${executor.executorId}' has no command: this agent has no default executor (ExecutorInfo.type DEFAULT); use a custom executor, or tasks without a group`,
      );
    }
    const spec: ContainerSpec = {
      containerId: executor.containerId,
      framework: framework.info,
      executor: executor.info,
      task: task?.info,
      command,
      container,
      sandbox: executor.directory,
      user: launch.user,
      environment: this.#options.environment.of(framework, executor, task),
      resources: [...executor.info.resources, ...(task?.task.resources ?? [])],
      limits: task?.info?.limits ?? this.#executorLimits(executor),
      checkpoint: framework.info.checkpoint,
    };
    return await containerizer.launch(spec, launch.signal);
  }

  /** Those of the tasks that wait for it. */
  #executorLimits(executor: ExecutorRecord): ContainerSpec["limits"] {
    const tasks = tasksIn(executor, "queued").map(({ task }) => task);
    return executorLimits(executor.info.resources, tasks, { cfs: this.#options.cfs });
  }

  async #undo(launch: Launch, begun: readonly Stage[]): Promise<void> {
    const { executor } = launch;
    await executor.containerizer?.destroy(executor.containerId).catch(() => undefined);
    await executor.containerizer?.remove(executor.containerId).catch(() => undefined);
    for (const stage of begun.toReversed()) {
      try {
        await stage.cleanup?.(launch);
      } catch (error) {
        this.#options.log.error(`Cleaning up stage ${stage.name} of ${executor.executorId}: ${messageOf(error)}`);
      }
    }
  }

  #containerizer(executor: ExecutorRecord): Containerizer {
    if (executor.containerizer === undefined) throw new Error(`container ${executor.containerId} was never started`);
    return executor.containerizer;
  }

  wait(executor: ExecutorRecord): Promise<ContainerTermination> {
    return this.#containerizer(executor).wait(executor.containerId);
  }

  async status(executor: ExecutorRecord): Promise<ContainerStatus | undefined> {
    return this.#containerizer(executor)
      .status(executor.containerId)
      .catch(() => undefined);
  }

  /** Asks for the end. A containerizer that cannot (a dead daemon) says so in the log and goes on trying by itself. */
  async stop(executor: ExecutorRecord, grace: number): Promise<void> {
    try {
      await this.#containerizer(executor).stop(executor.containerId, grace);
    } catch (error) {
      this.#options.log.error(`Stopping container ${executor.containerId}: ${messageOf(error)}`);
    }
  }

  async destroy(executor: ExecutorRecord): Promise<void> {
    try {
      await executor.containerizer?.destroy(executor.containerId);
    } catch (error) {
      this.#options.log.error(`Destroying container ${executor.containerId}: ${messageOf(error)}`);
    }
  }

  release(executor: ExecutorRecord): void {
    void executor.containerizer?.remove(executor.containerId).catch((error: unknown) => {
      this.#options.log.warn(`Forgetting container ${executor.containerId}: ${messageOf(error)}`);
    });
  }
}
