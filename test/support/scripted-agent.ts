import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { Process } from "../../src/libprocess/process.ts";
import { formatUPID, parseUPID, type UPID } from "../../src/libprocess/upid.ts";
import {
  CheckpointResourcesMessageSchema,
  FrameworkToExecutorMessageSchema,
  KillTaskMessageSchema,
  PingSlaveMessageSchema,
  PongSlaveMessageSchema,
  RegisterSlaveMessageSchema,
  ReregisterSlaveMessageSchema,
  type RunTaskGroupMessage,
  RunTaskGroupMessageSchema,
  type RunTaskMessage,
  RunTaskMessageSchema,
  ShutdownFrameworkMessageSchema,
  SlaveRegisteredMessageSchema,
  SlaveReregisteredMessageSchema,
  StatusUpdateAcknowledgementMessageSchema,
  StatusUpdateMessageSchema,
  UpdateFrameworkMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { type AgentInfo_Capability_Type, type Task, TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { parseResources } from "../../src/mesos/resources-text.ts";
import { makeStatus, makeStatusUpdate } from "../../src/mesos/status.ts";
import { MESOS_VERSION } from "../../src/mesos/version.ts";

export interface ScriptedAgentOptions {
  readonly master: string;
  readonly resources?: string;
  readonly capabilities?: readonly AgentInfo_Capability_Type[];
  /** What to do with a task; by default it runs and finishes. */
  readonly run?: (agent: ScriptedAgent, message: RunTaskMessage) => void;
}

/** An agent that speaks real libprocess and runs nothing: tasks take the states that the script says. */
export class ScriptedAgent {
  readonly process: Process;
  readonly received: string[] = [];
  readonly launched: RunTaskMessage[] = [];
  /** Task groups: each task of one runs. */
  readonly groups: RunTaskGroupMessage[] = [];
  readonly acknowledged: Uint8Array[] = [];
  id: string | undefined;
  /** Answers no pings. */
  mute = false;
  readonly #master: UPID;
  readonly #options: ScriptedAgentOptions;
  #waiting: { done: () => boolean; resolve: () => void }[] = [];

  private constructor(process: Process, options: ScriptedAgentOptions) {
    this.process = process;
    this.#options = options;
    const master = parseUPID(`master@${options.master}`);
    if (master === undefined) throw new Error(`${options.master} is no address`);
    this.#master = master;
    const note = (name: string) => this.received.push(name);
    process.install(SlaveRegisteredMessageSchema, (_from, { agentId }) => {
      note("registered");
      this.id = agentId?.value;
      this.#progress();
    });
    process.install(SlaveReregisteredMessageSchema, (_from, { agentId }) => {
      note("reregistered");
      this.id = agentId?.value;
      this.#progress();
    });
    process.install(PingSlaveMessageSchema, (from) => {
      if (this.mute) return;
      process.send(from, PongSlaveMessageSchema, create(PongSlaveMessageSchema));
    });
    process.install(RunTaskMessageSchema, (_from, message) => {
      this.launched.push(message);
      (options.run ?? finish)(this, message);
      this.#progress();
    });
    process.install(RunTaskGroupMessageSchema, (_from, message) => {
      this.groups.push(message);
      for (const { taskId } of message.taskGroup?.tasks ?? [])
        this.update(message.framework?.id?.value ?? "", taskId?.value ?? "", TaskState.TASK_RUNNING);
      this.#progress();
    });
    process.install(KillTaskMessageSchema, (_from, { frameworkId, taskId }) => {
      note(`kill ${taskId?.value}`);
      this.update(frameworkId?.value ?? "", taskId?.value ?? "", TaskState.TASK_KILLED);
    });
    process.install(FrameworkToExecutorMessageSchema, (_from, { data }) => {
      note(`message ${Buffer.from(data).toString("hex")}`);
      this.#progress();
    });
    process.install(StatusUpdateAcknowledgementMessageSchema, (_from, { uuid }) => {
      this.acknowledged.push(uuid);
      this.#progress();
    });
    for (const [schema, name] of [
      [ShutdownFrameworkMessageSchema, "shutdown framework"],
      [UpdateFrameworkMessageSchema, "update framework"],
      [CheckpointResourcesMessageSchema, "checkpoint resources"],
    ] as const)
      process.install(schema, () => {
        note(name);
        this.#progress();
      });
  }

  static async start(options: ScriptedAgentOptions): Promise<ScriptedAgent> {
    const process = await Process.start({
      id: "slave(1)",
      bind: { ip: "127.0.0.1", port: 0 },
      advertise: { ip: "127.0.0.1" },
      log: silentLogger,
      clock: systemClock,
    });
    return new ScriptedAgent(process, options);
  }

  #info(id?: string) {
    return {
      hostname: "scripted.example",
      port: this.process.self.port,
      checkpoint: true,
      resources: parseResources(this.#options.resources ?? "cpus:4;mem:4096;ports:[31000-31099]").toMessages("pre"),
      ...(id !== undefined && { id: { value: id } }),
    };
  }

  async register(): Promise<void> {
    this.process.link(this.#master, () => undefined);
    const message = create(RegisterSlaveMessageSchema, {
      agent: this.#info(),
      version: MESOS_VERSION,
      agentCapabilities: (this.#options.capabilities ?? []).map((type) => ({ type })),
    });
    this.process.send(this.#master, RegisterSlaveMessageSchema, message);
    await this.until(() => this.received.includes("registered"));
  }

  /** `era`: agents of 0.24 name no frameworks. */
  async reregister(id: string, tasks: readonly Task[], era: "0.24" | "1.x" = "1.x"): Promise<void> {
    const master = this.#master;
    this.process.link(master, () => undefined);
    const ids = era === "0.24" ? [] : [...new Set(tasks.map(({ frameworkId }) => frameworkId?.value ?? ""))];
    const message = create(ReregisterSlaveMessageSchema, {
      agent: this.#info(id),
      version: era === "0.24" ? "0.24.1" : MESOS_VERSION,
      tasks: [...tasks],
      frameworks: ids.map((value) => ({ user: "u", name: "n", id: { value } })),
    });
    this.process.send(master, ReregisterSlaveMessageSchema, message);
    await this.until(() => this.received.includes("reregistered"));
  }

  update(frameworkId: string, taskId: string, state: TaskState): void {
    const status = makeStatus(Date.now(), { taskId: { value: taskId }, agentId: { value: this.id ?? "" }, state });
    const update = makeStatusUpdate(frameworkId, status, state);
    const message = create(StatusUpdateMessageSchema, { update, pid: formatUPID(this.process.self) });
    this.process.send(this.#master, StatusUpdateMessageSchema, message);
  }

  /** Any message to the master. */
  send<D extends DescMessage>(schema: D, message: MessageShape<D>): void {
    this.process.send(this.#master, schema, message);
  }

  /** Resolves when `done` holds, looked at after every message. */
  async until(done: () => boolean): Promise<void> {
    if (done()) return;
    await new Promise<void>((resolve) => this.#waiting.push({ done, resolve }));
  }

  #progress(): void {
    for (const each of [...this.#waiting]) {
      if (!each.done()) continue;
      this.#waiting = this.#waiting.filter((other) => other !== each);
      each.resolve();
    }
  }

  close(): Promise<void> {
    return this.process.close();
  }
}

/** TASK_RUNNING, then TASK_FINISHED. */
export function finish(agent: ScriptedAgent, { framework, task }: RunTaskMessage): void {
  const [frameworkId, taskId] = [framework?.id?.value ?? "", task?.taskId?.value ?? ""];
  agent.update(frameworkId, taskId, TaskState.TASK_RUNNING);
  agent.update(frameworkId, taskId, TaskState.TASK_FINISHED);
}

/** TASK_RUNNING only. */
export function keepRunning(agent: ScriptedAgent, { framework, task }: RunTaskMessage): void {
  agent.update(framework?.id?.value ?? "", task?.taskId?.value ?? "", TaskState.TASK_RUNNING);
}
