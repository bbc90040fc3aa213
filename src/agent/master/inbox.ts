import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Barrier } from "../../base/barrier.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Process } from "../../libprocess/process.ts";
import { formatUPID, type UPID } from "../../libprocess/upid.ts";
import {
  AcknowledgeOperationStatusMessageSchema,
  ApplyOperationMessageSchema,
  CheckpointResourcesMessageSchema,
  DrainSlaveMessageSchema,
  FrameworkToExecutorMessageSchema,
  KillTaskMessageSchema,
  ReconcileOperationsMessageSchema,
  RunTaskGroupMessageSchema,
  RunTaskMessageSchema,
  ShutdownExecutorMessageSchema,
  ShutdownFrameworkMessageSchema,
  type StatusUpdateAcknowledgementMessage,
  StatusUpdateAcknowledgementMessageSchema,
  UpdateFrameworkMessageSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { idOf } from "../../mesos/ids.ts";
import type { Identity } from "../model/identity.ts";
import type { MasterChannel } from "../model/master-channel.ts";
import type { Operations } from "../operations/operations.ts";
import type { Reservations } from "../reservations/reservations.ts";
import type { StatusUpdates } from "../status-updates/streams.ts";
import type { Draining } from "../tasks/draining.ts";
import type { FrameworkMessages } from "../tasks/framework-messages.ts";
import type { Frameworks } from "../tasks/frameworks.ts";

export interface InboxOptions {
  readonly process: Process;
  readonly log: Logger;
  readonly identity: Identity;
  readonly master: MasterChannel;
  /** Messages of the master pass it in order: it is shut while what they depend on is being written down. */
  readonly gate: Barrier;
  readonly frameworks: Frameworks;
  readonly operations: Operations;
  readonly reservations: Reservations;
  readonly updates: StatusUpdates;
  readonly draining: Draining;
  readonly messages: FrameworkMessages;
  readonly ended: (exitCode: 0 | 1, why: string) => void;
}

/** What the agent does with messages of masters and schedulers. Who is heard at all stands in model/senders.ts. */
export function installInbox(inbox: InboxOptions): void {
  const { process, log, identity, gate, frameworks, operations, draining, messages } = inbox;
  const fromMaster = <D extends DescMessage>(schema: D, handler: (message: MessageShape<D>) => void): void => {
    process.install(schema, (_from, message) => whenAdmitted(inbox, () => handler(message)));
  };
  fromMaster(RunTaskMessageSchema, (message) => frameworks.runTask(message));
  fromMaster(RunTaskGroupMessageSchema, (message) => frameworks.runTaskGroup(message));
  fromMaster(KillTaskMessageSchema, (message) => frameworks.killTask(message));
  fromMaster(ShutdownFrameworkMessageSchema, ({ frameworkId }) => {
    if (identity.phase === "RUNNING") frameworks.shutdownFramework(idOf(frameworkId));
  });
  fromMaster(ShutdownExecutorMessageSchema, ({ frameworkId, executorId }) => {
    if (identity.phase === "RUNNING") {
      frameworks.shutdownExecutor(idOf(frameworkId), idOf(executorId));
    }
  });
  fromMaster(UpdateFrameworkMessageSchema, (message) => frameworks.updateFramework(message));
  fromMaster(DrainSlaveMessageSchema, ({ config }) => {
    if (config !== undefined) void draining.begin(config);
  });
  fromMaster(ApplyOperationMessageSchema, (message) => {
    // What was sent before the agent is registered is found missing when it is: the master asks, and is told so.
    if (identity.phase === "RUNNING") gate.hold(operations.apply(message));
    else log.warn(`Ignoring an operation: the agent is ${identity.phase}`);
  });
  fromMaster(AcknowledgeOperationStatusMessageSchema, (message) => void operations.acknowledge(message));
  fromMaster(ReconcileOperationsMessageSchema, (message) => operations.reconcile(message));
  installCheckpointResources(inbox);
  process.install(FrameworkToExecutorMessageSchema, (from, message) => messages.toExecutor(from, message));
  process.install(StatusUpdateAcknowledgementMessageSchema, (from, message) => acknowledge(inbox, from, message));
}

/**
 * Old drivers acknowledge by themselves; who calls itself a master must be the one. Nobody else knows an update's uuid, which
 * is random.
 */
function acknowledge(inbox: InboxOptions, from: UPID | undefined, message: StatusUpdateAcknowledgementMessage): void {
  const { log, master, identity, updates, frameworks } = inbox;
  const frameworkId = idOf(message.frameworkId);
  const taskId = idOf(message.taskId);
  const stranger = from?.id.startsWith("master") && !master.isMaster(from);
  if (stranger || identity.phase === "RECOVERING") {
    log.warn(`Ignoring an acknowledgement for task ${taskId} from ${formatUPID(from)}`);
    return;
  }
  void updates.acknowledge(frameworkId, taskId, message.uuid).then((result) => {
    if (result.kind === "ignored") {
      log.warn(`Ignoring an acknowledgement for task ${taskId} of framework ${frameworkId}: ${result.why}`);
      return;
    }
    frameworks.acknowledged(frameworkId, taskId, result.closed);
  });
}

/** Runs `job` now, or as soon as what earlier messages changed is on disk: launches build on it. */
function whenAdmitted({ gate }: InboxOptions, job: () => void): void {
  gate.pass(job);
}

/** The master's complete list of reservations and volumes, as it sends it to agents without RESOURCE_PROVIDER. */
function installCheckpointResources({ process, ended, log, identity, reservations, gate }: InboxOptions): void {
  process.install(CheckpointResourcesMessageSchema, (_from, { resources }) => {
    if (identity.phase === "RECOVERING" || identity.phase === "TERMINATING") {
      log.warn(`Ignoring a list of resources to checkpoint: the agent is ${identity.phase}`);
      return;
    }
    const changed = reservations.replace(resources).catch((error: unknown) => {
      // The master counts on it: going on would run tasks on what is not there.
      ended(1, `cannot checkpoint resources: ${messageOf(error)}`);
    });
    gate.hold(changed);
  });
}
