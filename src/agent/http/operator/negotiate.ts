import { firstAccepted } from "../../../http/accept.ts";
import { mediaTypeOf } from "../../../http/request.ts";

/** Which encoding an operator API request has and wants (mesos-wire §7.1). */
export type Encoding = "application/json" | "application/x-protobuf";

export interface Refusal {
  readonly status: number;
  readonly message: string;
}

export interface Negotiated {
  readonly request: Encoding;
  readonly response: Encoding;
}

const encodings: readonly Encoding[] = ["application/json", "application/x-protobuf"];
const RECORDIO = "application/recordio";

interface Headers {
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  readonly messageContentType: string | undefined;
  readonly messageAccept: string | undefined;
}

/** The two encodings, or why there is no answer. Streams (recordio) are for the calls that attach to containers. */
export function negotiate(headers: Headers): Negotiated | Refusal {
  if (headers.contentType === undefined) return { status: 400, message: "Expecting 'Content-Type' to be present\n" };
  const type = mediaTypeOf(headers.contentType) ?? "";
  if (type === RECORDIO) {
    if (headers.messageContentType === undefined)
      return { status: 400, message: "Expecting 'Message-Content-Type' to be set for streaming requests\n" };
    return {
      status: 415,
      message: "Streaming requests are for ATTACH_CONTAINER_INPUT, which is not implemented here\n",
    };
  }
  const request = encodings.find((encoding) => encoding === type);
  if (request === undefined)
    return { status: 415, message: `Expecting 'Content-Type' of ${encodings.join(" or ")} or ${RECORDIO}\n` };
  if (headers.messageContentType !== undefined)
    return { status: 415, message: "Expecting 'Message-Content-Type' to be not set for non-streaming requests\n" };
  const response = firstAccepted(headers.accept, encodings);
  if (response === undefined)
    return { status: 406, message: `Expecting 'Accept' to allow ${encodings.join(" or ")}\n` };
  if (headers.messageAccept !== undefined)
    return { status: 406, message: "Expecting 'Message-Accept' to be not set for non-streaming responses\n" };
  return { request, response };
}
