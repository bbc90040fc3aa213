import { type Answer, text } from "../http/answer.ts";
import { type HttpRequest, mediaTypeOf } from "../http/request.ts";
import type { MediaType } from "./event-stream.ts";

export const [JSON_TYPE, PROTOBUF_TYPE] = ["application/json", "application/x-protobuf"] as const;

/** What became of a call: a status, with a line of text when there is something to say. */
export interface Outcome {
  readonly status: number;
  readonly text?: string;
}

export const outcome = (status: number, text?: string): Outcome => (text === undefined ? { status } : { status, text });

export const answerOf = ({ status, text: words }: Outcome): Answer =>
  text(status, words === undefined ? "" : `${words}\n`);

/** The encoding of a call's body, or what refuses it. */
export function bodyType(request: HttpRequest): MediaType | Outcome {
  const type = mediaTypeOf(request.header("content-type"));
  if (type === undefined || type === "") return outcome(400, "Expecting 'Content-Type' to be present");
  if (type === JSON_TYPE || type === PROTOBUF_TYPE) return type;
  return outcome(415, `Expecting 'Content-Type' of ${JSON_TYPE} or ${PROTOBUF_TYPE}`);
}

/** Bytes of the largest call. */
export const LARGEST_CALL = 16 * 1024 * 1024;
