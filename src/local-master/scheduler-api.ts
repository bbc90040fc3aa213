import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type Clock, every } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { firstAccepted } from "../libprocess/accept.ts";
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
import { type Answer, answer, bodyOf, bodyType, JSON_TYPE, PROTOBUF_TYPE } from "./negotiation.ts";

/** A request's call, or the answer that refuses it. */
function callOf(request: FastifyRequest): Call | Answer {
  const type = bodyType(request);
  if (typeof type === "object") return type;
  const body = bodyOf(request);
  let call: Call;
  try {
    call = type === JSON_TYPE ? decodeForeignJson(CallSchema, body, MOST_OBJECTS_OF_MASTER) : decodeCall(body);
  } catch (error) {
    return answer(400, `Failed to parse body into Call: ${messageOf(error)}`);
  }
  const problem = callProblem(call);
  return problem === undefined ? call : answer(400, `Failed to validate scheduler::Call: ${problem}`);
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

  constructor(app: FastifyInstance, paths: readonly string[], options: SchedulerApiOptions) {
    this.#options = options;
    for (const path of paths) {
      app.post(path, (request, reply) => this.#post(request, reply));
      app.route({
        method: ["GET", "PUT", "DELETE", "HEAD"],
        url: path,
        exposeHeadRoute: false,
        handler: (_request, reply) => reply.code(405).header("Allow", "POST").send(),
      });
    }
  }

  #post(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const call = callOf(request);
    if ("status" in call) return reply.code(call.status).type("text/plain").send(call.text);
    if (call.type === Call_Type.SUBSCRIBE) return this.#subscribe(call, request, reply);
    const { status, text } = this.#call(call, request);
    return text === undefined ? reply.code(status).send() : reply.code(status).type("text/plain").send(text);
  }

  #subscribe(call: Call, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { clock, log, frameworks } = this.#options;
    const refuse = (status: number, text: string) => reply.code(status).type("text/plain").send(text);
    const type = firstAccepted(request.headers.accept, [JSON_TYPE, PROTOBUF_TYPE]);
    if (type === undefined) return refuse(406, `Expecting 'Accept' to allow ${JSON_TYPE} or ${PROTOBUF_TYPE}`);
    if (request.headers["mesos-stream-id"] !== undefined)
      return refuse(400, "Subscribe calls should not include the 'Mesos-Stream-Id' header");
    const info = call.subscribe?.frameworkInfo;
    if (info === undefined) return refuse(400, "Expecting 'subscribe.framework_info' to be present");
    reply.hijack();
    const stream = new EventStream(EventSchema, reply.raw, type, log, (closed) => {
      heartbeat.cancel();
      frameworks.disconnected(closed);
    });
    const heartbeat = every(clock, HEARTBEAT_INTERVAL, () => stream.send({ type: Event_Type.HEARTBEAT }));
    frameworks.subscribe(info, call.subscribe?.suppressedRoles ?? [], stream);
    return reply;
  }

  #call(call: Call, request: FastifyRequest): Answer {
    const framework = this.#options.cluster.frameworks.get(idOf(call.frameworkId));
    if (framework === undefined) return answer(400, "Framework cannot be found");
    if (framework.sink === undefined) return answer(403, "Framework is not subscribed");
    const streamId = request.headers["mesos-stream-id"];
    if (streamId === undefined)
      return answer(400, "All non-subscribe calls should include the 'Mesos-Stream-Id' header");
    if (streamId !== framework.sink.id)
      return answer(
        400,
        "The stream ID included in this request didn't match the stream ID currently associated with framework",
      );
    if (!this.#options.frameworks.handle(framework, call))
      return answer(501, `${enumName(Call_TypeSchema, call.type)} is not supported`);
    return answer(call.type === Call_Type.UPDATE_FRAMEWORK ? 200 : 202);
  }
}
