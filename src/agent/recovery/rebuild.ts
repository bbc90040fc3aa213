import { create } from "@bufbuild/protobuf";
import { has } from "../../mesos/codec.ts";
import { copyOf } from "../../mesos/copy.ts";
import type { StatusUpdate } from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { type ContainerStatus, FrameworkIDSchema, type Task, TaskState } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { isTerminal } from "../../mesos/states.ts";
import { looksGenerated } from "../checkpoint/mend.ts";
import type {
  CheckpointedAgent,
  CheckpointedExecutor,
  CheckpointedFramework,
  CheckpointedRun,
  CheckpointedTask,
} from "../model/checkpointed-state.ts";
import { executorShare } from "../model/command-share.ts";
import type { CheckpointedContainer } from "../model/container.ts";
import { addEvent, type StatusEvent } from "../model/history.ts";
import type { Paths } from "../model/paths.ts";
import {
  allocated,
  type ExecutorKind,
  type ExecutorRecord,
  type FrameworkRecord,
  isAgents,
  isDefaultExecutor,
  runKey,
  type TaskRecord,
} from "../model/records.ts";
import { keepStatus } from "../tasks/statuses.ts";

/** An update stream as it was written, to be replayed. */
interface WrittenStream {
  readonly frameworkId: string;
  readonly taskId: string;
  readonly path: string;
  readonly records: CheckpointedTask["updates"];
}

/** What a checkpointed agent comes back as. */
export interface Rebuilt {
  readonly frameworks: readonly FrameworkRecord[];
  /** Frameworks of which nothing is left but executors that are over. */
  readonly completedFrameworks: readonly FrameworkRecord[];
  readonly streams: readonly WrittenStream[];
  /** Containers that should still exist, or have ended while nobody looked. */
  readonly expected: readonly CheckpointedContainer[];
  /** Directories of what is over, for the garbage collection. */
  readonly garbage: readonly string[];
}

export interface RebuildOptions {
  readonly paths: Paths;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The machine was rebooted: no pid that was written means anything. */
  readonly rebooted: boolean;
  readonly users: { of(framework: FrameworkRecord, executor: ExecutorRecord): string | undefined };
}

/** PacedQueue checkpoints into records (mesos-agent-behaviour §4.1 to §4.5). Pure: reads and changes nothing. */
export function rebuild(agent: CheckpointedAgent, options: RebuildOptions): Rebuilt {
  const streams: WrittenStream[] = [];
  const expected: CheckpointedContainer[] = [];
  const garbage: string[] = [];
  const frameworks: FrameworkRecord[] = [];
  const completedFrameworks: FrameworkRecord[] = [];
  for (const checkpointed of agent.frameworks) {
    const framework: FrameworkRecord = {
      frameworkId: checkpointed.id,
      info: checkpointed.info,
      pid: checkpointed.pid,
      state: "RUNNING",
      executors: new Map(),
      pending: new Map(),
      completedExecutors: [],
    };
    for (const executor of checkpointed.executors) {
      const { paths } = options;
      for (const containerId of executor.olderRuns) {
        const key = { agentId: agent.id, frameworkId: framework.frameworkId, executorId: executor.id, containerId };
        garbage.push(paths.sandbox(key), paths.meta.run(key));
      }
      const record = rebuildExecutor(agent, checkpointed, executor, options, streams);
      if (record === undefined) {
        const past = pastExecutor(agent, checkpointed, executor, options);
        if (past !== undefined) framework.completedExecutors.push(past);
        garbage.push(
          paths.executor(agent.id, framework.frameworkId, executor.id),
          paths.meta.executor(agent.id, framework.frameworkId, executor.id),
        );
        continue;
      }
      framework.executors.set(record.executorId, record);
      expected.push(expectation(framework, record, executor.run, options));
    }
    if (framework.executors.size > 0) frameworks.push(framework);
    else {
      if (framework.completedExecutors.length > 0) completedFrameworks.push(framework);
      garbage.push(
        options.paths.framework(agent.id, framework.frameworkId),
        options.paths.meta.framework(agent.id, framework.frameworkId),
      );
    }
  }
  return { frameworks, completedFrameworks, streams, expected, garbage };
}

function rebuildExecutor(
  agent: CheckpointedAgent,
  framework: CheckpointedFramework,
  executor: CheckpointedExecutor,
  options: RebuildOptions,
  streams: WrittenStream[],
): ExecutorRecord | undefined {
  const { run } = executor;
  if (run === undefined || run.completed) return undefined;
  const record = executorRecord(agent, framework, executor, run, options);
  for (const task of run.tasks) {
    const rebuilt = rebuildTask(framework.id, task, record.kind);
    // A master looks for the executor that a task names.
    if (record.generated) delete rebuilt.task.executorId;
    // Whichever task has told of it: it is the container of all of them.
    record.containerStatus ??= rebuilt.task.statuses.findLast(({ containerStatus: told }) =>
      isOf(told, record),
    )?.containerStatus;
    if (rebuilt.bucket === "completed") {
      record.completed.push(rebuilt);
      continue;
    }
    record.tasks.set(task.id, rebuilt);
    const path = options.paths.meta.taskUpdates(runKey(agent.id, record), task.id);
    streams.push({ frameworkId: framework.id, taskId: task.id, path, records: task.updates });
  }
  return record;
}

/**
 * An executor whose run is over, for those who look at it: its tasks as their updates left them, its sandbox until it is
 * collected. A task of which no end was written down had one that nobody saw; it is left out rather than shown as running.
 */
function pastExecutor(
  agent: CheckpointedAgent,
  framework: CheckpointedFramework,
  executor: CheckpointedExecutor,
  options: RebuildOptions,
): ExecutorRecord | undefined {
  const { run } = executor;
  if (run === undefined) return undefined;
  const record = executorRecord(agent, framework, executor, run, options);
  record.state = "TERMINATED";
  for (const task of run.tasks) {
    const rebuilt = rebuildTask(framework.id, task, record.kind);
    if (record.generated) delete rebuilt.task.executorId;
    if (isTerminal(rebuilt.task.state)) record.completed.push({ ...rebuilt, bucket: "completed" });
  }
  return record;
}

function executorRecord(
  agent: CheckpointedAgent,
  framework: CheckpointedFramework,
  executor: CheckpointedExecutor,
  run: CheckpointedRun,
  options: RebuildOptions,
): ExecutorRecord {
  const key = { agentId: agent.id, frameworkId: framework.id, executorId: executor.id, containerId: run.containerId };
  const kind = kindOf(executor, run);
  const record: ExecutorRecord = {
    executorId: executor.id,
    frameworkId: framework.id,
    info: copyOf(executor.info),
    generated: isGeneratedExecutor(executor),
    containerId: run.containerId,
    directory: options.paths.sandbox(key),
    kind,
    state: isAgents({ kind }) || run.libprocessPid !== undefined || run.http ? "RUNNING" : "REGISTERING",
    containerizer: undefined,
    pid: options.rebooted ? undefined : run.libprocessPid,
    tasks: new Map(),
    completed: [],
    everDelivered: run.libprocessPid !== undefined || run.http,
    since: options.now,
  };
  record.info.frameworkId ??= create(FrameworkIDSchema, { value: framework.id });
  return record;
}

const isOf = (told: ContainerStatus | undefined, { containerId }: ExecutorRecord): boolean =>
  told?.containerId?.value === containerId && told.containerId.parent === undefined;

/**
 * A command task's executor is ours when the agent that wrote it says so (since 1.10, and we always do) and it never had
 * a process that spoke to the agent: a C++ agent's command executor is a driver like any other.
 */
function kindOf(executor: CheckpointedExecutor, run: CheckpointedRun): ExecutorKind {
  if (run.http) return "http";
  if (run.libprocessPid !== undefined) return "driver";
  // A C++ agent's has a process, which may not have subscribed yet.
  if (isDefaultExecutor(executor.info) && run.forkedPid === undefined) return "group";
  // A lost task.launch leaves the info: it has the task's own command, which no C++ agent's has.
  const ours = run.tasks.some(({ launch }) => launch !== undefined) || looksGenerated(executor.info);
  return (executor.generatedForCommandTask ?? looksGenerated(executor.info)) && ours ? "command" : "unknown";
}

/** Agents before 1.10 did not write down which executors they had made up; their command tells. */
function isGeneratedExecutor({ generatedForCommandTask, info }: CheckpointedExecutor): boolean {
  if (generatedForCommandTask !== undefined) return generatedForCommandTask;
  if (looksGenerated(info)) return true;
  return info.name.startsWith("Command Executor (Task: ") && /(^|\/)mesos-executor\b/.test(info.command?.value ?? "");
}

/**
 * An executor process may have been handed a task of which nothing was heard: it says so when it comes back. So its tasks
 * come back as launched, and those that it does not know are reported lost instead of being launched a second time.
 */
function rebuildTask(frameworkId: string, checkpointed: CheckpointedTask, kind: ExecutorKind): TaskRecord {
  const { launch, updates, killGrace } = checkpointed;
  const task = copyOf(checkpointed.task);
  const history: StatusEvent[] = [];
  applyUpdates(task, updates, history);
  const acknowledged = updates.flatMap((record) => (record.acknowledged === undefined ? [] : [record.acknowledged]));
  const terminal = updates.find(
    ({ update }) => update?.status !== undefined && isTerminal(update.status.state),
  )?.update;
  const over = terminal !== undefined && acknowledged.some((uuid) => Buffer.compare(uuid, terminal.uuid) === 0);
  const live = updates.length > 0 || !isAgents({ kind }) ? "launched" : "queued";
  const running = updates.find(({ update }) => update?.status?.state === TaskState.TASK_RUNNING)?.update?.status;
  return {
    taskId: checkpointed.id,
    frameworkId,
    ...(running !== undefined && { runningSince: running.timestamp * 1000 }),
    task,
    history,
    info: launch?.task,
    group: checkpointed.group,
    masterTracksExecutors: launch !== undefined && has(launch, "launchExecutor"),
    bucket: over ? "completed" : terminal === undefined ? live : "terminated",
    kill: killGrace === undefined ? undefined : { policy: undefined, grace: killGrace },
  };
}

/** The checkpointed Task is as it was at launch: bring it to where the updates left it. */
function applyUpdates(task: Task, updates: CheckpointedTask["updates"], history: StatusEvent[]): void {
  for (const { update } of updates) {
    const status: StatusUpdate["status"] = update?.status;
    if (status === undefined || isTerminal(task.state)) continue;
    task.state = status.state;
    addEvent(history, status);
    keepStatus(task, status);
  }
}

function expectation(
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  run: CheckpointedRun | undefined,
  options: RebuildOptions,
): CheckpointedContainer {
  const [first] = executor.tasks.values();
  const task = executor.kind === "command" ? first : undefined;
  const container = task?.task.container ?? executor.info.container;
  const own = task?.task.resources ?? [];
  const isGroup = executor.kind === "group";
  const command = executor.info.command ?? {
    $typeName: "mesos.v1.CommandInfo",
    uris: [],
    value: "",
    user: "",
    shell: true,
    arguments: [],
  };
  return {
    containerId: executor.containerId,
    framework: framework.info,
    executor: executor.info,
    task: task?.info,
    command,
    container,
    sandbox: executor.directory,
    user: options.users.of(framework, executor),
    resources: isGroup ? allocated(executor) : [...executorShare(executor, container, own), ...own],
    limits: task?.info?.limits ?? {},
    checkpoint: framework.info.checkpoint,
    pid: options.rebooted ? undefined : run?.forkedPid,
    ...(isGroup && { processless: true }),
  };
}
