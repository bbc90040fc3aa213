import type { FastifyRequest } from "fastify";
import type { MediaType } from "./event-stream.ts";

export const [JSON_TYPE, PROTOBUF_TYPE] = ["application/json", "application/x-protobuf"] as const;

/** A status, with a line of text when there is something to say. */
export interface Answer {
  readonly status: number;
  readonly text?: string;
}

export const answer = (status: number, text?: string): Answer => (text === undefined ? { status } : { status, text });

/** The encoding of a call's body, or the answer that refuses it. */
export function bodyType(request: FastifyRequest): MediaType | Answer {
  const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
  if (type === undefined || type === "") return answer(400, "Expecting 'Content-Type' to be present");
  if (type === JSON_TYPE || type === PROTOBUF_TYPE) return type;
  return answer(415, `Expecting 'Content-Type' of ${JSON_TYPE} or ${PROTOBUF_TYPE}`);
}

/** The bytes that a call came with. */
export const bodyOf = (request: FastifyRequest): Buffer =>
  Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
