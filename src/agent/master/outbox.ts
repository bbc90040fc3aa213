import { clone, create } from "@bufbuild/protobuf";
import type { Logger } from "../../base/log.ts";
import type { Process } from "../../libprocess/process.ts";
import { formatUPID, type UPID } from "../../libprocess/upid.ts";
import {
  type RegisterSlaveMessage,
  RegisterSlaveMessageSchema,
  type ReregisterSlaveMessage,
  ReregisterSlaveMessageSchema,
  type StatusUpdate,
  StatusUpdateMessageSchema,
  StatusUpdateSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import type { AgentInfo, MasterInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { stateForMaster, stateName } from "../../mesos/states.ts";
import { MESOS_VERSION } from "../../mesos/version.ts";
import type { Reservations } from "../reservations/reservations.ts";
import type { FrameworkBook } from "../tasks/book.ts";
import { advertisedCapabilities } from "./capabilities.ts";

/** What an agent tells of itself. */
export interface Self {
  readonly info: AgentInfo;
  readonly book: FrameworkBook;
  readonly reservations: Reservations;
  readonly resourceVersion: Uint8Array<ArrayBuffer>;
}

/** Whom updates go to, and what they are completed with. */
export interface Forwarding {
  readonly options: { readonly process: Process; readonly log: Logger };
  readonly registration: { readonly masterPid: UPID | undefined };
  readonly master: MasterInfo | undefined;
  readonly book: FrameworkBook;
}

export function registerMessage(agent: Self): RegisterSlaveMessage {
  return create(RegisterSlaveMessageSchema, {
    agent: agent.info,
    version: MESOS_VERSION,
    checkpointedResources: agent.reservations.all.toMessages("pre"),
    agentCapabilities: advertisedCapabilities(),
    resourceVersionUuid: { value: agent.resourceVersion },
  });
}

/** Everything that the master must know of this agent (mesos-wire §3.6). */
export function reregisterMessage(agent: Self): ReregisterSlaveMessage {
  const census = agent.book.census();
  return create(ReregisterSlaveMessageSchema, {
    agent: agent.info,
    version: MESOS_VERSION,
    tasks: census.tasks,
    executorInfos: census.executors,
    frameworks: census.frameworks,
    completedFrameworks: census.completed,
    checkpointedResources: agent.reservations.all.toMessages("pre"),
    agentCapabilities: advertisedCapabilities(),
    resourceVersionUuid: { value: agent.resourceVersion },
  });
}

/**
 * Sends an update to the master, with the task's newest state and the agent's own address: without one, old masters take
 * it as unreliable and 1.11 aborts.
 */
export function forward(agent: Forwarding, update: StatusUpdate): void {
  const { process, log } = agent.options;
  const { masterPid } = agent.registration;
  const { status } = update;
  if (masterPid === undefined || status === undefined) return;
  const taskId = status.taskId?.value ?? "";
  const found = agent.book.findTask(update.frameworkId?.value ?? "", taskId);
  // A fixed address tells no version: such a master is taken for a new one.
  const version = agent.master?.version || undefined;
  const state = stateForMaster(status.state, version);
  if (found !== undefined) {
    found.task.task.statusUpdateState = status.state;
    found.task.task.statusUpdateUuid = update.uuid;
  }
  update.latestState = stateForMaster(found?.task.task.state ?? status.state, version);
  const outgoing = state === status.state ? update : clone(StatusUpdateSchema, update);
  if (outgoing.status !== undefined) outgoing.status.state = state;
  log.verbose(1, `Forwarding ${stateName(state)} of task ${taskId} to ${formatUPID(masterPid)}`);
  process.send(
    masterPid,
    StatusUpdateMessageSchema,
    create(StatusUpdateMessageSchema, { update: outgoing, pid: formatUPID(process.self) }),
  );
}
