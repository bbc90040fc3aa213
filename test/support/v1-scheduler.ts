import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { decode, encode } from "../../src/mesos/codec.ts";
import {
  type Call_Type,
  CallSchema,
  type Event,
  type Event_Type,
  EventSchema,
} from "../../src/mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { decodeJson, encodeJson } from "../../src/mesos/json.ts";
import { RecordDecoder } from "../../src/mesos/recordio.ts";

type CallInit = Omit<MessageInitShape<typeof CallSchema>, "$typeName" | "$unknown"> & { type: Call_Type };

/** A scheduler of the v1 API as a test drives it, in JSON or protobuf. */
export class V1Scheduler {
  readonly #url: string;
  readonly #json: boolean;
  readonly #abort = new AbortController();
  readonly events: Event[] = [];
  streamId = "";
  frameworkId = "";
  ended = false;
  readonly #waiting: Event[] = [];
  #wake: () => void = () => undefined;

  constructor(master: string, encoding: "json" | "protobuf" = "json") {
    this.#url = `${master}/api/v1/scheduler`;
    this.#json = encoding === "json";
  }

  async post(call: CallInit, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
    const message = create(CallSchema, call);
    const type = this.#json ? "application/json" : "application/x-protobuf";
    return fetch(this.#url, {
      method: "POST",
      body: this.#json ? encodeJson(CallSchema, message) : encode(CallSchema, message),
      headers: { "content-type": type, accept: type, ...headers },
      ...(signal && { signal }),
    });
  }

  /** Resolves once SUBSCRIBED (or ERROR) arrived. */
  async subscribe(call: CallInit): Promise<void> {
    const response = await this.post(call, {}, this.#abort.signal);
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
    this.streamId = response.headers.get("mesos-stream-id") ?? "";
    void this.#read(response)
      .catch(() => undefined)
      .then(() => {
        this.ended = true;
        this.#wake();
      });
    const first = await this.next();
    this.frameworkId = first.subscribed?.frameworkId?.value ?? "";
  }

  async #read(response: Response): Promise<void> {
    const decoder = new RecordDecoder();
    for await (const chunk of response.body ?? [])
      for (const record of decoder.push(chunk)) {
        const event = this.#json ? decodeJson(EventSchema, record) : decode(EventSchema, record);
        this.events.push(event);
        this.#waiting.push(event);
        this.#wake();
      }
  }

  /** The first event that was not yet taken, of a type if given: events of different types come in no certain order. */
  async next(type?: Event_Type): Promise<Event> {
    for (;;) {
      const at = this.#waiting.findIndex((event) => type === undefined || event.type === type);
      const [event] = at === -1 ? [] : this.#waiting.splice(at, 1);
      if (event !== undefined) return event;
      if (this.ended) throw new Error("the stream ended");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Resolves when the master ended the stream. */
  async closed(): Promise<void> {
    while (!this.ended)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }

  /** A call of the subscribed framework; the status code. */
  async call(call: CallInit): Promise<number> {
    const frameworkId = { value: this.frameworkId };
    const response = await this.post({ frameworkId, ...call }, { "mesos-stream-id": this.streamId });
    await response.text();
    return response.status;
  }

  disconnect(): void {
    this.#abort.abort();
  }
}
