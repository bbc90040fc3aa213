import { create } from "@bufbuild/protobuf";
import { messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import type { Process } from "../../../libprocess/process.ts";
import { formatUPID, parseUPID, type UPID } from "../../../libprocess/upid.ts";
import { has } from "../../../mesos/codec.ts";
import { copyOf } from "../../../mesos/copy.ts";
import {
  ExecutorRegisteredMessageSchema,
  ExecutorReregisteredMessageSchema,
  ExecutorToFrameworkMessageSchema,
  ReconnectExecutorMessageSchema,
  RegisterExecutorMessageSchema,
  type ReregisterExecutorMessage,
  ReregisterExecutorMessageSchema,
  ShutdownExecutorMessageSchema,
  type StatusUpdate,
  StatusUpdateMessageSchema,
} from "../../../mesos/gen/mesos/internal/messages_pb.ts";
import { type TaskStatus, TaskStatus_Source } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../../../mesos/ids.ts";
import type { CheckpointStore } from "../../checkpoint/store.ts";
import type { Identity } from "../../model/identity.ts";
import { type ExecutorRecord, type FrameworkRecord, isAgents, runKey } from "../../model/records.ts";
import type { ExecutorEvents } from "../executor-control.ts";
import type { ExecutorProcesses } from "../executor-processes.ts";
import type { FrameworkMessages } from "../framework-messages.ts";
import { neverDelivered } from "../never-delivered.ts";
import type { FrameworkRegistry } from "../registry.ts";
import type { StatusIntake } from "../statuses.ts";
import { DriverChannel } from "./driver-channel.ts";

export interface DriversOptions {
  readonly process: Process;
  readonly log: Logger;
  readonly identity: Identity;
  readonly executors: ExecutorProcesses;
  readonly events: ExecutorEvents;
  readonly registry: FrameworkRegistry;
  readonly store: CheckpointStore;
  readonly statuses: StatusIntake;
  readonly messages: FrameworkMessages;
}

interface Found {
  readonly framework: FrameworkRecord;
  readonly executor: ExecutorRecord;
}

/** Executor drivers: what they send over libprocess (mesos-wire §5.1). */
export class Drivers {
  readonly #options: DriversOptions;

  constructor(options: DriversOptions) {
    this.#options = options;
    const { process } = options;
    process.install(RegisterExecutorMessageSchema, (from, { frameworkId, executorId }) =>
      this.#register(from, idOf(frameworkId), idOf(executorId)),
    );
    process.install(ReregisterExecutorMessageSchema, (from, message) => this.#reregister(from, message));
    process.install(StatusUpdateMessageSchema, (from, { update }) => {
      if (update !== undefined) this.#update(from, update);
    });
    process.install(ExecutorToFrameworkMessageSchema, (from, message) => {
      const found = this.#findOf(from, idOf(message.frameworkId), idOf(message.executorId));
      if (found !== undefined) options.messages.toFramework(found.framework, message);
    });
  }

  /** Whether a driver registered from there whose executor has not ended. */
  knows(from: UPID): boolean {
    const pid = formatUPID(from);
    for (const { executors } of this.#options.registry.active.values())
      for (const executor of executors.values()) if (executor.pid === pid) return true;
    return false;
  }

  /** The executor, if the sender is the driver that registered as it. */
  #findOf(from: UPID | undefined, frameworkId: string, executorId: string): Found | undefined {
    const found = this.#find(frameworkId, executorId);
    return found !== undefined && found.executor.pid === formatUPID(from) ? found : undefined;
  }

  #find(frameworkId: string, executorId: string): Found | undefined {
    const framework = this.#options.registry.active.get(frameworkId);
    const executor = framework?.executors.get(executorId);
    return framework === undefined || executor === undefined || isAgents(executor)
      ? undefined
      : { framework, executor };
  }

  /** What an executor that has no business here is told. */
  #refuse(to: UPID | undefined, executorId: string, why: string): void {
    if (to !== undefined && this.knows(to)) {
      // Whoever writes another's address on a message would have it ended.
      this.#options.log.warn(`Ignoring what executor '${executorId}' at ${formatUPID(to)} asks for: ${why}`);
      return;
    }
    this.#options.log.warn(`Shutting down executor '${executorId}' at ${formatUPID(to)}: ${why}`);
    this.#options.process.send(to, ShutdownExecutorMessageSchema, create(ShutdownExecutorMessageSchema));
  }

  #register(from: UPID | undefined, frameworkId: string, executorId: string): void {
    const found = this.#find(frameworkId, executorId);
    const { phase } = this.#options.identity;
    if (phase === "RECOVERING" || phase === "TERMINATING") {
      return this.#refuse(from, executorId, "the agent is recovering or ending");
    }
    if (from === undefined || found === undefined) return this.#refuse(from, executorId, "it is not known here");
    const { framework, executor } = found;
    if (framework.state === "TERMINATING") return this.#refuse(from, executorId, "its framework is being shut down");
    if (executor.state !== "REGISTERING") return this.#refuse(from, executorId, `it is ${executor.state}`);
    this.#options.log.info(
      `Got registration for executor '${executorId}' of framework ${frameworkId} from ${formatUPID(from)}`,
    );
    this.#connect(framework, executor, from);
    const { process, identity, events } = this.#options;
    process.send(
      from,
      ExecutorRegisteredMessageSchema,
      create(ExecutorRegisteredMessageSchema, {
        executorInfo: executor.info,
        frameworkId: { value: frameworkId },
        frameworkInfo: framework.info,
        agentId: { value: identity.id },
        agentInfo: identity.info,
      }),
    );
    events.registered(framework, executor);
  }

  #connect(framework: FrameworkRecord, executor: ExecutorRecord, from: UPID): void {
    const { process, executors, identity, store, log } = this.#options;
    executor.kind = "driver";
    executor.pid = formatUPID(from);
    try {
      if (framework.info.checkpoint) store.libprocessPid(runKey(identity.id, executor), executor.pid);
    } catch (error) {
      log.error(`Cannot checkpoint the address of executor '${executor.executorId}': ${messageOf(error)}`);
    }
    // One ordered connection for everything that goes to it.
    process.link(from, this.#exited);
    executors.connect(executor, new DriverChannel(process, from, executor, identity.id));
  }

  /** The container's end is what counts, not the connection's. */
  readonly #exited = (): void => undefined;

  /** Asks a recovered executor to come back. */
  reconnect(executor: ExecutorRecord): void {
    const to = parseUPID(executor.pid);
    if (to === undefined) return;
    this.#options.process.send(
      to,
      ReconnectExecutorMessageSchema,
      create(ReconnectExecutorMessageSchema, { agentId: { value: this.#options.identity.id } }),
    );
  }

  #reregister(from: UPID | undefined, message: ReregisterExecutorMessage): void {
    const executorId = idOf(message.executorId);
    const found = this.#find(idOf(message.frameworkId), executorId);
    if (this.#options.identity.phase === "TERMINATING") return this.#refuse(from, executorId, "the agent is ending");
    if (from === undefined || found === undefined) return this.#refuse(from, executorId, "it is not known here");
    const { framework, executor } = found;
    if (executor.pid !== formatUPID(from)) return this.#refuse(from, executorId, "it registered from elsewhere");
    if (framework.state === "TERMINATING" || executor.state === "TERMINATING" || executor.state === "TERMINATED") {
      const shutdown = create(ShutdownExecutorMessageSchema);
      return this.#options.process.send(from, ShutdownExecutorMessageSchema, shutdown);
    }
    this.#options.log.info(`Executor '${executorId}' of framework ${framework.frameworkId} came back`);
    this.#connect(framework, executor, from);
    const { process, identity, events, statuses } = this.#options;
    process.send(
      from,
      ExecutorReregisteredMessageSchema,
      create(ExecutorReregisteredMessageSchema, { agentId: { value: identity.id }, agentInfo: identity.info }),
    );
    for (const update of message.updates) this.#update(from, update);
    const listed = new Set(message.tasks.map(({ taskId }) => taskId?.value));
    statuses.neverDelivered(framework, executor, neverDelivered(executor, listed));
    executor.everDelivered = true;
    events.registered(framework, executor);
  }

  /** A status update of a driver, about tasks of its own executor. Its uuid is required. */
  #update(from: UPID | undefined, update: StatusUpdate): void {
    const { log, events } = this.#options;
    const status = update.status;
    if (status === undefined || update.uuid.length !== 16) {
      log.warn(`Dropping a status update of task '${status?.taskId?.value}': it has no uuid of 16 bytes`);
      return;
    }
    const completed: TaskStatus = copyOf(status);
    completed.uuid = update.uuid;
    completed.source = TaskStatus_Source.EXECUTOR;
    if (!has(status, "timestamp")) completed.timestamp = update.timestamp;
    const executorId = idOf(update.executorId);
    const found = this.#findOf(from, idOf(update.frameworkId), executorId);
    if (found !== undefined) events.status(found.framework, found.executor, completed);
    else {
      log.warn(
        `Dropping a status update of task '${status.taskId?.value}' from ${formatUPID(from)}: ` +
          `executor '${executorId}' of framework ${update.frameworkId?.value} did not register from there`,
      );
    }
  }
}
