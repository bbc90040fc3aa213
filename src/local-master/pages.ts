import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type Json, jsonText } from "../mesos/json-text.ts";
import type { Cluster } from "./cluster.ts";
import type { Frameworks } from "./frameworks.ts";
import { overviewPage } from "./overview.ts";
import {
  agentsJson,
  frameworksJson,
  type MasterFacts,
  masterAddress,
  metricsJson,
  rolesJson,
  stateJson,
  tasksJson,
  versionJson,
} from "./state-json.ts";
import { summaryJson } from "./summary-json.ts";

/** Tasks that one page of /tasks holds when nobody says otherwise, as in Mesos. */
const TASK_PAGE = 100;

type Query = Record<string, string | undefined>;

const number = (text: string | undefined, otherwise: number): number =>
  text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : otherwise;

/** JSON, or JSONP when the query names a callback that is a plain name. */
function sendJson(request: FastifyRequest, reply: FastifyReply, json: Json): FastifyReply {
  const callback = (request.query as Query)["jsonp"];
  const text = jsonText(json);
  if (callback === undefined) return reply.type("application/json").send(text);
  if (!/^[\w$.]{1,128}$/.test(callback)) return reply.code(400).type("text/plain").send("'jsonp' is not a name");
  return reply.type("text/javascript").send(`${callback}(${text});`);
}

/** What an operator or a tool reads, each path with and without `/master`. */
export function servePages(app: FastifyInstance, cluster: Cluster, frameworks: Frameworks, facts: MasterFacts): void {
  const json = (paths: readonly string[], make: (query: Query) => Json): void => {
    for (const path of paths) app.get(path, (request, reply) => sendJson(request, reply, make(request.query as Query)));
  };
  const named = (...names: string[]): string[] =>
    names.flatMap((name) => [`/${name}`, `/${name}.json`, `/master/${name}`, `/master/${name}.json`]);
  json(named("state"), () => stateJson(cluster, facts));
  json(named("state-summary"), () => summaryJson(cluster));
  json(named("slaves"), (query) => agentsJson(cluster, query["slave_id"]));
  json(named("frameworks"), (query) => frameworksJson(cluster, query["framework_id"]));
  json(named("tasks"), (query) =>
    tasksJson(cluster, {
      limit: number(query["limit"], TASK_PAGE),
      offset: number(query["offset"], 0),
      order: query["order"],
      frameworkId: query["framework_id"],
      taskId: query["task_id"],
    }),
  );
  json(named("roles"), () => rolesJson(cluster));
  json(named("flags"), () => ({ flags: facts.flags }));
  json(["/version"], () => versionJson(cluster));
  json(["/metrics/snapshot"], () => metricsJson(cluster, facts));
  for (const path of ["/health", "/master/health"]) app.get(path, (_request, reply) => reply.code(200).send());
  for (const path of ["/redirect", "/master/redirect"])
    app.get(path, (_request, reply) =>
      reply
        .code(307)
        .header("Location", `//${masterAddress(cluster)}`)
        .send(),
    );
  for (const path of ["/teardown", "/master/teardown"])
    app.post(path, (request, reply) => {
      const body = Buffer.isBuffer(request.body) ? request.body.toString("utf8") : "";
      const framework = cluster.frameworks.get(new URLSearchParams(body).get("frameworkId") ?? "");
      if (framework === undefined)
        return reply.code(400).type("text/plain").send("No framework has that 'frameworkId'");
      frameworks.teardown(framework, "an operator tore it down");
      return reply.code(200).send();
    });
  app.get("/", (_request, reply) => reply.redirect("/overview", 302));
  app.get("/overview", (_request, reply) =>
    reply
      .header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
      .type("text/html; charset=utf-8")
      .send(overviewPage(cluster, `http://${masterAddress(cluster)}`)),
  );
}
