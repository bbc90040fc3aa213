import { create } from "@bufbuild/protobuf";
import type { Clock, Timer } from "../../../base/clock.ts";
import { millisecondsOf } from "../../../base/duration.ts";
import { messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import { copyOf } from "../../../mesos/copy.ts";
import {
  ContainerStatusSchema,
  TaskState,
  TaskStatus_Reason,
  TaskStatus_Source,
  TaskStatusSchema,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerTermination } from "../../model/container.ts";
import { TaskFailure } from "../../model/failure.ts";
import { containerIdOf, keyOf } from "../../model/nested.ts";
import {
  type ExecutorRecord,
  type FrameworkRecord,
  type KillRequest,
  moveTask,
  type TaskRecord,
  tasksIn,
} from "../../model/records.ts";
import { CommandTask, type EndCause, type StatusInit } from "../command-task.ts";
import type { ExecutorControl, ExecutorEvents } from "../executor-control.ts";
import type { HealthWatch } from "../health-watch.ts";
import type { KeptKills } from "../kept-kills.ts";
import type { LaunchRunner } from "../launch.ts";
import { memberChain, memberOrder } from "./group-container.ts";
import { GroupExecutor, type GroupMember } from "./group-executor.ts";
import { endsGroup, groupOutcome } from "./group-outcome.ts";
import { linkTask } from "./task-link.ts";

export interface GroupTasksOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly runner: LaunchRunner;
  readonly events: ExecutorEvents;
  readonly health: Pick<HealthWatch, "start">;
  /** The agent's own address: that of its containers. */
  readonly ip: string;
  /** `--executor_shutdown_grace_period`, milliseconds. */
  readonly shutdownGrace: number;
  readonly kills: KeptKills;
}

/** How one ends that was killed before its container was there. */
const neverRan = ({ masterTracksExecutors }: TaskRecord): ContainerTermination => ({
  ...{ status: undefined, state: TaskState.TASK_KILLED, message: "Killed before it ran" },
  ...(masterTracksExecutors && { reason: TaskStatus_Reason.TASK_KILLED_DURING_LAUNCH }),
});

/**
 * Task groups with Mesos' default executor: the agent is it. The executor's container has no process, each task is a container
 * nested in it; the statuses are those that mesos-default-executor sends (mesos-agent-behaviour §5.14).
 */
export class GroupTasks implements ExecutorControl {
  readonly #options: GroupTasksOptions;
  readonly #executors = new Map<string, GroupExecutor>();
  #closed = false;

  constructor(options: GroupTasksOptions) {
    this.#options = options;
  }

  #track(framework: FrameworkRecord, executor: ExecutorRecord): GroupExecutor {
    const group = new GroupExecutor(framework, executor);
    this.#executors.set(executor.containerId, group);
    return group;
  }

  launch(framework: FrameworkRecord, executor: ExecutorRecord): void {
    void this.#start(this.#track(framework, executor));
  }

  async #start(group: GroupExecutor): Promise<void> {
    const { runner, log, events } = this.#options;
    const { framework, executor, abort } = group;
    log.info(`Launching the default executor '${executor.executorId}' of framework ${framework.frameworkId}`);
    try {
      await runner.prepare(framework, executor, undefined, abort.signal);
    } catch (error) {
      const why: unknown = abort.signal.aborted ? abort.signal.reason : error;
      const failure =
        why instanceof TaskFailure ? why : TaskFailure.launch(`Failed to launch container: ${messageOf(why)}`);
      log.error(`Executor '${executor.executorId}' was not started: ${failure.message}`);
      const { state, message, reason } = failure;
      this.#over(group, { status: undefined, state, message, ...(reason !== undefined && { reason }) });
      return;
    }
    if (this.#closed) return;
    this.#follow(group);
    events.registered(framework, executor);
  }

  #follow(group: GroupExecutor): void {
    this.#options.runner.wait(group.executor).then(
      (termination) => this.#over(group, termination),
      (error: unknown) => this.#over(group, { status: undefined, message: messageOf(error) }),
    );
  }

  /** The executor's container has ended, and all in it before. */
  #over(group: GroupExecutor, termination: ContainerTermination): void {
    if (this.#closed || this.#executors.get(group.executor.containerId) !== group) return;
    this.#executors.delete(group.executor.containerId);
    group.leave();
    this.#options.events.terminated(group.framework, group.executor, termination);
  }

  deliver(framework: FrameworkRecord, executor: ExecutorRecord, tasks: readonly TaskRecord[]): void {
    const group = this.#executors.get(executor.containerId);
    // One that ends takes no more: what waits for it is told of its end.
    if (group === undefined || group.isFinishing || group.isShuttingDown) return;
    executor.everDelivered = true;
    const done = new Set<TaskRecord>();
    for (const task of tasks) {
      if (done.has(task)) continue;
      const together = task.group === undefined ? [task] : tasks.filter(({ taskId }) => task.group?.includes(taskId));
      for (const member of together) done.add(member);
      const members = together.map((record) => this.#member(group, record));
      this.#options.log.info(
        `Launching ${together.map(({ taskId }) => `'${taskId}'`).join(", ")} of framework ${framework.frameworkId}`,
      );
      for (const member of members) this.#status(member, { state: TaskState.TASK_STARTING });
      void this.#launchAll(members);
    }
  }

  #member(group: GroupExecutor, record: TaskRecord): GroupMember {
    const { framework, executor } = group;
    moveTask(record, "launched");
    const task = new CommandTask(framework, executor, record);
    const chain = memberChain(executor.containerId, record.taskId);
    const wantedEnd = record.kill && { cause: "kill" as const, grace: record.kill.grace };
    return group.add({ group, task, chain, isGroupEnding: false, wantedEnd, containerStatus: undefined });
  }

  /** All of a group at once; those that cannot be started end the others, which have started then. */
  async #launchAll(members: readonly GroupMember[]): Promise<void> {
    const failures = await Promise.all(members.map((member) => this.#launchMember(member)));
    if (this.#closed) return;
    for (const [index, member] of members.entries()) {
      if (failures[index] === undefined && member.task.state.kind === "preparing") this.#ran(member);
    }
    for (const [index, member] of members.entries()) {
      const failure = failures[index];
      if (failure !== undefined) this.#ended(member, failure);
    }
  }

  /** Resolves with the end of one that was not started. */
  async #launchMember(member: GroupMember): Promise<ContainerTermination | undefined> {
    const { task, chain, group } = member;
    const { task: record, state } = task;
    const { executor } = group;
    const { nested } = executor.containerizer ?? {};
    const signal = state.kind === "preparing" ? state.abort.signal : undefined;
    try {
      if (nested === undefined) throw new Error("the containerizer has no nested containers");
      if (record.info === undefined) throw new Error("nothing is known of what the task is to run");
      await nested.launch(memberOrder(executor.containerId, record.info, this.#options.ip), signal);
    } catch (error) {
      return signal?.aborted ? neverRan(record) : { status: undefined, message: messageOf(error) };
    }
    await this.#look(member);
    try {
      linkTask(executor.directory, record.taskId, chain[1] ?? "");
    } catch (error) {
      this.#options.log.warn(`Linking the sandbox of task ${record.taskId}: ${messageOf(error)}`);
    }
    return undefined;
  }

  /** What all its statuses tell of its container from now on. */
  async #look(member: GroupMember): Promise<void> {
    const { nested } = member.group.executor.containerizer ?? {};
    member.containerStatus = await nested?.status(member.chain).catch(() => undefined);
  }

  /** It has started: its checks and its time begin. */
  #ran(member: GroupMember): void {
    const { health, runner } = this.#options;
    const { task, chain, group } = member;
    if (task.task.runningSince === undefined) this.#status(member, { state: TaskState.TASK_RUNNING });
    const checked = { executor: group.executor, task: task.task, known: task.known, containerId: keyOf(chain) };
    const stopChecks = health.start(checked, (report) => {
      if (task.state.kind !== "running") return;
      this.#status(member, { state: TaskState.TASK_RUNNING, ...report.status });
      if (report.kill) this.#stop(member, "unhealthy", runner.killGrace(task.task, group.executor));
    });
    task.move({ kind: "running", stopChecks, deadline: this.#deadline(member) });
    const { wantedEnd } = member;
    if (wantedEnd !== undefined) this.#stop(member, wantedEnd.cause, wantedEnd.grace);
    this.#followMember(member);
  }

  #deadline(member: GroupMember): Timer | undefined {
    const { clock } = this.#options;
    const { info, runningSince = clock.now() } = member.task.task;
    const limit = millisecondsOf(info?.maxCompletionTime?.nanoseconds ?? 0n);
    if (limit <= 0) return undefined;
    const age = Math.max(0, clock.now() - runningSince);
    return clock.after(Math.max(0, limit - age), () => this.#stop(member, "overdue", 0));
  }

  #followMember(member: GroupMember): void {
    const ended = member.group.executor.containerizer?.nested?.wait(member.chain);
    const gone = { status: undefined, message: "Unable to retrieve command's termination information" };
    (ended ?? Promise.resolve(gone)).then(
      (termination) => this.#ended(member, termination),
      (error: unknown) => this.#ended(member, { status: undefined, message: messageOf(error) }),
    );
  }

  #ended(member: GroupMember, termination: ContainerTermination): void {
    const { task, group } = member;
    const { task: record, state } = task;
    if (this.#closed || state.kind === "ended") return;
    const cause = state.kind === "killing" ? state.cause : (member.wantedEnd?.cause ?? undefined);
    const killed = cause ?? (record.kill === undefined ? undefined : "kill");
    const { limitation, ...outcome } = groupOutcome(termination, killed);
    task.move({ kind: "ended" });
    group.members.delete(record.taskId);
    if (termination.status !== undefined) record.waitStatus = termination.status;
    this.#status(member, { ...outcome, ...(limitation && { limitation: { resources: [...limitation] } }) });
    if (!group.isShuttingDown && !member.isGroupEnding && endsGroup(outcome)) this.#endGroup(member);
    if (group.members.size === 0) this.#finish(group);
  }

  /** One of a group failed or was killed: the others are killed. */
  #endGroup({ task: { task: record }, group }: GroupMember): void {
    const { runner, kills, log } = this.#options;
    const others = [...group.members.values()].filter(({ task }) => record.group?.includes(task.task.taskId));
    if (others.length === 0) return;
    log.info(`Task ${record.taskId} ended badly: killing the other ${others.length} of its group`);
    for (const other of others) {
      other.isGroupEnding = true;
      if (other.task.state.kind === "killing") continue;
      const grace = runner.killGrace(other.task.task, group.executor);
      other.task.task.kill ??= { policy: undefined, grace };
      kills.keep(group.framework, group.executor, other.task.task, { policy: undefined, grace });
      this.#stop(other, "shutdown", grace);
    }
  }

  /** No task is left: the executor's container goes. */
  #finish(group: GroupExecutor): void {
    if (group.isFinishing) return;
    group.isFinishing = true;
    void this.#options.runner.destroy(group.executor);
  }

  #stop(member: GroupMember, cause: EndCause, grace: number): void {
    const { task, chain, group } = member;
    if (task.state.kind === "preparing") {
      const { wantedEnd } = member;
      member.wantedEnd = { cause: wantedEnd?.cause ?? cause, grace: Math.min(wantedEnd?.grace ?? grace, grace) };
      this.#cancel(member);
      return;
    }
    if (task.state.kind === "running") {
      if (task.tellsKilling(cause)) this.#status(member, { state: TaskState.TASK_KILLING });
      task.move({ kind: "killing", cause });
    }
    if (task.state.kind !== "killing") return;
    group.executor.containerizer?.nested?.stop(chain, grace).catch((error: unknown) => {
      this.#options.log.error(`Stopping task ${task.task.taskId}: ${messageOf(error)}`);
    });
  }

  /** A launch that is over before it is done; so are those of its group, which end with it. What runs by then gets its grace. */
  #cancel({ task, group }: GroupMember): void {
    if (task.state.kind === "preparing") task.state.abort.abort(new Error("killed before it ran"));
    for (const other of group.members.values()) {
      const isOfGroup = task.task.group?.includes(other.task.task.taskId) === true;
      if (!isOfGroup || other.wantedEnd !== undefined || other.task.state.kind !== "preparing") continue;
      other.isGroupEnding = true;
      this.#stop(other, "shutdown", this.#options.runner.killGrace(other.task.task, group.executor));
    }
  }

  #status({ task, chain, group, containerStatus }: GroupMember, status: StatusInit): void {
    const container = containerStatus === undefined ? create(ContainerStatusSchema) : copyOf(containerStatus);
    container.containerId = containerIdOf(chain);
    const made = create(TaskStatusSchema, {
      taskId: { value: task.task.taskId },
      source: TaskStatus_Source.EXECUTOR,
      containerStatus: container,
      ...task.complete(status),
    });
    this.#options.events.status(group.framework, group.executor, made);
  }

  recover(framework: FrameworkRecord, executor: ExecutorRecord, found: boolean): void {
    const group = this.#track(framework, executor);
    const live = tasksIn(executor, "queued", "launched");
    if (!found) {
      this.#over(group, { status: undefined, message: "The executor's container is gone" });
      return;
    }
    this.#follow(group);
    const members = live.map((record) => this.#member(group, record));
    const { nested } = executor.containerizer ?? {};
    const unstarted = members.filter(
      ({ chain, task }) => nested?.wait(chain) === undefined && task.task.runningSince === undefined,
    );
    for (const member of members) if (!unstarted.includes(member)) void this.#resume(member);
    for (const member of unstarted) if (member.wantedEnd !== undefined) this.#cancel(member);
    // The agent was killed in the middle of their launch: it goes on.
    if (unstarted.length > 0) void this.#launchAll(unstarted);
    if (group.members.size === 0) this.#finish(group);
  }

  async #resume(member: GroupMember): Promise<void> {
    await this.#look(member);
    if (!this.#closed) this.#ran(member);
  }

  kill(_framework: FrameworkRecord, executor: ExecutorRecord, record: TaskRecord, kill: KillRequest): void {
    const member = this.#executors.get(executor.containerId)?.members.get(record.taskId);
    if (member !== undefined) this.#stop(member, "kill", kill.grace);
  }

  shutdown(_framework: FrameworkRecord, executor: ExecutorRecord): void {
    const { clock, runner, shutdownGrace } = this.#options;
    const group = this.#executors.get(executor.containerId);
    if (group === undefined) return;
    group.isShuttingDown = true;
    group.abort.abort(new TaskFailure(TaskState.TASK_KILLED, undefined, "Executor shut down"));
    for (const member of [...group.members.values()])
      this.#stop(member, "shutdown", runner.killGrace(member.task.task, executor));
    if (group.members.size === 0) return this.#finish(group);
    const own = executor.info.shutdownGracePeriod;
    const grace = own === undefined ? shutdownGrace : millisecondsOf(own.nanoseconds);
    group.deadline = clock.after(grace, () => this.#finish(group));
  }

  /** The agent is its own executor: it knows. */
  acknowledge(): void {}

  /** Mesos' default executor takes none either. */
  message(executor: ExecutorRecord): void {
    this.#options.log.warn(`Dropping a framework message for the default executor '${executor.executorId}'`);
  }

  release(executor: ExecutorRecord): void {
    this.#options.runner.release(executor);
  }

  /** Stops watching; the tasks run on. */
  close(): void {
    this.#closed = true;
    for (const group of this.#executors.values()) group.leave();
    this.#executors.clear();
  }
}
