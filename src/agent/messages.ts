import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { formatUPID, parseUPID, sameUPID, type UPID } from "../libprocess/upid.ts";
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
} from "../mesos/gen/mesos/internal/messages_pb.ts";
import type { Draining } from "./draining.ts";
import type { Drivers } from "./executors/driver.ts";
import type { FrameworkBook } from "./frameworks/book.ts";
import type { Frameworks } from "./frameworks/frameworks.ts";
import type { Parties } from "./model/senders.ts";
import type { Operations } from "./operations/operations.ts";
import { installCheckpointResources, type ListTaker } from "./resource-changes.ts";
import type { StatusUpdates } from "./status-updates/streams.ts";

/** Whom messages of masters and schedulers are for. */
export interface Addressee extends ListTaker {
  readonly registration: { isMaster(from: UPID | undefined): boolean; readonly masterPid: UPID | undefined };
  readonly book: FrameworkBook;
  readonly frameworks: Frameworks;
  readonly operations: Operations;
  readonly updates: StatusUpdates;
  readonly draining: Draining;
  /** Runs the job once what earlier messages changed is on disk. */
  whenAdmitted(job: () => void): void;
  frameworkMessage(message: FrameworkToExecutorMessage): void;
}

/** What the agent does with messages of masters and schedulers. Who is heard at all stands in model/senders.ts. */
export function installMessages(agent: Addressee): void {
  const { process, log } = agent.options;
  const fromMaster = <D extends DescMessage>(schema: D, handler: (message: MessageShape<D>) => void): void => {
    process.install(schema, (_from, message) => agent.whenAdmitted(() => handler(message)));
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
  fromMaster(UpdateFrameworkMessageSchema, (message) => agent.frameworks.updateFramework(message));
  fromMaster(DrainSlaveMessageSchema, ({ config }) => {
    if (config !== undefined) void agent.draining.begin(config);
  });
  fromMaster(ApplyOperationMessageSchema, (message) => {
    // What was sent before the agent is registered is found missing when it is: the master asks, and is told so.
    if (agent.phase === "RUNNING") agent.gate.hold(agent.operations.apply(message));
    else log.warn(`Ignoring an operation: the agent is ${agent.phase}`);
  });
  fromMaster(AcknowledgeOperationStatusMessageSchema, (message) => void agent.operations.acknowledge(message));
  fromMaster(ReconcileOperationsMessageSchema, (message) => agent.operations.reconcile(message));
  installCheckpointResources(agent);
  process.install(FrameworkToExecutorMessageSchema, (from, message) => {
    const frameworkId = message.frameworkId?.value ?? "";
    if (isSchedulers(agent, from, frameworkId)) agent.frameworkMessage(message);
    else log.warn(`Ignoring a message of framework ${frameworkId} from ${formatUPID(from)}: it is not its scheduler`);
  });
  process.install(StatusUpdateAcknowledgementMessageSchema, (from, message) => acknowledge(agent, from, message));
}

/** Whether something about a framework comes from its scheduler: by way of the master, or from its driver itself. */
function isSchedulers(agent: Addressee, from: UPID | undefined, frameworkId: string): boolean {
  return agent.registration.isMaster(from) || sameUPID(from, parseUPID(agent.book.active.get(frameworkId)?.pid));
}

/** Old drivers acknowledge by themselves. */
function acknowledge(agent: Addressee, from: UPID | undefined, message: StatusUpdateAcknowledgementMessage): void {
  const { log } = agent.options;
  const frameworkId = message.frameworkId?.value ?? "";
  const taskId = message.taskId?.value ?? "";
  if (!isSchedulers(agent, from, frameworkId) || agent.phase === "RECOVERING") {
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

/** Those whom the table of senders speaks of. */
export function partiesOf(agent: Pick<Addressee, "registration" | "book">, drivers: Drivers): Parties {
  return {
    master: () => agent.registration.masterPid,
    masterConnectionProblem: () => undefined,
    isScheduler: (from) => [...agent.book.active.values()].some(({ pid }) => sameUPID(from, parseUPID(pid))),
    isExecutor: (from) => drivers.knows(from),
  };
}
