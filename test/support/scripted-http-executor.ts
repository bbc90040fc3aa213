import { type ClientRequest, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { decode, encode } from "../../src/mesos/codec.ts";
import {
  Call_Type,
  CallSchema,
  type Event,
  type Event_Type,
  EventSchema,
} from "../../src/mesos/gen/mesos/v1/executor/executor_pb.ts";
import { type TaskState, TaskStatus_Source } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { RecordDecoder } from "../../src/mesos/recordio.ts";
import { uuidOf } from "./updates.ts";

const PROTOBUF = "application/x-protobuf";
export type ExecutorCallInit = Omit<MessageInitShape<typeof CallSchema>, "$typeName" | "$unknown">;

/** An executor of the v1 API, as the test plays it: its container is only there to be alive. */
export class HttpExecutor {
  readonly events: Event[] = [];
  readonly refusals: number[] = [];
  /** What it shows as its token. */
  token: string | undefined;
  #stream: ClientRequest | undefined;
  readonly #port: number;
  readonly #frameworkId: string;

  constructor(port: number, frameworkId: string) {
    this.#port = port;
    this.#frameworkId = frameworkId;
  }

  #post(init: ExecutorCallInit): ClientRequest {
    const call = create(CallSchema, {
      executorId: { value: "executor" },
      frameworkId: { value: this.#frameworkId },
      ...init,
    });
    const authorization = this.token === undefined ? {} : { authorization: `Bearer ${this.token}` };
    const headers = { "content-type": PROTOBUF, accept: PROTOBUF, ...authorization };
    const options = { host: "127.0.0.1", port: this.#port, path: "/slave(1)/api/v1/executor", method: "POST", headers };
    const post = request(options);
    post.end(encode(CallSchema, call));
    return post;
  }

  /** Resolves to the status of the answer; 0 when there is none. */
  call(init: ExecutorCallInit): Promise<number> {
    return new Promise((resolve) => {
      const post = this.#post(init);
      post.on("response", (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      post.on("error", () => resolve(0));
    });
  }

  /** Tries to subscribe once; resolves to the status of the answer. */
  async subscribeOnce(subscribe: ExecutorCallInit["subscribe"] = {}): Promise<number> {
    const post = this.#post({ type: Call_Type.SUBSCRIBE, subscribe });
    const status = await new Promise<number>((resolve) => {
      post.on("error", () => resolve(0));
      post.on("response", (response) => {
        const decoder = new RecordDecoder();
        if (response.statusCode === 200)
          response.on("data", (chunk: Buffer) => {
            for (const record of decoder.push(chunk)) this.events.push(decode(EventSchema, record));
          });
        else response.resume();
        response.on("error", () => undefined);
        resolve(response.statusCode ?? 0);
      });
    });
    if (status === 200) this.#stream = post;
    return status;
  }

  /** Subscribes, again and again as the real library does, until the agent takes it. */
  async subscribe(subscribe: ExecutorCallInit["subscribe"] = {}): Promise<void> {
    for (;;) {
      const status = await this.subscribeOnce(subscribe);
      if (status === 200) return;
      this.refusals.push(status);
      await pause(50);
    }
  }

  update(taskId: string, state: TaskState, number: number): Promise<number> {
    const status = { taskId: { value: taskId }, state, source: TaskStatus_Source.EXECUTOR, uuid: uuidOf(number) };
    return this.call({ type: Call_Type.UPDATE, update: { status } });
  }

  get types(): (Event_Type | undefined)[] {
    return this.events.map(({ type }) => type);
  }

  /** Breaks the connection; resolves when that is on its way. */
  async leave(): Promise<void> {
    const stream = this.#stream;
    if (stream === undefined) return;
    const closed = new Promise((resolve) => stream.once("close", resolve));
    stream.destroy();
    await closed;
  }

  close(): void {
    this.#stream?.destroy();
  }
}
