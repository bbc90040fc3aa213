import { parseDuration } from "../../base/duration.ts";
import { UserError } from "../../base/errors.ts";
import { ContainerStatusSchema, ResourceStatisticsSchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { toJson } from "../../mesos/json.ts";
import { jsonText } from "../../mesos/json-text.ts";
import { type Answer, json, text } from "./answer.ts";
import { type Endpoint, endpoints } from "./endpoints.ts";
import type { Query } from "./files/pages.ts";
import { tasksJson } from "./task-details.ts";
import type { JsonObject } from "./task-json.ts";
import type { AgentView, ContainerUsage } from "./view.ts";

export const flags = (view: AgentView): Answer => json(jsonText({ flags: Object.fromEntries(view.flags) }));

export function healthDetails(view: AgentView): Answer {
  const troubles = Object.fromEntries(view.troubles());
  const healthy = Object.keys(troubles).length === 0;
  const { phase, masterAddress } = view.snapshot();
  return json(jsonText({ healthy, phase, ...(masterAddress !== undefined && { master: masterAddress }), troubles }));
}

/** /tasks */
export function tasks(view: AgentView, query: Query): Answer {
  const taskId = query("task_id");
  const wanted =
    taskId === undefined
      ? undefined
      : { taskId, frameworkId: query("framework_id"), containerId: query("container_id") };
  return json(JSON.stringify(tasksJson(view.snapshot(), view.pulling(), wanted)));
}

function usageJson(usage: ContainerUsage): JsonObject {
  const { statistics } = usage;
  return {
    executor_id: usage.executorId,
    executor_name: usage.executorName,
    framework_id: usage.frameworkId,
    source: usage.source,
    ...(statistics && { statistics: toJson(ResourceStatisticsSchema, statistics, { names: "v0" }) }),
  };
}

/** /monitor/statistics: executors that could not be measured are left out. */
export async function statistics(view: AgentView): Promise<Answer> {
  const measured = (await view.usage()).filter((usage) => usage.statistics !== undefined);
  return json(jsonText(measured.map(usageJson)));
}

/** /containers */
export async function containers(view: AgentView, query: Query): Promise<Answer> {
  const only = query("container_id");
  const all = (await view.usage()).filter(({ containerId }) => only === undefined || containerId === only);
  const shown = all.map((usage) => ({
    container_id: usage.containerId,
    ...usageJson(usage),
    ...(usage.status && { status: toJson(ContainerStatusSchema, usage.status, { names: "v0" }) }),
  }));
  return json(jsonText(shown));
}

/** /metrics/snapshot */
export async function metricsSnapshot(view: AgentView, query: Query): Promise<Answer> {
  const given = query("timeout");
  let timeout: number | undefined;
  try {
    timeout = given === undefined ? undefined : parseDuration(given);
  } catch (error) {
    if (error instanceof UserError) return text(400, `Failed to parse timeout: ${error.message}.\n`);
    throw error;
  }
  const values = [...(await view.metrics(timeout))].filter(([, value]) => Number.isFinite(value));
  return json(jsonText(Object.fromEntries(values.sort(([left], [right]) => (left < right ? -1 : 1)))));
}

export async function prometheus(view: AgentView): Promise<Answer> {
  const type = "text/plain; version=0.0.4; charset=utf-8";
  return { kind: "body", type, body: Buffer.from(await view.prometheus()) };
}

export function systemStats(view: AgentView): Answer {
  const { load, cpus, memoryTotal, memoryFree } = view.system();
  return json(
    jsonText({
      avg_load_1min: load[0],
      avg_load_5min: load[1],
      avg_load_15min: load[2],
      cpus_total: cpus,
      mem_total_bytes: memoryTotal,
      mem_free_bytes: memoryFree,
    }),
  );
}

/** Nothing is ever queued here as it is in libprocess: messages are handled as they come. */
export const processes = (view: AgentView): Answer =>
  json(jsonText([...view.processes()].sort().map((id) => ({ id, events: [] }))));

const escapeHtml = (given: string): string =>
  given.replaceAll(/[&<>"]/g, (char) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[char] ?? char);

const helpText = ({ summary, query }: Endpoint): string =>
  query === undefined ? summary : `${summary} Query: ${query}.`;

function helpJson(): JsonObject {
  const groups = Map.groupBy(endpoints as readonly Endpoint[], ({ process }) => process);
  return {
    processes: [...groups].map(([id, rows]) => ({
      id,
      endpoints: rows.map((row) => ({ name: row.path.slice(id.length + 1) || "/", text: helpText(row) })),
    })),
  };
}

/** /help and everything below it: the table of endpoints, narrowed by `/help/<process>` or `/help/<process>/<route>`. */
export function help(rest: string, query: Query, userAgent: string | undefined): Answer {
  if (query("format") === "json") return json(jsonText(helpJson()));
  const wanted = decodeURIComponentSafely(rest);
  const rows = (endpoints as readonly Endpoint[]).filter(
    ({ path }) => path === wanted || path.startsWith(`${wanted}/`) || wanted === "",
  );
  if (rows.length === 0) return text(404, "There is no such endpoint; see /help.\n");
  if (/^(curl|HTTPie)/.test(userAgent ?? "")) {
    const lines = rows.map((row) => `- \`${row.path}\`: ${helpText(row)}`);
    return text(200, `# Endpoints\n\n${lines.join("\n")}\n`, { "content-type": "text/x-markdown" });
  }
  const items = rows.map((row) => {
    const shown = escapeHtml(row.path);
    return `<li><a href="${shown}">${shown}</a>: ${escapeHtml(helpText(row))}</li>`;
  });
  const page = `<!doctype html><meta charset="utf-8"><title>Endpoints</title><h1>Endpoints</h1><ul>${items.join("")}</ul>`;
  return text(200, page, { "content-type": "text/html; charset=utf-8" });
}

function decodeURIComponentSafely(given: string): string {
  try {
    return decodeURIComponent(given);
  } catch {
    return given;
  }
}
