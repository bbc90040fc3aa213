import type { ServerResponse } from "node:http";
import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import type { Logger } from "../base/log.ts";
import { encode } from "../mesos/codec.ts";
import { encodeJson } from "../mesos/json.ts";
import { encodeRecord } from "../mesos/recordio.ts";

export type MediaType = "application/json" | "application/x-protobuf";

/** Milliseconds between the heartbeats of a stream. */
export const HEARTBEAT_INTERVAL = 15_000;
/** Bytes that may wait for somebody who does not read. */
const LARGEST_BACKLOG = 64 * 1024 * 1024;

/**
 * The stream of one subscription, of a scheduler or an operator. Every event is one write, hence one HTTP chunk: clients exist
 * that take a chunk for a record.
 */
export class EventStream<Schema extends DescMessage> {
  readonly id: string;
  readonly #schema: Schema;
  readonly #response: ServerResponse;
  readonly #type: MediaType;
  readonly #log: Logger;

  /** Over an answer whose head is sent. */
  constructor(
    id: string,
    schema: Schema,
    response: ServerResponse,
    type: MediaType,
    log: Logger,
    closed: (stream: EventStream<Schema>) => void,
  ) {
    this.id = id;
    this.#schema = schema;
    this.#response = response;
    this.#type = type;
    this.#log = log;
    response.once("close", () => closed(this));
  }

  send(event: MessageInitShape<Schema>): void {
    if (this.#response.destroyed || this.#response.writableEnded) return;
    const message = create(this.#schema, event);
    const record =
      this.#type === "application/json" ? encodeJson(this.#schema, message) : encode(this.#schema, message);
    this.#response.write(encodeRecord(record));
    if (this.#response.writableLength > LARGEST_BACKLOG) {
      this.#log.warn(`Closed the stream ${this.id}: nobody reads its events`);
      this.#response.destroy();
    }
  }

  /** Ends the stream after what was sent. */
  close(): void {
    this.#response.end();
  }
}
