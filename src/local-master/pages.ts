import { json, text } from "../http/answer.ts";
import type { HttpRequest } from "../http/request.ts";
import { type Json, jsonText } from "../mesos/json-text.ts";
import type { Cluster } from "./cluster.ts";
import type { Frameworks } from "./frameworks.ts";
import { LARGEST_CALL } from "./negotiation.ts";
import { overviewPage } from "./overview.ts";
import type { Routes } from "./routes.ts";
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

const number = (given: string | undefined, otherwise: number): number =>
  given !== undefined && /^\d{1,9}$/.test(given) ? Number(given) : otherwise;

/** What an operator or a tool reads, each path with and without `/master`. */
export function servePages(routes: Routes, cluster: Cluster, frameworks: Frameworks, facts: MasterFacts): void {
  const page = (paths: readonly string[], make: (request: HttpRequest) => Json): void =>
    routes.get(paths, (request) => json(jsonText(make(request))));
  const named = (...names: string[]): string[] =>
    names.flatMap((name) => [`/${name}`, `/${name}.json`, `/master/${name}`, `/master/${name}.json`]);
  page(named("state"), () => stateJson(cluster, facts));
  page(named("state-summary"), () => summaryJson(cluster));
  page(named("slaves"), (request) => agentsJson(cluster, request.query("slave_id")));
  page(named("frameworks"), (request) => frameworksJson(cluster, request.query("framework_id")));
  page(named("tasks"), (request) =>
    tasksJson(cluster, {
      limit: number(request.query("limit"), TASK_PAGE),
      offset: number(request.query("offset"), 0),
      order: request.query("order"),
      frameworkId: request.query("framework_id"),
      taskId: request.query("task_id"),
    }),
  );
  page(named("roles"), () => rolesJson(cluster));
  page(named("flags"), () => ({ flags: facts.flags }));
  page(["/version"], () => versionJson(cluster));
  page(["/metrics/snapshot"], () => metricsJson(cluster, facts));
  routes.get(["/health", "/master/health"], () => text(200, ""));
  routes.get(["/redirect", "/master/redirect"], () => text(307, "", { location: `//${masterAddress(cluster)}` }));
  routes.post(["/teardown", "/master/teardown"], async (request) => {
    const body = (await request.body(LARGEST_CALL)).toString("utf8");
    const framework = cluster.frameworks.get(new URLSearchParams(body).get("frameworkId") ?? "");
    if (framework === undefined) return text(400, "No framework has that 'frameworkId'");
    frameworks.teardown(framework, "an operator tore it down");
    return text(200, "");
  });
  routes.get(["/"], () => text(302, "", { location: "/overview" }));
  routes.get(["/overview"], () =>
    text(200, overviewPage(cluster, `http://${masterAddress(cluster)}`), {
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
      "content-type": "text/html; charset=utf-8",
    }),
  );
}
