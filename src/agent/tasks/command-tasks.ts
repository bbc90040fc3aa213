import { create } from "@bufbuild/protobuf";
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
import { unlessLost } from "../../mesos/states.ts";
import type { ContainerTermination, StartedContainer } from "../model/container.ts";
import { TaskFailure } from "../model/failure.ts";
import { taskKey } from "../model/paths.ts";
import type { ExecutorRecord, FrameworkRecord, KillRequest, TaskRecord } from "../model/records.ts";
import { imageOf, launchWords } from "../model/waiting.ts";
import { CommandTask, type EndCause, type StatusInit } from "./command-task.ts";
import type { ExecutorControl, ExecutorEvents } from "./executor-control.ts";
import type { HealthWatch } from "./health-watch.ts";
import type { LaunchRunner } from "./launch.ts";
import { outcomeOf } from "./outcome.ts";

export interface CommandTasksOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly runner: LaunchRunner;
  readonly events: ExecutorEvents;
  /** Milliseconds from the start of a launch (fetching and pulling included) until it counts as failed. */
  readonly launchTimeout: number;
  readonly health: Pick<HealthWatch, "start">;
}

/** The time of a launch is over. One that has become a running task meanwhile was not too late. */
const isLate = (reason: unknown): boolean =>
  reason instanceof TaskFailure && reason.reason === TaskStatus_Reason.EXECUTOR_REGISTRATION_TIMEOUT;

/** Command tasks: the agent is their executor, their container is the task. */
export class CommandTasks implements ExecutorControl {
  readonly #options: CommandTasksOptions;
  readonly #tasks = new Map<string, CommandTask>();
  /** The agent leaves. What fails or ends from now on is its own doing, or is found by the next agent: nothing is reported. */
  #closed = false;

  constructor(options: CommandTasksOptions) {
    this.#options = options;
  }

  #track(task: CommandTask): CommandTask {
    this.#tasks.set(taskKey(task.framework.frameworkId, task.task.taskId), task);
    return task;
  }

  #find(framework: FrameworkRecord, task: TaskRecord): CommandTask | undefined {
    return this.#tasks.get(taskKey(framework.frameworkId, task.taskId));
  }

  #end(task: CommandTask): void {
    task.move({ kind: "ended" });
    this.#tasks.delete(taskKey(task.framework.frameworkId, task.task.taskId));
  }

  launch(framework: FrameworkRecord, executor: ExecutorRecord, record: TaskRecord | undefined): void {
    if (record === undefined) throw new Error(`command executor ${executor.executorId} without a task`);
    const abort = new AbortController();
    const task = this.#track(new CommandTask(framework, executor, record, { kind: "preparing", abort }));
    void this.#launch(task, abort);
  }

  async #launch(task: CommandTask, abort: AbortController): Promise<void> {
    const { runner, clock, launchTimeout } = this.#options;
    const { framework, executor, task: record } = task;
    const timeout = clock.after(launchTimeout, () => {
      abort.abort(
        new TaskFailure(
          TaskState.TASK_FAILED,
          TaskStatus_Reason.EXECUTOR_REGISTRATION_TIMEOUT,
          `Executor did not register within ${formatDuration(launchTimeout)} (--executor_registration_timeout): it was still ${this.#stageOf(task)}`,
        ),
      );
    });
    try {
      this.#report(task, await runner.prepare(framework, executor, record, abort.signal));
    } catch (error) {
      this.#failed(task, abort.signal.aborted ? abort.signal.reason : error);
      return;
    } finally {
      timeout.cancel();
    }
    this.#ran(task);
    // Killed in the moment between the start of the container and its report: like any other that runs.
    if (abort.signal.aborted && !isLate(abort.signal.reason))
      this.#stop(task, "kill", record.kill?.grace ?? runner.killGrace(record, executor));
    this.#follow(task);
  }

  /** What its launch is at. */
  #stageOf({ executor, task: { task, info } }: CommandTask): string {
    const { launching, containerizer } = executor;
    const image = imageOf(info?.container ?? task.container);
    return launching === undefined ? "being prepared" : launchWords(launching, image, containerizer?.pulling?.() ?? []);
  }

  /** The task has started. */
  #report(task: CommandTask, { data, labels = {} }: Pick<StartedContainer, "data" | "labels">): void {
    const made = Object.entries(labels).map(([key, value]) => ({ key, value }));
    const labelled = made.length === 0 ? {} : { labels: { labels: made } };
    if (task.task.masterTracksExecutors) this.#status(task, { state: TaskState.TASK_STARTING });
    this.#status(task, { state: TaskState.TASK_RUNNING, ...(data && { data }), ...labelled });
  }

  #failed(task: CommandTask, why: unknown): void {
    if (this.#closed) return;
    const { executor, task: record, framework } = task;
    this.#end(task);
    const failure =
      why instanceof TaskFailure ? why : TaskFailure.launch(`Failed to launch container: ${messageOf(why)}`);
    const line = `Task ${record.taskId} of framework ${framework.frameworkId} was not started: ${failure.message}`;
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
  #ran(task: CommandTask): void {
    const { executor, task: record } = task;
    const { runner, health } = this.#options;
    const stopChecks = health.start({ executor, task: record, known: task.known }, (report) => {
      if (task.state.kind !== "running") return;
      this.#status(task, { state: TaskState.TASK_RUNNING, ...report.status });
      if (report.kill) this.#stop(task, "unhealthy", runner.killGrace(record, executor));
    });
    task.move({ kind: "running", stopChecks, deadline: this.#deadline(task) });
  }

  /** `max_completion_time`, counted from the first TASK_RUNNING, also across restarts; none, or 0: no limit. */
  #deadline(task: CommandTask): Timer | undefined {
    const limit = millisecondsOf(task.task.info?.maxCompletionTime?.nanoseconds ?? 0n);
    if (limit <= 0) return undefined;
    const { clock } = this.#options;
    const { runningSince = clock.now() } = task.task;
    // As in C++: it hears SIGTERM, and has no time to obey.
    const age = Math.max(0, clock.now() - runningSince);
    return clock.after(Math.max(0, limit - age), () => this.#stop(task, "overdue", 0));
  }

  /** Waits for the end, in the background. */
  #follow(task: CommandTask): void {
    this.#options.runner.wait(task.executor).then(
      (termination) => this.#ended(task, termination),
      (error: unknown) =>
        this.#ended(task, {
          status: undefined,
          message: `Failed to get exit status for Command: ${messageOf(error)}`,
        }),
    );
  }

  #ended(task: CommandTask, termination: ContainerTermination): void {
    const { framework, executor, task: record, state } = task;
    if (state.kind === "ended" || this.#closed) return;
    const cause = state.kind === "killing" ? state.cause : undefined;
    const { limitation, ...status } = outcomeOf(termination, {
      masterTracksExecutors: record.masterTracksExecutors,
      killed: record.kill !== undefined || cause !== undefined,
      unhealthy: cause === "unhealthy",
      timedOut: cause === "overdue",
    });
    this.#end(task);
    if (termination.status !== undefined) record.waitStatus = termination.status;
    this.#status(task, { ...status, ...(limitation && { limitation: { resources: [...limitation] } }) });
    this.#options.events.terminated(framework, executor, termination);
  }

  /** A status as the C++ command executor would send it, with all that is known of the task. */
  #status(task: CommandTask, status: StatusInit): void {
    const { framework, executor, task: record } = task;
    const made: TaskStatus = create(TaskStatusSchema, {
      taskId: { value: record.taskId },
      source: TaskStatus_Source.EXECUTOR,
      ...task.complete(status),
    });
    this.#options.events.status(framework, executor, made);
  }

  recover(framework: FrameworkRecord, executor: ExecutorRecord, found: boolean): void {
    const live = [...executor.tasks.values()].filter(({ bucket }) => bucket === "queued" || bucket === "launched");
    for (const record of live) {
      const task = this.#track(new CommandTask(framework, executor, record));
      if (found) void this.#resume(task);
      else this.#lost(task);
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
  async #resume(task: CommandTask): Promise<void> {
    const { executor, task: record } = task;
    executor.containerStatus ??= await this.#options.runner.status(executor);
    if (this.#closed) return;
    // The agent went away between the start of the process and the report of it.
    if (record.runningSince === undefined) this.#report(task, { data: undefined });
    this.#ran(task);
    if (record.kill !== undefined) this.#stop(task, "kill", record.kill.grace);
    this.#follow(task);
  }

  /** No container and no trace of how it ended. */
  #lost(task: CommandTask): void {
    const { framework, executor, task: record } = task;
    this.#end(task);
    const started = record.task.statuses.length > 0;
    const gone = started ? TaskState.TASK_GONE : TaskState.TASK_DROPPED;
    this.#options.events.terminated(framework, executor, {
      status: undefined,
      state: unlessLost(framework.info, gone),
      reason: TaskStatus_Reason.AGENT_RESTARTED,
      message: started
        ? "The task ended while the agent was away, and nothing is left that tells how"
        : "Task launched during agent restart",
    });
  }

  deliver(): void {
    throw new Error("a command executor runs one task, which it is launched with");
  }

  kill(framework: FrameworkRecord, _executor: ExecutorRecord, record: TaskRecord, kill: KillRequest): void {
    const task = this.#find(framework, record);
    if (task?.state.kind !== "preparing") {
      if (task !== undefined) this.#stop(task, "kill", kill.grace);
      return;
    }
    task.state.abort.abort(
      new TaskFailure(
        TaskState.TASK_KILLED,
        record.masterTracksExecutors
          ? TaskStatus_Reason.TASK_KILLED_DURING_LAUNCH
          : TaskStatus_Reason.EXECUTOR_UNREGISTERED,
        record.masterTracksExecutors ? "Killed before delivery to the executor" : "Unregistered executor",
      ),
    );
  }

  /** SIGTERM, and SIGKILL after `grace` milliseconds; the one way to the end of a task that runs. A shorter grace holds. */
  #stop(task: CommandTask, cause: EndCause, grace: number): void {
    if (task.state.kind === "running") {
      if (task.tellsKilling(cause)) this.#status(task, { state: TaskState.TASK_KILLING });
      task.move({ kind: "killing", cause });
    }
    if (task.state.kind === "killing") void this.#options.runner.stop(task.executor, grace);
  }

  shutdown(framework: FrameworkRecord, executor: ExecutorRecord): void {
    for (const record of executor.tasks.values()) {
      const task = this.#find(framework, record);
      if (task?.state.kind === "preparing")
        task.state.abort.abort(new TaskFailure(TaskState.TASK_KILLED, undefined, "Executor shut down"));
      else if (task !== undefined) this.#stop(task, "shutdown", this.#options.runner.killGrace(record, executor));
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
    for (const task of this.#tasks.values()) task.leave();
    this.#tasks.clear();
  }
}
