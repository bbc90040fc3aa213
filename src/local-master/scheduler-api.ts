import { randomUUID } from "node:crypto";
import { type Clock, every } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { firstAccepted } from "../http/accept.ts";
import { type Answer, text as say } from "../http/answer.ts";
import type { HttpRequest } from "../http/request.ts";
import { enumName } from "../mesos/codec.ts";
import { MOST_OBJECTS_OF_MASTER } from "../mesos/cost.ts";
import {
  type Call,
  Call_Type,
  Call_TypeSchema,
  CallSchema,
  Event_Type,
  EventSchema,
} from "../mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { idOf } from "../mesos/ids.ts";
import { decodeForeignJson } from "../mesos/json.ts";
import { callProblem, decodeCall } from "./calls.ts";
import type { Cluster } from "./cluster.ts";
import { EventStream, HEARTBEAT_INTERVAL } from "./event-stream.ts";
import type { Frameworks } from "./frameworks.ts";
import { bodyType, JSON_TYPE, LARGEST_CALL, type Outcome, outcome, PROTOBUF_TYPE } from "./negotiation.ts";
import type { Routes } from "./routes.ts";

/** A request's call, or the answer that refuses it. */
async function callOf(request: HttpRequest): Promise<Call | Outcome> {
  const type = bodyType(request);
  if (typeof type === "object") return type;
  const body = await request.body(LARGEST_CALL);
  let call: Call;
  try {
    call = type === JSON_TYPE ? decodeForeignJson(CallSchema, body, MOST_OBJECTS_OF_MASTER) : decodeCall(body);
  } catch (error) {
    return outcome(400, `Failed to parse body into Call: ${messageOf(error)}`);
  }
  const problem = callProblem(call);
  return problem === undefined ? call : outcome(400, `Failed to validate scheduler::Call: ${problem}`);
}

export interface SchedulerApiOptions {
  readonly cluster: Cluster;
  readonly frameworks: Frameworks;
  readonly clock: Clock;
  readonly log: Logger;
}

/** POST /api/v1/scheduler: the v1 scheduler API. */
export class SchedulerApi {
  readonly #options: SchedulerApiOptions;

  constructor(routes: Routes, paths: readonly string[], options: SchedulerApiOptions) {
    this.#options = options;
    routes.post(paths, (request) => this.#post(request));
  }

  async #post(request: HttpRequest): Promise<Answer> {
    const call = await callOf(request);
    if ("status" in call) return say(call.status, call.text ?? "");
    if (call.type === Call_Type.SUBSCRIBE) return this.#subscribe(call, request);
    const { status, text } = this.#call(call, request);
    return say(status, text ?? "");
  }

  #subscribe(call: Call, request: HttpRequest): Answer {
    const { clock, log, frameworks } = this.#options;
    const type = firstAccepted(request.header("accept"), [JSON_TYPE, PROTOBUF_TYPE]);
    if (type === undefined) return say(406, `Expecting 'Accept' to allow ${JSON_TYPE} or ${PROTOBUF_TYPE}`);
    if (request.header("mesos-stream-id") !== undefined)
      return say(400, "Subscribe calls should not include the 'Mesos-Stream-Id' header");
    const info = call.subscribe?.frameworkInfo;
    if (info === undefined) return say(400, "Expecting 'subscribe.framework_info' to be present");
    const id = randomUUID();
    return {
      kind: "open",
      type,
      headers: { "mesos-stream-id": id, "cache-control": "no-cache" },
      opened: (response) => {
        const stream = new EventStream(id, EventSchema, response, type, log, (closed) => {
          heartbeat.cancel();
          frameworks.disconnected(closed);
        });
        const heartbeat = every(clock, HEARTBEAT_INTERVAL, () => stream.send({ type: Event_Type.HEARTBEAT }));
        frameworks.subscribe(info, call.subscribe?.suppressedRoles ?? [], stream);
      },
    };
  }

  #call(call: Call, request: HttpRequest): Outcome {
    const framework = this.#options.cluster.frameworks.get(idOf(call.frameworkId));
    if (framework === undefined) return outcome(400, "Framework cannot be found");
    if (framework.sink === undefined) return outcome(403, "Framework is not subscribed");
    const streamId = request.header("mesos-stream-id");
    if (streamId === undefined)
      return outcome(400, "All non-subscribe calls should include the 'Mesos-Stream-Id' header");
    if (streamId !== framework.sink.id)
      return outcome(
        400,
        "The stream ID included in this request didn't match the stream ID currently associated with framework",
      );
    const refusal = this.#options.frameworks.refusal(framework, call);
    if (refusal !== undefined) return outcome(400, refusal);
    if (!this.#options.frameworks.handle(framework, call))
      return outcome(501, `${enumName(Call_TypeSchema, call.type)} is not supported`);
    return outcome(call.type === Call_Type.UPDATE_FRAMEWORK ? 200 : 202);
  }
}
