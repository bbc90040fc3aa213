import {
  type ContainerStatus,
  type ExecutorInfo,
  ExecutorInfo_Type,
  type FrameworkInfo,
  type KillPolicy,
  type Resource,
  type Task,
  type TaskInfo,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Containerizer, FetchProgress } from "./container.ts";
import type { StatusEvent } from "./history.ts";
import type { RunKey } from "./paths.ts";

/**
 * What the agent knows of frameworks, executors and tasks.
 *
 * A task's bucket (mesos-agent-behaviour §5.2):
 *
 *   pending ──▶ queued ──▶ launched ──▶ terminated ──▶ completed
 *      │           │                       ▲
 *      └───────────┴── refused, killed ────┘
 *
 * pending: no executor yet · queued: not handed to the executor · launched: handed over · terminated: a terminal update
 * was made but not acknowledged · completed: acknowledged.
 */
export type TaskBucket = "pending" | "queued" | "launched" | "terminated" | "completed";

/** Legal moves between buckets; the only table of them. */
const TASK_MOVES: Readonly<Record<TaskBucket, readonly TaskBucket[]>> = {
  pending: ["queued", "terminated"],
  queued: ["launched", "terminated"],
  launched: ["terminated"],
  terminated: ["completed"],
  completed: [],
};

/**
 *   REGISTERING ──▶ RUNNING ──▶ TERMINATING ──▶ TERMINATED
 *        └─────────────┴──────────────────────────▲
 */
export type ExecutorState = "REGISTERING" | "RUNNING" | "TERMINATING" | "TERMINATED";

const EXECUTOR_MOVES: Readonly<Record<ExecutorState, readonly ExecutorState[]>> = {
  REGISTERING: ["RUNNING", "TERMINATING", "TERMINATED"],
  RUNNING: ["TERMINATING", "TERMINATED"],
  TERMINATING: ["TERMINATED"],
  TERMINATED: [],
};

/**
 * command: the agent itself is the executor; group: it is the default executor of task groups. driver: libprocess. http: the v1
 * executor API. unknown: not yet seen.
 */
export type ExecutorKind = "command" | "group" | "driver" | "http" | "unknown";

export interface TaskRecord {
  readonly taskId: string;
  readonly frameworkId: string;
  /** The bookkeeping message: state, statuses, what the master is told at re-registration. */
  readonly task: Task;
  /** As it came from the master; undefined for a task taken over from a C++ agent, which does not keep it. */
  readonly info: TaskInfo | undefined;
  /** The task group that it came in, all members included. */
  readonly group: readonly string[] | undefined;
  /** Whether the master is 1.5.1 or newer, as seen from the launch message: chooses TASK_STARTING and reasons. */
  readonly masterTracksExecutors: boolean;
  bucket: TaskBucket;
  /** Set once a kill was asked for; survives restarts. */
  kill: KillRequest | undefined;
  /** Milliseconds since the epoch of the first TASK_RUNNING: of each state only the newest status is kept. */
  runningSince?: number;
  /** What happened to it, oldest first, for its page. */
  readonly history?: StatusEvent[];
  /** The raw wait(2) status that its process ended with, as far as this agent saw it. */
  waitStatus?: number;
}

export interface KillRequest {
  readonly policy: KillPolicy | undefined;
  /** Milliseconds from SIGTERM to SIGKILL. */
  readonly grace: number;
}

export interface ExecutorRecord {
  readonly executorId: string;
  readonly frameworkId: string;
  readonly info: ExecutorInfo;
  readonly containerId: string;
  /** The sandbox, an absolute path. */
  readonly directory: string;
  kind: ExecutorKind;
  /** A C++ agent made it up for a command task: masters know nothing of it, as of our own (kind "command"). */
  readonly generated?: boolean;
  state: ExecutorState;
  containerizer: Containerizer | undefined;
  /** What its container is known by (addresses, process, groups), once it runs: every status says it. */
  containerStatus?: ContainerStatus | undefined;
  /** `executor(1)@ip:port` of a driver. */
  pid: string | undefined;
  readonly tasks: Map<string, TaskRecord>;
  /** The last tasks that were acknowledged, oldest first. */
  readonly completed: TaskRecord[];
  /** The step of the launch that is under way, its beginning (milliseconds since the epoch), and how far a fetch is. */
  launching?: { readonly stage: string; readonly since: number; readonly fetching?: FetchProgress } | undefined;
  /** Whether it was ever handed a task. */
  everDelivered: boolean;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

export interface FrameworkRecord {
  readonly frameworkId: string;
  info: FrameworkInfo;
  /** The scheduler driver's UPID, undefined for HTTP schedulers. */
  pid: string | undefined;
  state: "RUNNING" | "TERMINATING";
  readonly executors: Map<string, ExecutorRecord>;
  /** Tasks whose executor does not exist yet. */
  readonly pending: Map<string, TaskRecord>;
  readonly completedExecutors: ExecutorRecord[];
  /** Set when it should be on disk and could not be written. */
  unwritten?: boolean;
}

/** Whether the agent itself is the executor: no process speaks for it. */
export const isAgents = ({ kind }: Pick<ExecutorRecord, "kind">): boolean => kind === "command" || kind === "group";

/** Whether an ExecutorInfo is Mesos' default executor, which masters name without a command. */
export const isDefaultExecutor = ({ type, command }: ExecutorInfo): boolean =>
  type === ExecutorInfo_Type.DEFAULT && command === undefined;

/** Whether the executor stands for a command task: it is not among those that masters are told of. */
export const isGenerated = (executor: ExecutorRecord): boolean =>
  executor.kind === "command" || executor.generated === true;

/** Tasks of an executor in one bucket, in the order they came. */
export function tasksIn(executor: ExecutorRecord, ...buckets: readonly TaskBucket[]): TaskRecord[] {
  const found: TaskRecord[] = [];
  for (const task of executor.tasks.values()) if (buckets.includes(task.bucket)) found.push(task);
  return found;
}

/** Moves a task; a move that the table does not have is a defect of ours. */
export function moveTask(record: TaskRecord, to: TaskBucket): void {
  if (record.bucket === to) return;
  if (!TASK_MOVES[record.bucket].includes(to)) {
    throw new Error(`task ${record.taskId} cannot go from ${record.bucket} to ${to}`);
  }
  record.bucket = to;
}

export function moveExecutor(executor: ExecutorRecord, to: ExecutorState): void {
  if (executor.state === to) return;
  if (!EXECUTOR_MOVES[executor.state].includes(to)) {
    throw new Error(`executor ${executor.executorId} cannot go from ${executor.state} to ${to}`);
  }
  executor.state = to;
}

/** Everything that an executor and its unfinished tasks may use. */
export function allocated(executor: ExecutorRecord): Resource[] {
  const found: Resource[] = executor.kind === "command" ? [] : [...executor.info.resources];
  for (const { bucket, task } of executor.tasks.values())
    if (bucket === "queued" || bucket === "launched") found.push(...task.resources);
  return found;
}

/** Where an executor's run is found in the trees of an agent. */
export const runKey = (agentId: string, { frameworkId, executorId, containerId }: ExecutorRecord): RunKey => ({
  agentId,
  frameworkId,
  executorId,
  containerId,
});
