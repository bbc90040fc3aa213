import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { RunTaskMessage } from "../../mesos/gen/mesos/internal/messages_pb.ts";
import type { Resource, TaskInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Paths, RunKey } from "../model/paths.ts";
import type { ExecutorRecord, FrameworkRecord, KillRequest, TaskRecord } from "../model/records.ts";
import type { FrameworkBook } from "./book.ts";
import type { ExecutorControl } from "./executor-control.ts";
import type { StatusIntake } from "./statuses.ts";

/** mesos-wire §3.1 */
export type AgentPhase = "RECOVERING" | "DISCONNECTED" | "RUNNING" | "TERMINATING";

/** What is written down before it is acted on. Each throws what the system says. */
export interface LaunchCheckpoints {
  framework(agentId: string, framework: FrameworkRecord): void;
  executor(agentId: string, executor: ExecutorRecord): void;
  task(run: RunKey, task: TaskRecord, launch: RunTaskMessage): void;
  kill(run: RunKey, taskId: string, kill: KillRequest): void;
  sentinel(run: RunKey): void;
  /** Takes back what was written of a launch that is refused after all. */
  withdraw(run: RunKey, taskIds: readonly string[], isNewRun: boolean): void;
}

/** What the bookkeeping of frameworks needs from the rest of the agent. */
export interface FrameworksContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly book: FrameworkBook;
  readonly intake: StatusIntake;
  readonly checkpoints: LaunchCheckpoints;
  readonly paths: Paths;
  readonly agentId: () => string;
  readonly phase: () => AgentPhase;
  /** To the master; dropped when there is none. */
  readonly send: <D extends DescMessage>(schema: D, message: MessageShape<D>) => void;
  readonly control: (executor: ExecutorRecord) => ExecutorControl;
  readonly gc: {
    /** Deletes the path after the GC delay. */
    schedule(path: string): void;
    /** The delay counts from when the path was last changed: for what an earlier agent left. */
    scheduleByAge(paths: readonly string[]): void;
    /** Keeps it; resolves to false when it is being deleted this moment and cannot be kept. */
    unschedule(path: string): Promise<boolean> | undefined;
  };
  readonly updates: {
    drop(frameworkId: string): void;
    resend(frameworkId: string): void;
  };
  readonly admission: {
    draining(): boolean;
    staleResources(versions: RunTaskMessage["resourceVersionUuids"]): boolean;
    knows(resources: readonly Resource[]): boolean;
    limitsProblem(task: TaskInfo): string | undefined;
  };
  /** Milliseconds from SIGTERM to SIGKILL. */
  readonly killGrace: (task: TaskRecord, executor: ExecutorRecord) => number;
  /** The last framework is gone. */
  readonly idle: () => void;
  /** A container's allocation changed: hold it to the new one. */
  readonly resize: (executor: ExecutorRecord) => void;
  /** A sandbox that the files endpoint may show. */
  readonly attach: (executor: ExecutorRecord) => void;
}

export const runKey = (context: FrameworksContext, executor: ExecutorRecord): RunKey => ({
  agentId: context.agentId(),
  frameworkId: executor.frameworkId,
  executorId: executor.executorId,
  containerId: executor.containerId,
});
