import { firstAccepted } from "../../../http/accept.ts";
import { mediaTypeOf, RECORDIO } from "../../../http/request.ts";

/** Which encoding an operator API request has and wants (mesos-wire §7.1). */
export type Encoding = "application/json" | "application/x-protobuf";

export interface Refusal {
  readonly status: number;
  readonly message: string;
}

export interface Negotiated {
  /** Of the call; of each record when the request is a stream. */
  readonly request: Encoding;
  /** Of the response; of each record when it is a stream. */
  readonly response: Encoding;
  readonly isStreamedRequest: boolean;
  /** Whether the caller asked for records by name: then headers say so, too. */
  readonly isStreamedResponse: boolean;
}

const encodings: readonly Encoding[] = ["application/json", "application/x-protobuf"];

interface Headers {
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  readonly messageContentType: string | undefined;
  readonly messageAccept: string | undefined;
}

const isRefusal = (value: object): value is Refusal => "status" in value;

/** The two encodings, or why there is no answer. Which calls may be streams is theirs to say. */
export function negotiate(headers: Headers): Negotiated | Refusal {
  const request = requestOf(headers);
  if (isRefusal(request)) return request;
  const response = responseOf(headers);
  if (isRefusal(response)) return response;
  return { ...request, ...response };
}

function requestOf({
  contentType,
  messageContentType,
}: Headers): Pick<Negotiated, "request" | "isStreamedRequest"> | Refusal {
  if (contentType === undefined) return { status: 400, message: "Expecting 'Content-Type' to be present\n" };
  const type = mediaTypeOf(contentType) ?? "";
  if (type === RECORDIO) {
    if (messageContentType === undefined)
      return { status: 400, message: "Expecting 'Message-Content-Type' to be set for streaming requests\n" };
    const request = encodings.find((encoding) => encoding === mediaTypeOf(messageContentType));
    if (request !== undefined) return { request, isStreamedRequest: true };
    return { status: 415, message: `Expecting 'Message-Content-Type' of ${encodings.join(" or ")}\n` };
  }
  const request = encodings.find((encoding) => encoding === type);
  if (request === undefined)
    return { status: 415, message: `Expecting 'Content-Type' of ${encodings.join(" or ")} or ${RECORDIO}\n` };
  if (messageContentType !== undefined)
    return { status: 415, message: "Expecting 'Message-Content-Type' to be not set for non-streaming requests\n" };
  return { request, isStreamedRequest: false };
}

function responseOf({ accept, messageAccept }: Headers): Pick<Negotiated, "response" | "isStreamedResponse"> | Refusal {
  const accepted = firstAccepted(accept, [...encodings, RECORDIO] as const);
  if (accepted === undefined)
    return { status: 406, message: `Expecting 'Accept' to allow ${[...encodings, RECORDIO].join(" or ")}\n` };
  if (accepted === RECORDIO) {
    const response = firstAccepted(messageAccept, encodings);
    if (response !== undefined) return { response, isStreamedResponse: true };
    return { status: 406, message: `Expecting 'Message-Accept' to allow ${encodings.join(" or ")}\n` };
  }
  if (messageAccept !== undefined)
    return { status: 406, message: "Expecting 'Message-Accept' to be not set for non-streaming responses\n" };
  return { response: accepted, isStreamedResponse: false };
}
