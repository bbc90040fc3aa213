import { create } from "@bufbuild/protobuf";
import type { Process } from "../../../libprocess/process.ts";
import { NO_PID, type UPID } from "../../../libprocess/upid.ts";
import {
  FrameworkToExecutorMessageSchema,
  KillTaskMessageSchema,
  RunTaskMessageSchema,
  ShutdownExecutorMessageSchema,
  type StatusUpdate,
  StatusUpdateAcknowledgementMessageSchema,
} from "../../../mesos/gen/mesos/internal/messages_pb.ts";
import type { ExecutorRecord, FrameworkRecord, KillRequest, TaskRecord } from "../../model/records.ts";
import type { ExecutorChannel } from "../channel.ts";

/** An executor driver, spoken to by libprocess messages (mesos-wire §5.1). */
export class DriverChannel implements ExecutorChannel {
  readonly pid: UPID;
  readonly #process: Process;
  readonly #executor: ExecutorRecord;
  readonly #agentId: string;

  constructor(process: Process, pid: UPID, executor: ExecutorRecord, agentId: string) {
    this.#process = process;
    this.pid = pid;
    this.#executor = executor;
    this.#agentId = agentId;
  }

  launch(framework: FrameworkRecord, task: TaskRecord): void {
    if (task.info === undefined) throw new Error(`nothing is known of task ${task.taskId} to launch it with`);
    this.#process.send(
      this.pid,
      RunTaskMessageSchema,
      create(RunTaskMessageSchema, {
        frameworkId: { value: framework.frameworkId },
        framework: framework.info,
        pid: framework.pid ?? NO_PID,
        task: task.info,
      }),
    );
  }

  launchGroup(framework: FrameworkRecord, tasks: readonly TaskRecord[]): void {
    for (const task of tasks) this.launch(framework, task);
  }

  kill(task: TaskRecord, kill: KillRequest): void {
    this.#process.send(
      this.pid,
      KillTaskMessageSchema,
      create(KillTaskMessageSchema, {
        frameworkId: { value: task.frameworkId },
        taskId: { value: task.taskId },
        ...(kill.policy && { killPolicy: kill.policy }),
      }),
    );
  }

  acknowledge(update: StatusUpdate): void {
    const taskId = update.status?.taskId;
    this.#process.send(
      this.pid,
      StatusUpdateAcknowledgementMessageSchema,
      create(StatusUpdateAcknowledgementMessageSchema, {
        agentId: { value: this.#agentId },
        ...(update.frameworkId && { frameworkId: update.frameworkId }),
        ...(taskId && { taskId }),
        uuid: update.uuid,
      }),
    );
  }

  message(data: Uint8Array): void {
    this.#process.send(
      this.pid,
      FrameworkToExecutorMessageSchema,
      create(FrameworkToExecutorMessageSchema, {
        agentId: { value: this.#agentId },
        frameworkId: { value: this.#executor.frameworkId },
        executorId: { value: this.#executor.executorId },
        data,
      }),
    );
  }

  /** An empty body: that is what drivers expect. */
  shutdown(): void {
    this.#process.send(this.pid, ShutdownExecutorMessageSchema, create(ShutdownExecutorMessageSchema));
  }

  close(): void {}
}
