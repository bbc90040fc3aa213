import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Clock, Timer } from "../../base/clock.ts";
import { formatDuration, millisecondsOf } from "../../base/duration.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import {
  TaskState,
  type TaskStatus,
  TaskStatus_Reason,
  TaskStatus_Source,
  TaskStatusSchema,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { frameworkCan } from "../../mesos/states.ts";
import type { ContainerTermination } from "../model/container.ts";
import { TaskFailure } from "../model/failure.ts";
import { taskKey } from "../model/paths.ts";
import type { ExecutorRecord, FrameworkRecord, KillRequest, TaskRecord } from "../model/records.ts";
import type { ExecutorControl, ExecutorEvents } from "./executor-control.ts";
import type { HealthWatch } from "./health-watch.ts";
import type { LaunchRunner } from "./launch.ts";
import { outcomeOf } from "./outcome.ts";

/**
 *   preparing ──▶ running ──▶ killing ──▶ ended
 *       │            └──────────────────────▲
 *       └── failed or killed before it ran ──┘
 */
type Phase = "preparing" | "running" | "killing" | "ended";

interface Running {
  readonly framework: FrameworkRecord;
  readonly executor: ExecutorRecord;
  readonly task: TaskRecord;
  readonly abort: AbortController;
  phase: Phase;
  unhealthy: boolean;
  timedOut: boolean;
  deadline: Timer | undefined;
  stopHealth: (() => void) | undefined;
}

export interface CommandTasksOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly runner: LaunchRunner;
  readonly events: ExecutorEvents;
  /** Milliseconds from the start of a launch (fetching and pulling included) until it counts as failed. */
  readonly launchTimeout: number;
  readonly health: Pick<HealthWatch, "start">;
}

/** Command tasks: the agent is their executor, their container is the task. */
export class CommandTasks implements ExecutorControl {
  readonly #options: CommandTasksOptions;
  readonly #running = new Map<string, Running>();
  /** The agent leaves. What fails or ends from now on is its own doing, or is found by the next agent: nothing is reported. */
  #closed = false;

  constructor(options: CommandTasksOptions) {
    this.#options = options;
  }

  #track(framework: FrameworkRecord, executor: ExecutorRecord, task: TaskRecord, phase: Phase): Running {
    const running: Running = {
      framework,
      executor,
      task,
      phase,
      abort: new AbortController(),
      unhealthy: false,
      timedOut: false,
      deadline: undefined,
      stopHealth: undefined,
    };
    this.#running.set(taskKey(framework.frameworkId, task.taskId), running);
    return running;
  }

  launch(framework: FrameworkRecord, executor: ExecutorRecord, task: TaskRecord | undefined): void {
    if (task === undefined) throw new Error(`command executor ${executor.executorId} without a task`);
    void this.#launch(this.#track(framework, executor, task, "preparing"));
  }

  async #launch(running: Running): Promise<void> {
    const { runner, clock, launchTimeout } = this.#options;
    const timeout = clock.after(launchTimeout, () => {
      running.abort.abort(
        new TaskFailure(
          TaskState.TASK_FAILED,
          TaskStatus_Reason.EXECUTOR_REGISTRATION_TIMEOUT,
          `Executor did not register within ${formatDuration(launchTimeout)}: fetching or pulling took longer (--executor_registration_timeout)`,
        ),
      );
    });
    try {
      const started = await runner.prepare(running.framework, running.executor, running.task, running.abort.signal);
      if (running.task.modern)
        this.#status(running, { state: TaskState.TASK_STARTING, containerStatus: started.status });
      this.#status(running, {
        state: TaskState.TASK_RUNNING,
        containerStatus: started.status,
        ...(started.data && { data: started.data }),
        ...(started.labels && { labels: started.labels }),
      });
    } catch (error) {
      this.#failed(running, error);
      return;
    } finally {
      timeout.cancel();
    }
    this.#ran(running);
    const kill = running.task.kill;
    // Killed in the moment between the start of the container and its report.
    if (running.abort.signal.aborted && kill !== undefined) this.#stop(running, kill);
    this.#follow(running);
  }

  #failed(running: Running, error: unknown): void {
    if (this.#closed) return;
    const { executor, task, framework } = running;
    running.phase = "ended";
    this.#running.delete(taskKey(framework.frameworkId, task.taskId));
    const why = running.abort.signal.aborted ? running.abort.signal.reason : error;
    const failure =
      why instanceof TaskFailure ? why : TaskFailure.launch(`Failed to launch container: ${messageOf(why)}`);
    const line = `Task ${task.taskId} of framework ${framework.frameworkId} was not started: ${failure.message}`;
    if (failure.state === TaskState.TASK_KILLED) this.#options.log.info(line);
    else this.#options.log.error(line);
    this.#options.events.terminated(framework, executor, {
      status: undefined,
      state: failure.state,
      message: failure.message,
      ...(failure.reason !== undefined && { reason: failure.reason }),
      ...(failure.limitation && { limitation: failure.limitation }),
    });
  }

  /** The process runs: its checks and its time begin. */
  #ran(running: Running): void {
    const { executor, task } = running;
    if (running.phase === "preparing") running.phase = "running";
    running.stopHealth = this.#options.health.start(executor, task, (report) => {
      if (running.phase !== "running") return;
      this.#status(running, { state: TaskState.TASK_RUNNING, ...report.status });
      if (!report.kill) return;
      running.unhealthy = true;
      this.#stop(running, { policy: undefined, grace: this.#options.runner.killGrace(task, executor) });
    });
    const limit = task.info?.maxCompletionTime?.nanoseconds;
    if (limit === undefined) return;
    // Counted from the first RUNNING, also across restarts.
    const since = task.task.statuses.find(({ state }) => state === TaskState.TASK_RUNNING)?.timestamp;
    const elapsed = since === undefined ? 0 : this.#options.clock.now() - since * 1000;
    running.deadline = this.#options.clock.after(Math.max(0, millisecondsOf(limit) - elapsed), () => {
      running.timedOut = true;
      this.#quiet(running);
      void this.#options.runner.destroy(executor);
    });
  }

  /** Waits for the end, in the background. */
  #follow(running: Running): void {
    const { executor } = running;
    this.#options.runner.wait(executor).then(
      (termination) => this.#ended(running, termination),
      (error: unknown) =>
        this.#ended(running, {
          status: undefined,
          message: `Failed to get exit status for Command: ${messageOf(error)}`,
        }),
    );
  }

  #ended(running: Running, termination: ContainerTermination): void {
    const { framework, executor, task } = running;
    if (running.phase === "ended" || this.#closed) return;
    const outcome = outcomeOf(termination, {
      modern: task.modern,
      killed: task.kill !== undefined || running.unhealthy || running.phase === "killing",
      unhealthy: running.unhealthy,
      timedOut: running.timedOut,
    });
    running.phase = "ended";
    this.#quiet(running);
    this.#running.delete(taskKey(framework.frameworkId, task.taskId));
    const { limitation, ...status } = outcome;
    this.#status(running, {
      ...status,
      ...(limitation && { limitation: { resources: [...limitation] } }),
    });
    this.#options.events.terminated(framework, executor, termination);
  }

  #quiet(running: Running): void {
    running.stopHealth?.();
    running.stopHealth = undefined;
    running.deadline?.cancel();
  }

  /** A status as the C++ command executor would send it. */
  #status(running: Running, status: Omit<MessageInitShape<typeof TaskStatusSchema>, "$typeName" | "$unknown">): void {
    const { framework, executor, task } = running;
    const made: TaskStatus = create(TaskStatusSchema, {
      taskId: { value: task.taskId },
      source: TaskStatus_Source.EXECUTOR,
      ...status,
    });
    this.#options.events.status(framework, executor, made);
  }

  recover(framework: FrameworkRecord, executor: ExecutorRecord, found: boolean): void {
    const live = [...executor.tasks.values()].filter(({ bucket }) => bucket === "queued" || bucket === "launched");
    for (const task of live) {
      const running = this.#track(framework, executor, task, "running");
      if (found) void this.#resume(running);
      else this.#lost(running);
    }
    // Its end was reported before the restart; all that is left is its acknowledgement, or the clean-up.
    if (live.length > 0) return;
    if (found) void this.#endRest(framework, executor);
    else this.#options.events.terminated(framework, executor, { status: undefined });
  }

  /** No task is known of a container that is there: of a damaged checkpoint. Whatever still runs in it is ended. */
  async #endRest(framework: FrameworkRecord, executor: ExecutorRecord): Promise<void> {
    const { runner, events, log } = this.#options;
    try {
      await runner.destroy(executor);
      await runner.wait(executor);
    } catch (error) {
      log.error(`Ending what is left of container ${executor.containerId}: ${messageOf(error)}`);
    }
    events.terminated(framework, executor, { status: undefined });
  }

  /** The container runs, or its end is known: nothing about the task changes but that the agent was away. */
  async #resume(running: Running): Promise<void> {
    const { task, executor } = running;
    if (!task.task.statuses.some(({ state }) => state === TaskState.TASK_RUNNING)) {
      // The agent went away between the start of the process and the report of it.
      const containerStatus = await this.#options.runner.status(executor);
      const status = containerStatus === undefined ? {} : { containerStatus };
      if (task.modern) this.#status(running, { state: TaskState.TASK_STARTING, ...status });
      this.#status(running, { state: TaskState.TASK_RUNNING, ...status });
    }
    this.#ran(running);
    if (task.kill !== undefined) this.#stop(running, task.kill);
    this.#follow(running);
  }

  /** No container and no trace of how it ended. */
  #lost(running: Running): void {
    const { framework, executor, task } = running;
    running.phase = "ended";
    this.#running.delete(taskKey(framework.frameworkId, task.taskId));
    const started = task.task.statuses.length > 0;
    const partitionAware = frameworkCan(framework.info, "PARTITION_AWARE");
    const gone = started ? TaskState.TASK_GONE : TaskState.TASK_DROPPED;
    this.#options.events.terminated(framework, executor, {
      status: undefined,
      state: partitionAware ? gone : TaskState.TASK_LOST,
      reason: TaskStatus_Reason.AGENT_RESTARTED,
      message: started
        ? "The task ended while the agent was away, and nothing is left that tells how"
        : "Task launched during agent restart",
    });
  }

  deliver(): void {
    throw new Error("a command executor runs one task, which it is launched with");
  }

  kill(framework: FrameworkRecord, _executor: ExecutorRecord, task: TaskRecord, kill: KillRequest): void {
    const running = this.#running.get(taskKey(framework.frameworkId, task.taskId));
    if (running === undefined || running.phase === "ended") return;
    if (running.phase === "preparing") {
      running.abort.abort(
        new TaskFailure(
          TaskState.TASK_KILLED,
          task.modern ? TaskStatus_Reason.TASK_KILLED_DURING_LAUNCH : TaskStatus_Reason.EXECUTOR_UNREGISTERED,
          task.modern ? "Killed before delivery to the executor" : "Unregistered executor",
        ),
      );
      return;
    }
    if (running.phase === "running" && frameworkCan(framework.info, "TASK_KILLING_STATE")) {
      this.#status(running, { state: TaskState.TASK_KILLING });
    }
    this.#stop(running, kill);
  }

  #stop(running: Running, kill: KillRequest): void {
    running.phase = "killing";
    this.#quiet(running);
    void this.#options.runner.stop(running.executor, kill.grace);
  }

  shutdown(framework: FrameworkRecord, executor: ExecutorRecord): void {
    for (const task of executor.tasks.values()) {
      const running = this.#running.get(taskKey(framework.frameworkId, task.taskId));
      if (running === undefined) continue;
      const kill = { policy: undefined, grace: this.#options.runner.killGrace(task, executor) };
      if (running.phase === "preparing") {
        running.abort.abort(new TaskFailure(TaskState.TASK_KILLED, undefined, "Executor shut down"));
      } else this.#stop(running, kill);
    }
  }

  /** The agent is its own executor: it knows. */
  acknowledge(): void {}

  message(executor: ExecutorRecord): void {
    this.#options.log.warn(`Dropping a framework message for command task ${executor.executorId}: it has no executor`);
  }

  release(executor: ExecutorRecord): void {
    this.#options.runner.release(executor);
  }

  /** Stops watching; the tasks run on. */
  close(): void {
    this.#closed = true;
    for (const running of this.#running.values()) this.#quiet(running);
    this.#running.clear();
  }
}
