import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { formatUPID, type UPID } from "../../libprocess/upid.ts";
import {
  AcknowledgeOperationStatusMessageSchema,
  ApplyOperationMessageSchema,
  DrainSlaveMessageSchema,
  type FrameworkToExecutorMessage,
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
import type { Operations } from "../operations/operations.ts";
import { installCheckpointResources, type ListTaker } from "../operations/resource-changes.ts";
import type { StatusUpdates } from "../status-updates/streams.ts";
import type { Draining } from "../tasks/draining.ts";
import type { Frameworks } from "../tasks/frameworks.ts";

/** Whom messages of masters and schedulers are for. */
export interface Addressee extends ListTaker {
  readonly registration: { isMaster(from: UPID | undefined): boolean };
  readonly frameworks: Frameworks;
  readonly operations: Operations;
  readonly updates: StatusUpdates;
  readonly draining: Draining;
  /** Runs the job once what earlier messages changed is on disk. */
  whenAdmitted(job: () => void): void;
  frameworkMessage(message: FrameworkToExecutorMessage): void;
}

/** What the agent does with messages of masters and schedulers (mesos-wire §3.1: whose sender is checked). */
export function installMessages(agent: Addressee): void {
  const { process, log } = agent.options;
  /** From the current master only. */
  const fromMaster = <D extends DescMessage>(schema: D, handler: (message: MessageShape<D>) => void): void => {
    process.install(schema, (from, message) => {
      if (agent.registration.isMaster(from)) agent.whenAdmitted(() => handler(message));
      else log.warn(`Ignoring ${schema.typeName} from ${formatUPID(from)}: it is not the registered master`);
    });
  };
  fromMaster(RunTaskMessageSchema, (message) => agent.frameworks.runTask(message));
  fromMaster(RunTaskGroupMessageSchema, (message) => agent.frameworks.runTaskGroup(message));
  fromMaster(KillTaskMessageSchema, (message) => agent.frameworks.killTask(message));
  fromMaster(ShutdownFrameworkMessageSchema, ({ frameworkId }) => {
    if (agent.phase === "RUNNING") agent.frameworks.shutdownFramework(frameworkId?.value ?? "");
  });
  fromMaster(ShutdownExecutorMessageSchema, ({ frameworkId, executorId }) => {
    if (agent.phase === "RUNNING") {
      agent.frameworks.shutdownExecutor(frameworkId?.value ?? "", executorId?.value ?? "");
    }
  });
  process.install(UpdateFrameworkMessageSchema, (_from, message) => agent.frameworks.updateFramework(message));
  process.install(DrainSlaveMessageSchema, (_from, { config }) => {
    if (config !== undefined) agent.whenAdmitted(() => void agent.draining.begin(config));
  });
  fromMaster(ApplyOperationMessageSchema, (message) => {
    // What was sent before the agent is registered is found missing when it is: the master asks, and is told so.
    if (agent.phase === "RUNNING") agent.gate.hold(agent.operations.apply(message));
    else log.warn(`Ignoring an operation: the agent is ${agent.phase}`);
  });
  fromMaster(AcknowledgeOperationStatusMessageSchema, (message) => void agent.operations.acknowledge(message));
  fromMaster(ReconcileOperationsMessageSchema, (message) => agent.operations.reconcile(message));
  installCheckpointResources(agent);
  process.install(FrameworkToExecutorMessageSchema, (_from, message) => agent.frameworkMessage(message));
  process.install(StatusUpdateAcknowledgementMessageSchema, (from, message) => acknowledge(agent, from, message));
}

/** Old drivers acknowledge by themselves; who calls itself a master must be the one. */
function acknowledge(agent: Addressee, from: UPID | undefined, message: StatusUpdateAcknowledgementMessage): void {
  const { log } = agent.options;
  const frameworkId = message.frameworkId?.value ?? "";
  const taskId = message.taskId?.value ?? "";
  const stranger = from?.id.startsWith("master") && !agent.registration.isMaster(from);
  if (stranger || agent.phase === "RECOVERING") {
    log.warn(`Ignoring an acknowledgement for task ${taskId} from ${formatUPID(from)}`);
    return;
  }
  void agent.updates.acknowledge(frameworkId, taskId, message.uuid).then((result) => {
    if (result.kind === "ignored") {
      log.warn(`Ignoring an acknowledgement for task ${taskId} of framework ${frameworkId}: ${result.why}`);
      return;
    }
    agent.frameworks.acknowledged(frameworkId, taskId, result.closed);
  });
}
