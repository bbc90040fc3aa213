import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Agent, request } from "undici";
import { messageOf } from "../base/errors.ts";
import { basicHeader, MOST_REDIRECTS, redirectedTo } from "../client/peer.ts";
import { decode, encode } from "../mesos/codec.ts";
import type { Credential } from "../mesos/credential.ts";
import { type Call_Type, CallSchema, type Event, EventSchema } from "../mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { RecordDecoder } from "../mesos/recordio.ts";

const TYPE = "application/x-protobuf";
export const PATH = "/api/v1/scheduler";
/** Bytes of an answer's text that are shown. */
const LONGEST_TEXT = 500;
/** Milliseconds to connect, and until an answer begins. */
const CONNECT_TIMEOUT = 10_000;
const ANSWER_TIMEOUT = 30_000;

type CallInit = Omit<MessageInitShape<typeof CallSchema>, "$typeName" | "$unknown"> & { type: Call_Type };

/** A master that does not take a call. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly status: number;

  constructor(status: number, text: string) {
    const detail = text.trim().slice(0, LONGEST_TEXT);
    super(`the master answered ${status}${detail === "" ? "" : `: ${detail}`}`);
    this.status = status;
  }
}

/** One subscription to a master over the v1 scheduler API, masters of 0.24.1 (which know no stream ids) included. */
export class SchedulerClient {
  readonly #credential: Credential | undefined;
  readonly #agent = new Agent({
    connect: { timeout: CONNECT_TIMEOUT },
    headersTimeout: ANSWER_TIMEOUT,
    bodyTimeout: 0,
  });
  readonly #abort = new AbortController();
  #address: string;
  #streamId: string | undefined;

  /** @param address `host:port` of the master. */
  constructor(address: string, credential: Credential | undefined) {
    this.#address = address;
    this.#credential = credential;
  }

  /** `host:port` of the master that answers, redirects followed. */
  get address(): string {
    return this.#address;
  }

  /** Subscribes; the events until the stream ends. Throws Refused, or why there is no connection. */
  async *subscribe(call: CallInit): AsyncGenerator<Event> {
    // The id of an earlier stream would get this call refused.
    this.#streamId = undefined;
    const answer = await this.#post(call, this.#abort.signal);
    if (answer.statusCode !== 200) throw new Refused(answer.statusCode, await answer.body.text());
    const streamId = answer.headers["mesos-stream-id"];
    this.#streamId = typeof streamId === "string" ? streamId : undefined;
    const decoder = new RecordDecoder();
    for await (const chunk of answer.body)
      for (const record of decoder.push(chunk as Buffer)) yield decode(EventSchema, record);
  }

  /** Any call but SUBSCRIBE. Throws Refused, or why there is no connection. */
  async call(call: CallInit): Promise<void> {
    const answer = await this.#post(call);
    const text = await answer.body.text();
    if (answer.statusCode !== 202 && answer.statusCode !== 200) throw new Refused(answer.statusCode, text);
  }

  async #post(call: CallInit, signal?: AbortSignal) {
    const body = encode(CallSchema, create(CallSchema, call));
    for (let redirects = 0; ; redirects++) {
      const answer = await request(`http://${this.#address}${PATH}`, {
        method: "POST",
        dispatcher: this.#agent,
        body,
        headers: {
          "content-type": TYPE,
          accept: TYPE,
          ...basicHeader(this.#credential),
          ...(this.#streamId !== undefined && { "mesos-stream-id": this.#streamId }),
        },
        ...(signal && { signal }),
      });
      const location = answer.headers["location"];
      const next = answer.statusCode === 307 ? redirectedTo(String(location)) : undefined;
      if (next === undefined || redirects >= MOST_REDIRECTS) return answer;
      await answer.body.dump();
      this.#address = next;
    }
  }

  /** Whether an agent answers there: its metrics begin with `slave/`. */
  async isAgent(): Promise<boolean> {
    try {
      const url = `http://${this.#address}/metrics/snapshot`;
      const answer = await request(url, { dispatcher: this.#agent, headers: basicHeader(this.#credential) });
      return Object.keys((await answer.body.json()) as object).some((name) => name.startsWith("slave/"));
    } catch {
      return false;
    }
  }

  /** Ends the stream and every connection. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#agent.destroy().catch((error: unknown) => messageOf(error));
  }
}
