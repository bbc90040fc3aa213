import type { Logger } from "../../base/log.ts";
import type { Process } from "../../libprocess/process.ts";
import { formatUPID, parseUPID, sameUPID, type UPID } from "../../libprocess/upid.ts";
import {
  type ExecutorToFrameworkMessage,
  ExecutorToFrameworkMessageSchema,
  type FrameworkToExecutorMessage,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { idOf } from "../../mesos/ids.ts";
import type { MasterChannel } from "../model/master-channel.ts";
import type { FrameworkRecord } from "../model/records.ts";
import type { ExecutorControls } from "./executor-control.ts";
import type { FrameworkRegistry } from "./registry.ts";

export interface FrameworkMessagesOptions {
  readonly process: Process;
  readonly log: Logger;
  readonly master: MasterChannel;
  readonly registry: FrameworkRegistry;
  readonly controls: ExecutorControls;
}

/** Messages between frameworks and their executors: passed on, promised to nobody. */
export class FrameworkMessages {
  readonly #options: FrameworkMessagesOptions;

  constructor(options: FrameworkMessagesOptions) {
    this.#options = options;
  }

  /** To the framework's driver when it has one, else to the master, which passes it on. */
  toFramework(framework: FrameworkRecord, message: ExecutorToFrameworkMessage): void {
    const { process, master } = this.#options;
    const pid = parseUPID(framework.pid);
    if (pid === undefined) master.send(ExecutorToFrameworkMessageSchema, message);
    else process.send(pid, ExecutorToFrameworkMessageSchema, message);
  }

  /** From the master, or from the framework's driver itself. */
  toExecutor(from: UPID | undefined, { frameworkId, executorId, data }: FrameworkToExecutorMessage): void {
    const { registry, controls, log, master } = this.#options;
    const framework = registry.active.get(idOf(frameworkId));
    if (!master.isMaster(from) && !sameUPID(from, parseUPID(framework?.pid))) {
      log.warn(
        `Ignoring a message of framework ${frameworkId?.value} from ${formatUPID(from)}: it is not its scheduler`,
      );
      return;
    }
    const executor = framework?.executors.get(idOf(executorId));
    if (executor?.state === "RUNNING") controls.of(executor).message(executor, data);
    else log.warn(`Dropping a framework message: executor '${executorId?.value}' does not run here`);
  }
}
