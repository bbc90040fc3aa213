import { create } from "@bufbuild/protobuf";
import type { Clock } from "../../../base/clock.ts";
import { messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import { firstAccepted } from "../../../http/accept.ts";
import { mediaTypeOf } from "../../../http/request.ts";
import { decodeForeign, has } from "../../../mesos/codec.ts";
import { MOST_OBJECTS } from "../../../mesos/cost.ts";
import { ExecutorToFrameworkMessageSchema } from "../../../mesos/gen/mesos/internal/messages_pb.ts";
import {
  type Call,
  type Call_Subscribe,
  Call_Type,
  CallSchema,
  Event_Type,
} from "../../../mesos/gen/mesos/v1/executor/executor_pb.ts";
import { TaskState, TaskStatus_Source } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf, isUuid } from "../../../mesos/ids.ts";
import { decodeForeignJson } from "../../../mesos/json.ts";
import type { Refusals } from "../../authorization/refusals.ts";
import type { Subject } from "../../authorization/subject.ts";
import type { CheckpointStore } from "../../checkpoint/store.ts";
import type { Identity } from "../../model/identity.ts";
import { type ExecutorRecord, type FrameworkRecord, runKey } from "../../model/records.ts";
import type { ExecutorEvents } from "../executor-control.ts";
import type { ExecutorProcesses } from "../executor-processes.ts";
import type { FrameworkMessages } from "../framework-messages.ts";
import { neverDelivered } from "../never-delivered.ts";
import type { FrameworkRegistry } from "../registry.ts";
import type { StatusIntake } from "../statuses.ts";
import { type EventSink, HttpChannel } from "./http-channel.ts";

const JSON_TYPE = "application/json";
const PROTOBUF_TYPE = "application/x-protobuf";

export interface ExecutorEndpointOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly identity: Identity;
  readonly executors: ExecutorProcesses;
  readonly events: ExecutorEvents;
  readonly registry: FrameworkRegistry;
  readonly store: CheckpointStore;
  readonly statuses: StatusIntake;
  readonly messages: FrameworkMessages;
  readonly refusals: Refusals;
}

export interface ExecutorRequest {
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  readonly body: Uint8Array;
  /** The address that the request comes from, where that is known. */
  readonly peer?: string | undefined;
  /** Who sends it. An executor that showed its token, or nobody, where none is asked for. */
  readonly subject: Subject;
}

/** What the HTTP server does with a call: an answer, or an endless one that events are written to. */
export type ExecutorAnswer =
  | {
      readonly status: number;
      readonly body: string;
      /** The call is that of an executor which is here: its connection is to be kept when others are given up. */
      readonly isExecutors?: true;
    }
  | {
      readonly status: 200;
      readonly contentType: string;
      /** Called with the open answer; returns what to call when the connection breaks. */
      readonly stream: (sink: Omit<EventSink, "json">) => () => void;
    };

const accepted: ExecutorAnswer = { status: 202, body: "", isExecutors: true };
const refuse = (status: number, body: string): ExecutorAnswer => ({ status, body });
const invalid = (what: string): ExecutorAnswer => refuse(400, `Failed to validate Executor::Call: ${what}`);

/** `POST /api/v1/executor`: executors of the v1 API. Statuses and their order as mesos-wire §5.2. */
export class ExecutorEndpoint {
  readonly #options: ExecutorEndpointOptions;

  constructor(options: ExecutorEndpointOptions) {
    this.#options = options;
  }

  handle(request: ExecutorRequest): ExecutorAnswer {
    const type = mediaTypeOf(request.contentType);
    if (type === undefined) return refuse(400, "Expecting 'Content-Type' to be present");
    if (type !== JSON_TYPE && type !== PROTOBUF_TYPE) {
      return refuse(415, `Expecting 'Content-Type' of ${JSON_TYPE} or ${PROTOBUF_TYPE}`);
    }
    let call: Call;
    try {
      call =
        type === JSON_TYPE
          ? decodeForeignJson(CallSchema, request.body, MOST_OBJECTS)
          : decodeForeign(CallSchema, request.body, MOST_OBJECTS);
    } catch (error) {
      return refuse(400, `Failed to parse body: ${messageOf(error)}`);
    }
    const problem = callProblem(call);
    if (problem !== undefined) return invalid(problem);
    if (!this.#isOwn(call, request.subject)) {
      this.#options.refusals.forbidden(request.subject, "executor API", idOf(call.executorId));
      return refuse(403, "The token is not that of this executor");
    }
    // Whoever sends it, the ids mean nothing.
    if (call.type === Call_Type.HEARTBEAT) return { status: 202, body: "" };
    return this.#dispatch(call, request);
  }

  #dispatch(call: Call, request: ExecutorRequest): ExecutorAnswer {
    const encoding = firstAccepted(request.accept, [JSON_TYPE, PROTOBUF_TYPE]);
    if (call.type === Call_Type.SUBSCRIBE && encoding === undefined) {
      return refuse(406, `Expecting 'Accept' to allow ${JSON_TYPE} or ${PROTOBUF_TYPE}`);
    }
    const framework = this.#options.registry.active.get(idOf(call.frameworkId));
    if (this.#options.identity.phase === "RECOVERING" && !this.#mayReturn(framework, call)) {
      return refuse(503, "Agent has not finished recovery");
    }
    if (framework === undefined) return refuse(400, "Framework cannot be found");
    const executor = framework.executors.get(idOf(call.executorId));
    if (executor === undefined || executor.kind === "command") return refuse(400, "Executor cannot be found");
    if (request.subject?.kind === "executor" && request.subject.claims.containerId !== executor.containerId) {
      this.#options.refusals.forbidden(request.subject, "executor API", executor.executorId);
      return refuse(403, "The token is that of an earlier run");
    }
    const stranger = this.#isStranger(executor, request.peer);
    if (stranger !== undefined) {
      this.#options.log.warn(`Refusing a call for executor '${executor.executorId}' from ${request.peer}: ${stranger}`);
      return refuse(403, "Executor is connected from elsewhere");
    }
    if (call.type === Call_Type.SUBSCRIBE) {
      return this.#subscribe(framework, executor, call.subscribe, encoding === JSON_TYPE, request.peer);
    }
    if (executor.state === "REGISTERING") return refuse(403, "Executor is not subscribed");
    if (call.type === Call_Type.UPDATE && call.update?.status !== undefined) {
      this.#options.events.status(framework, executor, call.update.status);
      return accepted;
    }
    if (call.type === Call_Type.MESSAGE && call.message !== undefined) {
      this.#options.messages.toFramework(
        framework,
        create(ExecutorToFrameworkMessageSchema, {
          agentId: { value: this.#options.identity.id },
          frameworkId: { value: framework.frameworkId },
          executorId: { value: executor.executorId },
          data: call.message.data,
        }),
      );
      return accepted;
    }
    return refuse(501, "This call is not supported");
  }

  /**
   * Whether an executor that showed its token speaks for itself. Libraries send heartbeats with ids that mean nothing: those
   * count only where they name an executor that is here.
   */
  #isOwn({ type, frameworkId, executorId }: Call, subject: Subject): boolean {
    if (subject === undefined) return true;
    if (subject.kind !== "executor") return false;
    const [framework, executor] = [idOf(frameworkId), idOf(executorId)];
    const { claims } = subject;
    if (framework === claims.frameworkId && executor === claims.executorId) return true;
    return type === Call_Type.HEARTBEAT && !this.#options.registry.active.get(framework)?.executors.has(executor);
  }

  /**
   * While the agent recovers, only executors whose containers were found may subscribe. All others are told to come again:
   * executors take any other refusal as final.
   */
  #mayReturn(framework: FrameworkRecord | undefined, call: Call): boolean {
    const executor = framework?.executors.get(idOf(call.executorId));
    return call.type === Call_Type.SUBSCRIBE && executor !== undefined && this.#options.executors.tracks(executor);
  }

  /**
   * Why a call is not the executor's, undefined when it may be. An executor stays where it is: while it is connected, nobody
   * at another address speaks for it; and one that has a driver never speaks HTTP.
   */
  #isStranger(executor: ExecutorRecord, peer: string | undefined): string | undefined {
    if (executor.kind === "driver") return `its driver registered from ${executor.pid}`;
    const at = this.#options.executors.peerOf(executor);
    return at === undefined || at === peer ? undefined : `it is connected from ${at}`;
  }

  #subscribe(
    framework: FrameworkRecord,
    executor: ExecutorRecord,
    subscribe: Call_Subscribe | undefined,
    json: boolean,
    peer: string | undefined,
  ): ExecutorAnswer {
    const { clock, executors, events, log } = this.#options;
    return {
      status: 200,
      contentType: json ? JSON_TYPE : PROTOBUF_TYPE,
      stream: (sink) => {
        const into = { json, write: (record: Buffer) => sink.write(record), end: () => sink.end() };
        const channel = new HttpChannel(into, clock, peer);
        const ending = executor.state === "TERMINATING" || executor.state === "TERMINATED";
        executor.kind = "http";
        if (ending || framework.state === "TERMINATING" || !executors.connect(executor, channel)) {
          channel.shutdown();
          channel.close();
          return () => undefined;
        }
        log.info(`Executor '${executor.executorId}' of framework ${framework.frameworkId} subscribed`);
        this.#welcome(framework, executor, subscribe, channel);
        events.registered(framework, executor);
        return () => executors.disconnect(executor, channel);
      },
    };
  }

  #welcome(
    framework: FrameworkRecord,
    executor: ExecutorRecord,
    subscribe: Call_Subscribe | undefined,
    channel: HttpChannel,
  ): void {
    const { identity, store, log, events, statuses } = this.#options;
    try {
      if (framework.info.checkpoint) store.httpMarker(runKey(identity.id, executor));
    } catch (error) {
      log.error(`Cannot checkpoint that executor '${executor.executorId}' subscribed: ${messageOf(error)}`);
    }
    for (const update of subscribe?.unacknowledgedUpdates ?? []) {
      if (update.status !== undefined) events.status(framework, executor, update.status);
    }
    channel.send({
      type: Event_Type.SUBSCRIBED,
      subscribed: {
        executorInfo: executor.info,
        frameworkInfo: framework.info,
        agentInfo: identity.info,
        containerId: { value: executor.containerId },
      },
    });
    if (executor.state !== "RUNNING" || !executor.everDelivered) return;
    // It comes back: tasks that it does not list, and of which nothing was heard, never reached it.
    const listed = new Set((subscribe?.unacknowledgedTasks ?? []).map(({ taskId }) => taskId?.value));
    statuses.neverDelivered(framework, executor, neverDelivered(executor, listed));
  }
}

/** What is wrong with a call, undefined when nothing. */
function callProblem(call: Call): string | undefined {
  if (!has(call, "type")) return "Expecting 'type' to be present";
  switch (call.type) {
    case Call_Type.SUBSCRIBE:
      return call.subscribe === undefined ? "Expecting 'subscribe' to be present" : undefined;
    case Call_Type.MESSAGE:
      return call.message === undefined ? "Expecting 'message' to be present" : undefined;
    case Call_Type.UPDATE: {
      const status = call.update?.status;
      if (status === undefined) return "Expecting 'update' to be present";
      if (!isUuid(status.uuid)) return "Expecting 'uuid' to be 16 bytes";
      if (status.executorId !== undefined && status.executorId.value !== call.executorId?.value) {
        return "ExecutorID in Call does not match the one in the status";
      }
      if (status.source !== TaskStatus_Source.EXECUTOR) return "Received Call with a source other than SOURCE_EXECUTOR";
      if (status.state === TaskState.TASK_STAGING) return "Received TASK_STAGING, which executors may not send";
      return undefined;
    }
    default:
      return undefined;
  }
}
