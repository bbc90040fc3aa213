import { create } from "@bufbuild/protobuf";
import type { Logger } from "../../base/log.ts";
import type { Process } from "../../libprocess/process.ts";
import { formatUPID } from "../../libprocess/upid.ts";
import { copyOf } from "../../mesos/copy.ts";
import {
  type RegisterSlaveMessage,
  RegisterSlaveMessageSchema,
  type ReregisterSlaveMessage,
  ReregisterSlaveMessageSchema,
  type StatusUpdate,
  StatusUpdateMessageSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { idOf } from "../../mesos/ids.ts";
import { stateForMaster, stateName } from "../../mesos/states.ts";
import { MESOS_VERSION } from "../../mesos/version.ts";
import type { Identity } from "../model/identity.ts";
import type { MasterChannel } from "../model/master-channel.ts";
import type { Reservations } from "../reservations/reservations.ts";
import type { FrameworkRegistry } from "../tasks/registry.ts";
import { advertisedCapabilities } from "./capabilities.ts";

export interface OutboxOptions {
  readonly process: Process;
  readonly log: Logger;
  readonly master: MasterChannel;
  readonly registry: FrameworkRegistry;
}

/** Sends status updates to the master. */
export class Outbox {
  readonly #options: OutboxOptions;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /**
   * Sends an update to the master, with the task's newest state and the agent's own address: without one, old masters take
   * it as unreliable and 1.11 aborts.
   */
  forward(update: StatusUpdate): void {
    const { process, log, master, registry } = this.#options;
    const masterPid = master.pid;
    const { status } = update;
    if (masterPid === undefined || status === undefined) return;
    const taskId = idOf(status.taskId);
    const found = registry.findTask(idOf(update.frameworkId), taskId);
    // A fixed address tells no version: such a master is taken for a new one.
    const version = master.version || undefined;
    const state = stateForMaster(status.state, version);
    if (found !== undefined) {
      found.task.task.statusUpdateState = status.state;
      found.task.task.statusUpdateUuid = update.uuid;
    }
    update.latestState = stateForMaster(found?.task.task.state ?? status.state, version);
    const outgoing = state === status.state ? update : copyOf(update);
    if (outgoing.status !== undefined) outgoing.status.state = state;
    log.verbose(1, `Forwarding ${stateName(state)} of task ${taskId} to ${formatUPID(masterPid)}`);
    process.send(
      masterPid,
      StatusUpdateMessageSchema,
      create(StatusUpdateMessageSchema, { update: outgoing, pid: formatUPID(process.self) }),
    );
  }
}

export interface AnnouncementOptions {
  readonly identity: Identity;
  readonly registry: FrameworkRegistry;
  readonly reservations: Reservations;
}

/** What an agent says of itself. */
export class Announcements {
  readonly #options: AnnouncementOptions;

  constructor(options: AnnouncementOptions) {
    this.#options = options;
  }

  register(): RegisterSlaveMessage {
    const { identity, reservations } = this.#options;
    return create(RegisterSlaveMessageSchema, {
      agent: identity.info,
      version: MESOS_VERSION,
      checkpointedResources: reservations.all.toMessages("pre"),
      agentCapabilities: advertisedCapabilities(),
      resourceVersionUuid: { value: identity.resourceVersion },
    });
  }

  /** Everything that the master must know of this agent (mesos-wire §3.6). */
  reregister(): ReregisterSlaveMessage {
    const { identity, registry, reservations } = this.#options;
    const reregistrationContent = registry.reregistrationContent();
    return create(ReregisterSlaveMessageSchema, {
      agent: identity.info,
      version: MESOS_VERSION,
      tasks: reregistrationContent.tasks,
      executorInfos: reregistrationContent.executors,
      frameworks: reregistrationContent.frameworks,
      completedFrameworks: reregistrationContent.completed,
      checkpointedResources: reservations.all.toMessages("pre"),
      agentCapabilities: advertisedCapabilities(),
      resourceVersionUuid: { value: identity.resourceVersion },
    });
  }
}
