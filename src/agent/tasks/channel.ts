import type { StatusUpdate } from "../../mesos/gen/mesos/internal/messages_pb.ts";
import type { FrameworkRecord, KillRequest, TaskRecord } from "../model/records.ts";

/** How the agent speaks to one executor process. Nothing waits, nothing is retried: executors replay when they return. */
export interface ExecutorChannel {
  /** The address of an executor that connects to us; undefined for one that we connect to. */
  readonly peer?: string | undefined;
  launch(framework: FrameworkRecord, task: TaskRecord): void;
  /** All or nothing; only executors of the HTTP API know groups. */
  launchGroup(framework: FrameworkRecord, tasks: readonly TaskRecord[]): void;
  kill(task: TaskRecord, kill: KillRequest): void;
  acknowledge(update: StatusUpdate): void;
  message(data: Uint8Array): void;
  shutdown(): void;
  /** Lets go of the connection. */
  close(): void;
}
