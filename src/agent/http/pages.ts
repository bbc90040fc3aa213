import { type Answer, json, text } from "../../http/answer.ts";
import type { Query } from "../../http/query.ts";
import type { HttpRequest } from "../../http/request.ts";
import { CROSS_ORIGIN } from "../../http/site.ts";
import { Call_Type } from "../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import type { ContainerID } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { jsonText } from "../../mesos/json-text.ts";
import { type ExecutorCalls, executorCall } from "../tasks/executor-api/handler.ts";
import type { EndpointPath } from "./endpoints.ts";
import { browse, debug, download, read } from "./files/pages.ts";
import { help } from "./help.ts";
import { toggle } from "./logging.ts";
import { nodeJson } from "./node-page.ts";
import { callAsks } from "./operator/asks.ts";
import { operatorCall, permissionOf } from "./operator/calls.ts";
import type { OperatorParts } from "./operator/handler.ts";
import { negotiate } from "./operator/negotiate.ts";
import type { Permission } from "./permission.ts";
import { attachInput } from "./sessions/calls.ts";
import {
  containers,
  flags,
  healthDetails,
  metricsSnapshot,
  processes,
  prometheus,
  statistics,
  systemStats,
  tasks,
} from "./small-pages.ts";
import { buildJson, stateBody } from "./state.ts";
import { type StaticFiles, staticPage } from "./static.ts";

/** What the pages are made of. */
export interface PageParts extends OperatorParts {
  readonly executors: ExecutorCalls;
  /** The node's own web page. */
  readonly ui: StaticFiles;
}

/** A request as a page sees it. */
interface Asked {
  readonly request: HttpRequest;
  readonly query: Query;
  /** What follows the endpoint's path. */
  readonly rest: string;
  /** The whole body. Rejects with a BodyError. */
  readonly body: () => Promise<Buffer>;
  /** Whether a request that changes something may do so by this method; a browser must not be led to it by a link. */
  readonly mayChange: boolean;
  readonly permission: Permission;
  /** What the request may do in another realm than the page's, or the answer to it. */
  readonly permissionIn: (realm: "readonly") => Promise<Permission | { readonly answer: Answer }>;
  /** Waits for a turn at the rate of an endpoint; false: too many wait. */
  readonly pass: (path: EndpointPath) => Promise<boolean>;
}

export type Page = (parts: PageParts, asked: Asked) => Answer | Promise<Answer>;

async function operator(
  parts: OperatorParts,
  { request, body, mayChange, permission, permissionIn, pass }: Asked,
): Promise<Answer> {
  const negotiated = negotiate({
    contentType: request.header("content-type"),
    accept: request.header("accept"),
    messageContentType: request.header("message-content-type"),
    messageAccept: request.header("message-accept"),
  });
  if ("status" in negotiated) return text(negotiated.status, negotiated.message);
  const { peer } = request;
  if (!negotiated.isStreamedRequest)
    return await operatorCall({ ...parts, mayChange, permission, permissionIn, pass, peer }, negotiated, await body());
  if (!mayChange) return text(403, CROSS_ORIGIN);
  const admitted = await permissionOf({ permission, permissionIn }, Call_Type.ATTACH_CONTAINER_INPUT);
  if ("answer" in admitted) return admitted.answer;
  const mayAsk = (id: ContainerID) =>
    admitted.refusal(callAsks.ATTACH_CONTAINER_INPUT, { container: { id, command: undefined } });
  return await attachInput(parts, request, negotiated, { subject: admitted.subject, peer, mayAsk });
}

/** What answers each endpoint; the compiler sees to it that none is forgotten. */
export const pages: Readonly<Record<EndpointPath, Page>> = {
  "/slave(1)": ({ ui }, { request }) => staticPage(ui, request),
  "/slave(1)/ui": ({ ui }, { request }) => staticPage(ui, request),
  "/slave(1)/state": async ({ view }) => json(await stateBody(view)),
  "/slave(1)/health": () => text(200, ""),
  "/slave(1)/health/details": ({ view }) => healthDetails(view),
  "/slave(1)/tasks": ({ view }, { query }) => tasks(view, query),
  "/slave(1)/node": async ({ view }) => json(JSON.stringify(await nodeJson(view))),
  "/slave(1)/flags": ({ view }) => flags(view),
  "/slave(1)/monitor/statistics": ({ view }) => statistics(view),
  "/slave(1)/containers": ({ view }, { query }) => containers(view, query),
  "/slave(1)/api/v1": operator,
  "/slave(1)/api/v1/executor": async ({ executors }, { request, permission, body }) =>
    executorCall(executors, request, permission.subject, await body()),
  "/files/browse": ({ files }, { query }) => browse(files, query),
  "/files/read": ({ files }, { query }) => read(files, query),
  "/files/download": ({ files }, { query }) => download(files, query),
  "/files/debug": ({ files }) => debug(files),
  "/metrics/snapshot": ({ view }, { query }) => metricsSnapshot(view, query),
  "/metrics/prometheus": ({ view }) => prometheus(view),
  "/system/stats.json": ({ view }) => systemStats(view),
  "/logging/toggle": ({ logging }, { query, mayChange }) => toggle(logging, query, mayChange),
  "/version": ({ view }) => json(jsonText(buildJson(view.build))),
  "/profiler": () => text(400, "Profiling is not enabled: start the agent with NODE_OPTIONS=--inspect instead.\n"),
  "/help": (_parts, { query, rest, request }) => help(rest, query, request.header("user-agent")),
  "/__processes__": ({ view }) => processes(view),
};
