import type { Clock, Timer } from "../../base/clock.ts";
import { formatDuration, millisecondsOf } from "../../base/duration.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { StatusUpdate } from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { TaskState, TaskStatus_Reason } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { unlessLost } from "../../mesos/states.ts";
import type { ContainerTermination } from "../model/container.ts";
import { TaskFailure } from "../model/failure.ts";
import {
  type ExecutorRecord,
  type FrameworkRecord,
  isGenerated,
  type KillRequest,
  moveTask,
  type TaskRecord,
} from "../model/records.ts";
import type { ExecutorChannel } from "./channel.ts";
import type { ExecutorControl, ExecutorEvents } from "./executor-control.ts";
import type { LaunchRunner } from "./launch.ts";

export interface ExecutorProcessesOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly runner: LaunchRunner;
  readonly events: ExecutorEvents;
  /** Milliseconds from the launch until the executor must have registered. */
  readonly registrationTimeout: number;
  /** Milliseconds that an executor has to end by itself, when its info does not say. */
  readonly shutdownGrace: number;
  /** Milliseconds that executors have to come back after a restart of the agent. */
  readonly reregistrationTimeout: number;
}

/**
 * Milliseconds that the executor of a C++ agent's Docker task has to tell how that ended. It is a process beside the container,
 * whose end is seen before its word comes: only it knows whether the task was killed, and by what.
 */
const LAST_WORD = 5_000;

interface Entry {
  readonly framework: FrameworkRecord;
  readonly executor: ExecutorRecord;
  readonly abort: AbortController;
  channel: ExecutorChannel | undefined;
  /** Registration, re-registration or shutdown that must happen in time. */
  timer: Timer | undefined;
  /** What the tasks are told when the container ends because we ended it. */
  cause: Omit<ContainerTermination, "status"> | undefined;
  /** The container has ended, and its executor may still have its say until the timer. */
  over: { readonly termination: ContainerTermination; readonly lastWord: Timer } | undefined;
}

/** Executor processes: launched, waited for, handed tasks, ended (mesos-wire §3.13 to §3.16, §5). */
export class ExecutorProcesses implements ExecutorControl {
  readonly #options: ExecutorProcessesOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #returning = new Set<string>();
  #allReturned: (() => void) | undefined;

  constructor(options: ExecutorProcessesOptions) {
    this.#options = options;
  }

  #track(framework: FrameworkRecord, executor: ExecutorRecord): Entry {
    const entry: Entry = {
      framework,
      executor,
      abort: new AbortController(),
      channel: undefined,
      timer: undefined,
      cause: undefined,
      over: undefined,
    };
    this.#entries.set(executor.containerId, entry);
    return entry;
  }

  #arm(entry: Entry, milliseconds: number, late: () => void): void {
    entry.timer?.cancel();
    entry.timer = this.#options.clock.after(milliseconds, late);
  }

  launch(framework: FrameworkRecord, executor: ExecutorRecord): void {
    const { log, registrationTimeout } = this.#options;
    const entry = this.#track(framework, executor);
    log.info(
      `Launching executor '${executor.executorId}' of framework ${framework.frameworkId} in '${executor.directory}'`,
    );
    this.#arm(entry, registrationTimeout, () => {
      const limit = formatDuration(registrationTimeout);
      log.warn(
        `Terminating executor '${executor.executorId}' of framework ${framework.frameworkId}: it did not register within ${limit}`,
      );
      this.#destroy(entry, {
        state: TaskState.TASK_FAILED,
        reason: TaskStatus_Reason.EXECUTOR_REGISTRATION_TIMEOUT,
        message: `Executor did not register within ${limit}`,
      });
    });
    void this.#start(entry);
  }

  async #start(entry: Entry): Promise<void> {
    const { framework, executor } = entry;
    try {
      await this.#options.runner.prepare(framework, executor, undefined, entry.abort.signal);
    } catch (error) {
      const why: unknown = entry.abort.signal.aborted ? entry.abort.signal.reason : error;
      const failure =
        why instanceof TaskFailure ? why : TaskFailure.launch(`Failed to launch container: ${messageOf(why)}`);
      this.#options.log.error(`Executor '${executor.executorId}' was not started: ${failure.message}`);
      this.#ended(entry, {
        status: undefined,
        state: failure.state,
        message: failure.message,
        ...(failure.reason !== undefined && { reason: failure.reason }),
      });
      return;
    }
    this.#follow(entry);
  }

  #follow(entry: Entry): void {
    this.#options.runner.wait(entry.executor).then(
      (termination) => this.#over(entry, termination),
      (error: unknown) => this.#ended(entry, { status: undefined, message: messageOf(error) }),
    );
  }

  #over(entry: Entry, termination: ContainerTermination): void {
    const { executor } = entry;
    // One whose end it has told stays until that is acknowledged: the executor waits for it, a minute long.
    if (!isGenerated(executor) || executor.containerizer?.name !== "docker" || executor.tasks.size === 0)
      return this.#ended(entry, termination);
    // The container is the task's own: what it ended with is the task's.
    const own = termination.status === 0 ? { state: TaskState.TASK_FINISHED, ...termination } : termination;
    const lastWord = this.#options.clock.after(LAST_WORD, () => this.#ended(entry, own));
    entry.over = { termination: own, lastWord };
  }

  #ended(entry: Entry, termination: ContainerTermination): void {
    if (this.#entries.get(entry.executor.containerId) !== entry) return;
    this.#entries.delete(entry.executor.containerId);
    entry.timer?.cancel();
    entry.over?.lastWord.cancel();
    entry.channel?.close();
    this.#returned(entry.executor);
    const messages = [entry.cause?.message, termination.message].filter((text) => text !== undefined);
    this.#options.events.terminated(entry.framework, entry.executor, {
      ...termination,
      ...entry.cause,
      ...(messages.length > 0 && { message: messages.join("; ") }),
    });
  }

  /** Ends the container at once, or stops its launch. */
  #destroy(entry: Entry, cause: Entry["cause"]): void {
    entry.cause ??= cause;
    if (entry.executor.containerizer === undefined) {
      const state = cause?.state ?? TaskState.TASK_FAILED;
      entry.abort.abort(new TaskFailure(state, cause?.reason, cause?.message ?? "Executor terminated"));
    } else void this.#options.runner.destroy(entry.executor);
  }

  // ---- after a restart of the agent

  recover(framework: FrameworkRecord, executor: ExecutorRecord, found: boolean): void {
    const entry = this.#track(framework, executor);
    if (!found) {
      this.#ended(entry, { status: undefined, message: "The executor ended while the agent was away" });
      return;
    }
    this.#returning.add(executor.containerId);
    // No task may have told of it yet: statuses to come are told with it, too.
    void this.#options.runner.status(executor).then((status) => {
      executor.containerStatus ??= status;
    });
    this.#follow(entry);
    this.#arm(entry, this.#options.reregistrationTimeout, () => this.#stayedAway(entry));
  }

  #stayedAway(entry: Entry): void {
    if (entry.over !== undefined) return this.#ended(entry, entry.over.termination);
    const { log, reregistrationTimeout } = this.#options;
    const limit = formatDuration(reregistrationTimeout);
    log.warn(
      `Executor '${entry.executor.executorId}' did not come back within ${limit} of the agent's restart: ending it`,
    );
    this.#destroy(entry, {
      state: unlessLost(entry.framework.info, TaskState.TASK_GONE),
      reason: TaskStatus_Reason.EXECUTOR_REREGISTRATION_TIMEOUT,
      message: `Executor did not reregister within ${limit}`,
    });
    this.#returned(entry.executor);
  }

  #returned(executor: ExecutorRecord): void {
    if (this.#returning.delete(executor.containerId) && this.#returning.size === 0) this.#allReturned?.();
  }

  /** Whether a recovered executor may still come back. */
  isAwaited(executor: ExecutorRecord): boolean {
    return this.#returning.has(executor.containerId);
  }

  /** Resolves when every recovered executor came back, or had its time. */
  async allReturned(): Promise<void> {
    if (this.#returning.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#allReturned = resolve;
    });
  }

  // ---- connections

  /** Whether the executor was launched or recovered, and has not ended. */
  tracks(executor: ExecutorRecord): boolean {
    return this.#entries.has(executor.containerId);
  }

  /** The executor is there: its first registration, or its return. */
  connect(executor: ExecutorRecord, channel: ExecutorChannel): boolean {
    const entry = this.#entries.get(executor.containerId);
    if (entry === undefined) return false;
    entry.channel?.close();
    entry.channel = channel;
    entry.timer?.cancel();
    this.#returned(executor);
    return true;
  }

  /** The connection of an HTTP executor broke; it will subscribe again, or its container ends. */
  disconnect(executor: ExecutorRecord, channel: ExecutorChannel): void {
    const entry = this.#entries.get(executor.containerId);
    if (entry?.channel !== channel) return;
    channel.close();
    entry.channel = undefined;
  }

  /** The address that the executor is connected from, if it is. */
  peerOf(executor: ExecutorRecord): string | undefined {
    return this.#entries.get(executor.containerId)?.channel?.peer;
  }

  #channel(executor: ExecutorRecord, what: string): ExecutorChannel | undefined {
    const channel = this.#entries.get(executor.containerId)?.channel;
    if (channel === undefined) {
      this.#options.log.warn(`Cannot ${what}: executor '${executor.executorId}' is not connected`);
    }
    return channel;
  }

  deliver(framework: FrameworkRecord, executor: ExecutorRecord, tasks: readonly TaskRecord[]): void {
    const channel = this.#channel(executor, "deliver tasks");
    if (channel === undefined) return;
    const done = new Set<string>();
    for (const task of tasks) {
      if (done.has(task.taskId)) continue;
      const group = task.group === undefined ? [task] : tasks.filter(({ taskId }) => task.group?.includes(taskId));
      for (const member of group) {
        done.add(member.taskId);
        moveTask(member, "launched");
      }
      executor.everDelivered = true;
      if (task.group === undefined) channel.launch(framework, task);
      else channel.launchGroup(framework, group);
    }
  }

  kill(_framework: FrameworkRecord, executor: ExecutorRecord, task: TaskRecord, kill: KillRequest): void {
    this.#channel(executor, `kill task ${task.taskId}`)?.kill(task, kill);
  }

  acknowledge(executor: ExecutorRecord, update: StatusUpdate): void {
    this.#channel(executor, "acknowledge an update")?.acknowledge(update);
  }

  message(executor: ExecutorRecord, data: Uint8Array): void {
    this.#channel(executor, "pass on a framework message")?.message(data);
  }

  shutdown(_framework: FrameworkRecord, executor: ExecutorRecord): void {
    const entry = this.#entries.get(executor.containerId);
    if (entry === undefined) return;
    if (entry.channel === undefined) {
      this.#destroy(entry, undefined);
      return;
    }
    entry.channel.shutdown();
    const own = executor.info.shutdownGracePeriod;
    const grace = own === undefined ? this.#options.shutdownGrace : millisecondsOf(own.nanoseconds);
    this.#arm(entry, grace, () => this.#destroy(entry, undefined));
  }

  release(executor: ExecutorRecord): void {
    this.#options.runner.release(executor);
  }

  /** Stops watching; executors run on. */
  close(): void {
    for (const entry of this.#entries.values()) {
      entry.timer?.cancel();
      entry.over?.lastWord.cancel();
      entry.channel?.close();
    }
    this.#entries.clear();
  }
}
