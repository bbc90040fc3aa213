import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { FewAtOnce } from "../../../base/few-at-once.ts";
import type { Answer } from "../../../http/answer.ts";
import { answerPace, bodyOf } from "../../../http/paced-body.ts";
import { encode } from "../../../mesos/codec.ts";
import { ResponseSchema } from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import { encodeJson } from "../../../mesos/json.ts";
import { encoding, jsonPieces, type LongMessage } from "../../../mesos/long-message.ts";
import type { LongReply } from "./handler.ts";
import type { Encoding } from "./negotiate.ts";

/** A response as the caller wants it encoded. */
export function reply(encoded: Encoding, init: MessageInitShape<typeof ResponseSchema>): Answer {
  const response = create(ResponseSchema, init);
  const text = encoded === "application/json";
  const body = Buffer.from(text ? encodeJson(ResponseSchema, response) : encode(ResponseSchema, response));
  return { kind: "body", type: encoded, body };
}

/** Long responses that are made at once: each may be tens of megabytes. */
const longReplies = new FewAtOnce(2);

/** The same in short turns. */
export function longReply(encoded: Encoding, { type, long }: LongReply): Promise<Answer> {
  const response: LongMessage = { schema: ResponseSchema, head: create(ResponseSchema, { type }), parts: long };
  return longReplies.run(async () => ({
    ...{ kind: "body", type: encoded },
    body: encoded === "application/json" ? await bodyOf(jsonPieces(response)) : await binaryBody(response),
  }));
}

const binaryBody = async (message: LongMessage): Promise<Buffer> =>
  Buffer.concat(await answerPace.run(encoding(message)));
