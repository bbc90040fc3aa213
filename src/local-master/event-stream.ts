import type { ServerResponse } from "node:http";
import { create } from "@bufbuild/protobuf";
import type { Logger } from "../base/log.ts";
import { encode } from "../mesos/codec.ts";
import { EventSchema } from "../mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { encodeJson } from "../mesos/json.ts";
import { encodeRecord } from "../mesos/recordio.ts";
import type { EventInit, EventSink } from "./model.ts";

export type MediaType = "application/json" | "application/x-protobuf";

/** Bytes that may wait for a scheduler that does not read. */
const LARGEST_BACKLOG = 64 * 1024 * 1024;

/**
 * The stream of one subscription. Every event is one write, hence one HTTP chunk: clients exist that take a chunk for a
 * record.
 */
export class EventStream implements EventSink {
  readonly id: string;
  readonly #response: ServerResponse;
  readonly #type: MediaType;
  readonly #log: Logger;

  /** Over an answer whose head is sent. */
  constructor(
    id: string,
    response: ServerResponse,
    type: MediaType,
    log: Logger,
    closed: (stream: EventStream) => void,
  ) {
    this.id = id;
    this.#response = response;
    this.#type = type;
    this.#log = log;
    response.once("close", () => closed(this));
  }

  send(event: EventInit): void {
    if (this.#response.destroyed || this.#response.writableEnded) return;
    const message = create(EventSchema, event);
    const record = this.#type === "application/json" ? encodeJson(EventSchema, message) : encode(EventSchema, message);
    this.#response.write(encodeRecord(record));
    if (this.#response.writableLength > LARGEST_BACKLOG) {
      this.#log.warn(`Closed the stream ${this.id}: the scheduler does not read its events`);
      this.#response.destroy();
    }
  }

  /** Ends the stream after what was sent. */
  close(): void {
    this.#response.end();
  }
}
