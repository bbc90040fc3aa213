import type { MessageInitShape } from "@bufbuild/protobuf";
import type { LoggingLevel } from "../../../base/logging-level.ts";
import type { Answer } from "../../../http/answer.ts";
import type { Call, Response_Type, ResponseSchema } from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import type { LongMessage } from "../../../mesos/long-message.ts";
import type { ShownFiles } from "../files/attached.ts";
import type { AgentView } from "../view.ts";

export interface OperatorParts {
  readonly view: AgentView;
  readonly files: ShownFiles;
  readonly logging: LoggingLevel;
}

/** The one member of a response that is long: made and encoded in pieces. */
export interface LongReply {
  readonly type: Response_Type;
  readonly long: Readonly<Record<string, LongMessage>>;
}

/** A response to be encoded as the caller wants it, an answer as it is, or 200 without a body. */
export type Reply = MessageInitShape<typeof ResponseSchema> | LongReply | Answer | "done";

/** What one call does. A UserError is the caller's fault: 400. */
export type Handler = (parts: OperatorParts, call: Call) => Reply | Promise<Reply>;
