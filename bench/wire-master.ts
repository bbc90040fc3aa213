/**
 * As little of a master and a scheduler as a launch needs: it registers one agent, hands it tasks and acknowledges what it says
 * of them. A whole master and a scheduler take as much time on processors as the agent does, on the same machine, where those of a
 * cluster run elsewhere. What it sends is what a 1.11 master sends, and ready before the clock runs; of what comes it reads
 * what an acknowledgement needs.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { encodeMessage } from "../src/libprocess/framing.ts";
import { parseUPID, type UPID } from "../src/libprocess/upid.ts";
import { encode } from "../src/mesos/codec.ts";
import {
  PingSlaveMessageSchema,
  RunTaskMessageSchema,
  SlaveRegisteredMessageSchema,
  SlaveReregisteredMessageSchema,
} from "../src/mesos/gen/mesos/internal/messages_pb.ts";
import { type TaskInfoSchema, TaskState } from "../src/mesos/gen/mesos/v1/mesos_pb.ts";

const AGENT_ID = "00000000-0000-4000-8000-000000000000-S0";
const FRAMEWORK_ID = "00000000-0000-4000-8000-000000000000-0000";
const ROLE = "*";
/** Milliseconds between two pings, of which an agent misses five before it looks for another master. */
const PING_INTERVAL = 15_000;
const ACCEPTED = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
const NOTHING = Buffer.alloc(0);

type Init<D extends DescMessage> = Omit<MessageInitShape<D>, "$typeName" | "$unknown">;
export type TaskInit = Init<typeof TaskInfoSchema>;

/** Calls back with each field of a message: its number, and the reader, which has to be moved past it. */
function fields(bytes: Uint8Array, field: (number: number, reader: BinaryReader) => boolean): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (!field(number, reader)) reader.skip(type as WireType, number);
  }
}

interface Update {
  /** TaskID, as it came. */
  taskId: Uint8Array;
  state: number;
  uuid: Uint8Array;
}

/** Of a StatusUpdateMessage: `update` is field 1; of that `status` 4 and `uuid` 6; of that `task_id` 1 and `state` 2. */
function updateOf(body: Uint8Array): Update {
  const found: Update = { taskId: NOTHING, state: -1, uuid: NOTHING };
  const status = (number: number, reader: BinaryReader): boolean => {
    if (number === 1) found.taskId = reader.bytes();
    else if (number === 2) found.state = reader.int32();
    else return false;
    return true;
  };
  const update = (number: number, reader: BinaryReader): boolean => {
    if (number === 4) fields(reader.bytes(), status);
    else if (number === 6) found.uuid = reader.bytes();
    else return false;
    return true;
  };
  fields(body, (number, reader) => {
    if (number !== 1) return false;
    fields(reader.bytes(), update);
    return true;
  });
  return found;
}

/** Cuts what libprocess writes on a connection into messages: one chunk each, or no body at all. */
class MessageCutter {
  #rest: Buffer = NOTHING;

  push(bytes: Buffer, message: (name: string, body: Buffer) => void): void {
    let at = 0;
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const end = all.indexOf("\r\n\r\n", at);
      if (end < 0) break;
      const head = all.toString("latin1", at, end);
      const path = head.slice(0, head.indexOf(" HTTP/"));
      const name = path.slice(path.lastIndexOf("/") + 1);
      let body: Buffer = NOTHING;
      let next = end + 4;
      if (/^transfer-encoding: chunked/im.test(head)) {
        const line = all.indexOf("\r\n", next);
        const size = line < 0 ? 0 : Number.parseInt(all.toString("latin1", next, line), 16);
        body = all.subarray(line + 2, line + 2 + size);
        next = line + 2 + size + "\r\n0\r\n\r\n".length;
        if (line < 0 || next > all.length) break;
      }
      message(name, body);
      at = next;
    }
    this.#rest = at === all.length ? NOTHING : Buffer.from(all.subarray(at));
  }
}

export class WireMaster {
  readonly #agent: UPID;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #self: UPID | undefined;
  #link: Socket | undefined;
  #pings: NodeJS.Timeout | undefined;
  #framework: Init<typeof RunTaskMessageSchema>["framework"];
  /** Tasks that are RUNNING, and who waits for how many. */
  #running = new Set<string>();
  #wanted: { readonly count: number; readonly done: () => void } | undefined;
  #registered: () => void = () => undefined;
  /** Resolves when the agent has said that it takes tasks. */
  readonly registered = new Promise<void>((resolve) => (this.#registered = resolve));

  private constructor(agentPort: number) {
    this.#agent = parseUPID(`slave(1)@127.0.0.1:${agentPort}`) as UPID;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#framework = {
      ...{ user: "root", name: "bench", id: { value: FRAMEWORK_ID }, failoverTimeout: 3600, checkpoint: true },
      roles: [ROLE],
    };
  }

  /** `agentPort`: where the agent is going to listen on 127.0.0.1. */
  static async start(agentPort: number): Promise<WireMaster> {
    const master = new WireMaster(agentPort);
    await new Promise<void>((resolve) => master.#server.listen(0, "127.0.0.1", resolve));
    master.#self = parseUPID(`master@${master.address}`);
    return master;
  }

  /** `127.0.0.1:5050` */
  get address(): string {
    const address = this.#server.address();
    return `127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  }

  /** What hands the agent these tasks: to be made before a clock runs. */
  framesFor(tasks: readonly TaskInit[]): Buffer {
    const allocationInfo = { role: ROLE };
    return Buffer.concat(
      tasks.map((task) => {
        const resources = task.resources?.map((resource) => ({ ...resource, allocationInfo })) ?? [];
        return this.#frame(RunTaskMessageSchema, {
          ...{ framework: this.#framework, pid: "", launchExecutor: true },
          task: { ...task, agentId: { value: AGENT_ID }, resources } as never,
        });
      }),
    );
  }

  /** Sends what `framesFor` made, and resolves when `count` more tasks are RUNNING. */
  async send(frames: Buffer, count: number): Promise<void> {
    await new Promise<void>((done) => {
      this.#wanted = { count: this.#running.size + count, done };
      this.#link?.write(frames);
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#pings);
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#link?.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #frame<D extends DescMessage>(schema: D, init: Init<D>): Buffer {
    const body = encode(schema, create(schema, init as MessageInitShape<D>));
    return encodeMessage(this.#agent, this.#self as UPID, `mesos.internal.${schema.name}`, body);
  }

  #serve(socket: Socket): void {
    const cutter = new MessageCutter();
    this.#sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => this.#sockets.delete(socket));
    socket.setNoDelay().on("data", (bytes) => {
      let [answers, acknowledgements] = ["", [] as Buffer[]];
      cutter.push(bytes, (name, body) => {
        answers += ACCEPTED;
        if (name === "mesos.internal.StatusUpdateMessage") acknowledgements.push(this.#update(body));
        else this.#handle(name);
      });
      if (answers !== "") socket.write(answers);
      if (acknowledgements.length > 0) this.#link?.write(Buffer.concat(acknowledgements));
    });
  }

  #update(body: Buffer): Buffer {
    const { taskId, state, uuid } = updateOf(body);
    if (state === TaskState.TASK_RUNNING) {
      this.#running.add(Buffer.from(taskId).toString("latin1"));
      if (this.#running.size === this.#wanted?.count) this.#wanted.done();
    }
    // StatusUpdateAcknowledgementMessage: slave_id 1, framework_id 2, task_id 3, uuid 4.
    const id = (value: string): Uint8Array =>
      new BinaryWriter().tag(1, WireType.LengthDelimited).string(value).finish();
    const writer = new BinaryWriter();
    writer
      .tag(1, WireType.LengthDelimited)
      .bytes(id(AGENT_ID))
      .tag(2, WireType.LengthDelimited)
      .bytes(id(FRAMEWORK_ID));
    writer.tag(3, WireType.LengthDelimited).bytes(taskId).tag(4, WireType.LengthDelimited).bytes(uuid);
    const name = "mesos.internal.StatusUpdateAcknowledgementMessage";
    return encodeMessage(this.#agent, this.#self as UPID, name, writer.finish());
  }

  #handle(name: string): void {
    const agentId = { value: AGENT_ID };
    if (name === "mesos.internal.RegisterSlaveMessage" || name === "mesos.internal.ReregisterSlaveMessage") {
      this.#dial();
      const schema = name.includes("Reregister") ? SlaveReregisteredMessageSchema : SlaveRegisteredMessageSchema;
      this.#link?.write(this.#frame(schema, { agentId }));
    } else if (name === "mesos.internal.UpdateSlaveMessage") this.#registered();
  }

  #dial(): void {
    if (this.#link !== undefined) return;
    const { ip, port } = this.#agent;
    this.#link = connect({ host: ip, port, noDelay: true });
    // Its answers say nothing.
    this.#link.on("error", () => undefined).resume();
    this.#pings = setInterval(
      () => this.#link?.write(this.#frame(PingSlaveMessageSchema, { connected: true })),
      PING_INTERVAL,
    );
  }
}
