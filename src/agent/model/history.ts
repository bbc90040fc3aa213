import { has } from "../../mesos/codec.ts";
import type { TaskState, TaskStatus, TaskStatus_Reason, TaskStatus_Source } from "../../mesos/gen/mesos/v1/mesos_pb.ts";

/** One thing that happened to a task: a status that said something new. */
export interface StatusEvent {
  readonly state: TaskState;
  /** Seconds since the epoch. */
  readonly timestamp: number;
  readonly message: string;
  readonly reason: TaskStatus_Reason | undefined;
  readonly source: TaskStatus_Source | undefined;
  readonly healthy: boolean | undefined;
}

/** Events kept of one task: its beginning, and what came last. */
const MOST_EVENTS = 50;
const KEPT_OF_BEGINNING = 10;

/**
 * Adds a status to what is remembered of a task. Mesos keeps the newest status of each state, so that a health check
 * overwrites when a task began to run; here each event stays, and a status that only says the same again is none.
 */
export function addEvent(history: StatusEvent[], status: TaskStatus): void {
  const event: StatusEvent = {
    state: status.state,
    timestamp: status.timestamp,
    message: status.message,
    reason: has(status, "reason") ? status.reason : undefined,
    source: has(status, "source") ? status.source : undefined,
    healthy: has(status, "healthy") ? status.healthy : undefined,
  };
  const last = history.at(-1);
  const isSame =
    last !== undefined &&
    last.state === event.state &&
    last.healthy === event.healthy &&
    last.message === event.message &&
    last.reason === event.reason;
  if (isSame) return;
  history.push(event);
  if (history.length > MOST_EVENTS) history.splice(KEPT_OF_BEGINNING, 1);
}
