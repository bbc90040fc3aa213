import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { Process } from "../../src/libprocess/process.ts";
import { formatUPID, parseUPID, type UPID } from "../../src/libprocess/upid.ts";
import {
  ExecutorRegisteredMessageSchema,
  ExecutorReregisteredMessageSchema,
  ExecutorToFrameworkMessageSchema,
  FrameworkToExecutorMessageSchema,
  KillTaskMessageSchema,
  ReconnectExecutorMessageSchema,
  RegisterExecutorMessageSchema,
  ReregisterExecutorMessageSchema,
  RunTaskMessageSchema,
  ShutdownExecutorMessageSchema,
  type StatusUpdate,
  StatusUpdateAcknowledgementMessageSchema,
  StatusUpdateMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import type { TaskInfo, TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { makeStatus, makeStatusUpdate } from "../../src/mesos/status.ts";

export interface DriverIdentity {
  readonly agent: string;
  readonly frameworkId: string;
  readonly executorId: string;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/**
 * An executor driver as libmesos has it (mesos-wire §5.1): registers once, keeps what is not acknowledged and replays it
 * when the agent comes back. What tasks do is up to the test.
 */
export class ScriptedDriver {
  readonly received: string[] = [];
  readonly launched: TaskInfo[] = [];
  /** Of each kill, in nanoseconds; undefined: it says nothing of a grace. */
  readonly graces: (bigint | undefined)[] = [];
  /** Whether ReconnectExecutorMessage is answered. */
  returns = true;
  readonly #process: Process;
  readonly #identity: DriverIdentity;
  readonly #tasks = new Map<string, TaskInfo>();
  readonly #updates = new Map<string, StatusUpdate>();
  #agent: UPID | undefined;

  private constructor(process: Process, identity: DriverIdentity) {
    this.#process = process;
    this.#identity = identity;
    this.#agent = parseUPID(identity.agent);
    process.install(ExecutorRegisteredMessageSchema, () => this.received.push("registered"));
    process.install(ExecutorReregisteredMessageSchema, () => this.received.push("reregistered"));
    process.install(ShutdownExecutorMessageSchema, () => this.received.push("shutdown"));
    process.install(FrameworkToExecutorMessageSchema, (_from, { data }) => this.received.push(`message ${hex(data)}`));
    process.install(KillTaskMessageSchema, (_from, { taskId, killPolicy }) => {
      this.received.push(`kill ${taskId?.value}`);
      this.graces.push(killPolicy?.gracePeriod?.nanoseconds);
    });
    process.install(RunTaskMessageSchema, (_from, { task }) => {
      if (task === undefined) return;
      this.received.push(`run ${task.taskId?.value}`);
      this.launched.push(task);
      this.#tasks.set(task.taskId?.value ?? "", task);
    });
    process.install(StatusUpdateAcknowledgementMessageSchema, (_from, { uuid, taskId }) => {
      this.received.push(`acknowledged ${taskId?.value}`);
      this.#updates.delete(hex(uuid));
      this.#tasks.delete(taskId?.value ?? "");
    });
    process.install(ReconnectExecutorMessageSchema, (from) => {
      this.received.push("reconnect");
      this.#agent = from;
      if (this.returns) this.comeBack();
    });
  }

  static async start(identity: DriverIdentity): Promise<ScriptedDriver> {
    const process = await Process.start({
      id: "executor(1)",
      bind: { ip: "127.0.0.1", port: 0 },
      advertise: { ip: "127.0.0.1" },
      log: silentLogger,
      clock: systemClock,
    });
    return new ScriptedDriver(process, identity);
  }

  get pid(): string {
    return formatUPID(this.#process.self);
  }

  /** As if the task had never arrived. */
  forget(taskId: string): void {
    this.#tasks.delete(taskId);
  }

  get #ids() {
    const { frameworkId, executorId } = this.#identity;
    return { frameworkId: { value: frameworkId }, executorId: { value: executorId } };
  }

  register(): void {
    const message = create(RegisterExecutorMessageSchema, this.#ids);
    this.#process.send(this.#agent, RegisterExecutorMessageSchema, message);
  }

  /** As it does when the agent asks for it. */
  comeBack(): void {
    const message = create(ReregisterExecutorMessageSchema, {
      ...this.#ids,
      tasks: [...this.#tasks.values()],
      updates: [...this.#updates.values()],
    });
    this.#process.send(this.#agent, ReregisterExecutorMessageSchema, message);
  }

  update(taskId: string, state: TaskState, agentId: string): void {
    const { frameworkId, executorId } = this.#identity;
    const status = makeStatus(Date.now(), {
      taskId: { value: taskId },
      agentId: { value: agentId },
      executorId: { value: executorId },
      state,
    });
    const update = makeStatusUpdate(frameworkId, status);
    this.#updates.set(hex(update.uuid), update);
    const message = create(StatusUpdateMessageSchema, { update, pid: this.pid });
    this.#process.send(this.#agent, StatusUpdateMessageSchema, message);
  }

  /** To its framework. */
  message(data: Uint8Array<ArrayBuffer>): void {
    const message = create(ExecutorToFrameworkMessageSchema, { agentId: { value: "S0" }, ...this.#ids, data });
    this.#process.send(this.#agent, ExecutorToFrameworkMessageSchema, message);
  }

  /** Any message, from its address. */
  say<D extends DescMessage>(schema: D, init: MessageInitShape<D>): void {
    this.#process.send(this.#agent, schema, create(schema, init));
  }

  close(): Promise<void> {
    return this.#process.close();
  }
}
