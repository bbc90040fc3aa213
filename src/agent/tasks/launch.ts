import { pid } from "node:process";
import type { Clock } from "../../base/clock.ts";
import { millisecondsOf } from "../../base/duration.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { ContainerStatus } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Metrics } from "../metrics/registry.ts";
import type { Containerizer, ContainerTermination, StartedContainer } from "../model/container.ts";
import type { Identity } from "../model/identity.ts";
import { type ExecutorRecord, type FrameworkRecord, runKey, type TaskRecord } from "../model/records.ts";
import { noteLaunchFailure } from "../sandbox/last-words.ts";
import type { Launch, RecoveredLaunch, Stage } from "./stages/stage.ts";
import type { TaskUsers } from "./task-users.ts";

/** Milliseconds from SIGTERM to SIGKILL when nobody says otherwise; the C++ command executor's. */
const DEFAULT_KILL_GRACE = 3_000;

export interface LaunchRunnerOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly stages: readonly Stage[];
  readonly identity: Identity;
  readonly users: TaskUsers;
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

  /** Milliseconds from SIGTERM to SIGKILL for a task: its kill policy, the containerizer's flag, or 3 s. */
  killGrace(task: TaskRecord, executor: ExecutorRecord): number {
    const policy = task.info?.killPolicy ?? task.task.killPolicy;
    if (policy?.gracePeriod !== undefined) return millisecondsOf(policy.gracePeriod.nanoseconds);
    return executor.containerizer?.killGrace ?? DEFAULT_KILL_GRACE;
  }

  /** Takes the launch through its stages, to a running container. Rejects with what the failing stage threw, everything undone. */
  async prepare(
    framework: FrameworkRecord,
    executor: ExecutorRecord,
    task: TaskRecord | undefined,
    signal: AbortSignal,
  ): Promise<StartedContainer> {
    const { users, identity, stages, metrics } = this.#options;
    const run = runKey(identity.id, executor);
    const user = users.of(framework, executor);
    const launch: Launch = { framework, executor, task, signal, user, run, started: undefined };
    const begun: Stage[] = [];
    try {
      for (const stage of stages) {
        // Once the container runs, a kill ends it like any other.
        if (launch.started === undefined) signal.throwIfAborted();
        begun.push(stage);
        executor.launching = { stage: stage.name, since: this.#options.clock.now() };
        const prepared = stage.prepare(launch);
        if (prepared !== undefined) await prepared;
      }
      if (launch.started === undefined) throw new Error("no stage started a container");
      return launch.started;
    } catch (error) {
      if (!this.#closed) {
        metrics.count("slave/container_launch_errors");
        await this.#undo(launch, begun);
        // As the task's status has it: an abort says why it came.
        this.#note(executor, signal.aborted ? signal.reason : error);
      }
      throw error;
    } finally {
      executor.launching = undefined;
    }
  }

  /** In the sandbox, if it came to one. */
  #note({ directory, executorId }: ExecutorRecord, why: unknown): void {
    try {
      noteLaunchFailure(directory, messageOf(why), this.#options.clock.now(), pid);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return;
      this.#options.log.warn(`Cannot say in the sandbox why '${executorId}' was not started: ${messageOf(error)}`);
    }
  }

  /** What an earlier agent launched is here again. */
  recover(launch: RecoveredLaunch): void {
    for (const stage of this.#options.stages) stage.recover?.(launch);
  }

  async #undo(launch: Launch, begun: readonly Stage[]): Promise<void> {
    for (const stage of begun.toReversed()) {
      try {
        await stage.cleanup?.(launch);
      } catch (error) {
        this.#options.log.error(
          `Cleaning up stage ${stage.name} of ${launch.executor.executorId}: ${messageOf(error)}`,
        );
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
