import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { Process } from "../../src/libprocess/process.ts";
import { formatUPID, parseUPID, type UPID } from "../../src/libprocess/upid.ts";
import {
  type ExecutorToFrameworkMessage,
  ExecutorToFrameworkMessageSchema,
  type ExitedExecutorMessage,
  ExitedExecutorMessageSchema,
  PingSlaveMessageSchema,
  PongSlaveMessageSchema,
  type RegisterSlaveMessage,
  RegisterSlaveMessageSchema,
  type ReregisterSlaveMessage,
  ReregisterSlaveMessageSchema,
  SlaveRegisteredMessageSchema,
  SlaveReregisteredMessageSchema,
  type StatusUpdate,
  StatusUpdateAcknowledgementMessageSchema,
  type StatusUpdateMessage,
  StatusUpdateMessageSchema,
  type UnregisterSlaveMessage,
  UnregisterSlaveMessageSchema,
  type UpdateOperationStatusMessage,
  UpdateOperationStatusMessageSchema,
  type UpdateSlaveMessage,
  UpdateSlaveMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import type { MasterInfo, TaskState, TaskStatus } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { fixedMasterInfo } from "../../src/zookeeper/master-info.ts";
import { ScriptedAuthenticator } from "./scripted-authenticator.ts";
import { settle } from "./test-clock.ts";

export type Init<D extends DescMessage> = Omit<MessageInitShape<D>, "$typeName" | "$unknown">;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Milliseconds of real time after which a test that waits has failed. */
const PATIENCE = 50_000;

/** Waits, turn by turn of the event loop, until `condition` gives something; `what` is for the failure. */
export async function until<T>(what: string, condition: () => T | undefined | false): Promise<T> {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    const found = condition();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`no ${what} within ${PATIENCE} ms`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A master that speaks real libprocess and says what the script says: it knows no offers and no frameworks. */
export class ScriptedMaster {
  readonly registrations: RegisterSlaveMessage[] = [];
  readonly reregistrations: ReregisterSlaveMessage[] = [];
  /** As they came, repeated ones too. */
  readonly updates: StatusUpdateMessage[] = [];
  readonly exited: ExitedExecutorMessage[] = [];
  readonly operations: UpdateOperationStatusMessage[] = [];
  readonly announcements: UpdateSlaveMessage[] = [];
  readonly messages: ExecutorToFrameworkMessage[] = [];
  readonly unregistered: UnregisterSlaveMessage[] = [];
  /** Names of all messages, in order. */
  readonly received: string[] = [];
  /** The id that it gives an agent. */
  agentId = "S0";
  /** Whether a registration is answered. */
  answers = true;
  /** Which updates it acknowledges at once, for their scheduler. */
  acknowledges: (update: StatusUpdate) => boolean = () => true;
  /** What it tells an agent that it knows already. */
  reconciliations: Init<typeof SlaveReregisteredMessageSchema>["reconciliations"] = [];
  /** Seconds; undefined: the agent's own idea. */
  pingTimeout: number | undefined;
  readonly authenticator: ScriptedAuthenticator;
  readonly #process: Process;
  readonly #agent: UPID;
  readonly #version: string;
  #pongs = 0;

  private constructor(process: Process, agent: UPID, version: string) {
    this.#process = process;
    this.#agent = agent;
    this.#version = version;
    this.authenticator = new ScriptedAuthenticator(process);
    this.#keep(RegisterSlaveMessageSchema, this.registrations, () => this.#register());
    this.#keep(ReregisterSlaveMessageSchema, this.reregistrations, () => this.#reregister());
    this.#keep(StatusUpdateMessageSchema, this.updates, ({ update }) => {
      if (update !== undefined && this.acknowledges(update)) this.acknowledge(update);
    });
    this.#keep(ExitedExecutorMessageSchema, this.exited);
    this.#keep(UpdateOperationStatusMessageSchema, this.operations);
    this.#keep(UpdateSlaveMessageSchema, this.announcements);
    this.#keep(ExecutorToFrameworkMessageSchema, this.messages);
    this.#keep(UnregisterSlaveMessageSchema, this.unregistered);
    process.install(PongSlaveMessageSchema, () => this.#pongs++);
    process.on("PONG", () => this.received.push("PONG"));
  }

  /** `agentPort`: where the agent listens on 127.0.0.1. */
  static async start(agentPort: number, { id = "master", version = "1.11.0", port = 0 } = {}): Promise<ScriptedMaster> {
    const process = await Process.start({
      id,
      bind: { ip: "127.0.0.1", port },
      advertise: { ip: "127.0.0.1" },
      log: silentLogger,
      clock: systemClock,
    });
    const agent = parseUPID(`slave(1)@127.0.0.1:${agentPort}`);
    if (agent === undefined) throw new Error(`${agentPort} is no port`);
    return new ScriptedMaster(process, agent, version);
  }

  /** What a detector says of it. */
  get info(): MasterInfo {
    const { id, ip, port } = this.#process.self;
    return Object.assign(fixedMasterInfo(id, ip, ip, port), { version: this.#version });
  }

  get pid(): string {
    return formatUPID(this.#process.self);
  }

  #keep<D extends DescMessage>(schema: D, into: MessageShape<D>[], then?: (message: MessageShape<D>) => void): void {
    this.#process.install(schema, (_from, message) => {
      this.received.push(schema.name);
      into.push(message);
      then?.(message);
    });
  }

  get #connection() {
    return this.pingTimeout === undefined ? {} : { connection: { totalPingTimeoutSeconds: this.pingTimeout } };
  }

  #register(): void {
    if (!this.answers) return;
    this.send(SlaveRegisteredMessageSchema, { agentId: { value: this.agentId }, ...this.#connection });
  }

  #reregister(): void {
    if (!this.answers) return;
    this.send(SlaveReregisteredMessageSchema, {
      agentId: { value: this.agentId },
      reconciliations: this.reconciliations ?? [],
      ...this.#connection,
    });
  }

  send<D extends DescMessage>(schema: D, init: Init<D>): void {
    this.#process.send(this.#agent, schema, create(schema, init as MessageInitShape<D>));
  }

  /** A message that is no protobuf message, as 0.24 has some. */
  sendBytes(name: string, body: Uint8Array): void {
    this.#process.sendBytes(this.#agent, name, body);
  }

  acknowledge(update: StatusUpdate): void {
    this.send(StatusUpdateAcknowledgementMessageSchema, {
      agentId: { value: this.agentId },
      frameworkId: { value: update.frameworkId?.value ?? "" },
      taskId: { value: update.status?.taskId?.value ?? "" },
      uuid: update.uuid,
    });
  }

  /** The different statuses of a task, in the order in which they first came. */
  statusesOf(taskId: string): TaskStatus[] {
    const seen = new Set<string>();
    return this.updates.flatMap(({ update }) => {
      if (update?.status?.taskId?.value !== taskId || seen.has(hex(update.uuid))) return [];
      seen.add(hex(update.uuid));
      return [update.status];
    });
  }

  statesOf(taskId: string): TaskState[] {
    return this.statusesOf(taskId).map(({ state }) => state);
  }

  /** The first status of that state. */
  status(taskId: string, state: TaskState): Promise<TaskStatus> {
    const find = () => this.statusesOf(taskId).find((status) => status.state === state);
    return until(`state ${state} of ${taskId} (has ${this.statesOf(taskId)})`, find);
  }

  /** How often updates of the task came, repeated ones counted. */
  countOf(taskId: string): number {
    return this.updates.filter(({ update }) => update?.status?.taskId?.value === taskId).length;
  }

  /**
   * Resolves when the agent has taken in all that was sent to it before, and what it said then has come: pings and their
   * answers keep the order of everything else.
   */
  async quiet(): Promise<void> {
    for (let round = 0; round < 3; round++) {
      const before = this.#pongs;
      this.send(PingSlaveMessageSchema, { connected: true });
      await until("pong", () => this.#pongs > before);
      await settle();
    }
  }

  close(): Promise<void> {
    return this.#process.close();
  }
}
