import { parseDuration } from "../../base/duration.ts";
import { UserError } from "../../base/errors.ts";
import { type Answer, json, text } from "../../http/answer.ts";
import { arrayOf, bodyOf } from "../../http/paced-body.ts";
import type { Query } from "../../http/query.ts";
import { ContainerStatusSchema, ResourceStatisticsSchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { jsonText } from "../../mesos/json-text.ts";
import { prometheusText } from "../metrics/registry.ts";
import { sharedBody } from "./shared-body.ts";
import { tasksText } from "./task-details.ts";
import { type JsonObject, messageJson } from "./task-json.ts";
import type { AgentView, ContainerUsage } from "./view.ts";

export const flags = (view: AgentView): Answer => json(jsonText({ flags: Object.fromEntries(view.flags ?? []) }));

export function healthDetails(view: AgentView): Answer {
  const troubles = Object.fromEntries(view.troubles());
  const healthy = Object.keys(troubles).length === 0;
  const { phase, masterAddress } = view.snapshot();
  return json(jsonText({ healthy, phase, ...(masterAddress !== undefined && { master: masterAddress }), troubles }));
}

/** /tasks */
export async function tasks(view: AgentView, query: Query): Promise<Answer> {
  const taskId = query("task_id");
  if (taskId === undefined) return json(await allTasks(view));
  const wanted = { taskId, frameworkId: query("framework_id"), containerId: query("container_id") };
  return json(await bodyOf(tasksText(view.snapshot(), view.pulling(), wanted)));
}

/** The node's own page asks for it every few seconds. */
const allTasks = sharedBody((view) => bodyOf(tasksText(view.snapshot(), view.pulling(), undefined)));

const statisticsJson = ({ statistics }: Pick<ContainerUsage, "statistics">): JsonObject =>
  statistics === undefined ? {} : { statistics: messageJson(ResourceStatisticsSchema, statistics) };

function usageJson(usage: ContainerUsage): JsonObject {
  return {
    executor_id: usage.executorId,
    executor_name: usage.executorName,
    framework_id: usage.frameworkId,
    source: usage.source,
    ...statisticsJson(usage),
  };
}

/** /monitor/statistics: executors that could not be measured are left out. */
export async function statistics(view: AgentView): Promise<Answer> {
  const measured = (await view.usage()).filter((usage) => usage.statistics !== undefined);
  return json(await bodyOf(arrayOf(measured, (usage) => JSON.stringify(usageJson(usage)))));
}

/** /containers */
export async function containers(view: AgentView, query: Query): Promise<Answer> {
  const only = query("container_id");
  const wanted = (id: string): boolean => only === undefined || id === only;
  const [nested, standalone] = [query("show_nested") === "true", query("show_standalone") === "true"];
  const [usages, others] = await Promise.all([view.usage(), view.containers.usage({ nested, standalone })]);
  const statusJson = ({ status }: Pick<ContainerUsage, "status">) =>
    status && { status: messageJson(ContainerStatusSchema, status) };
  function* shown(): Generator<JsonObject> {
    for (const usage of usages)
      if (wanted(usage.containerId))
        yield { container_id: usage.containerId, ...usageJson(usage), ...statusJson(usage) };
    for (const usage of others) {
      const id = usage.chain.at(-1) ?? "";
      if (wanted(id)) yield { container_id: id, ...statisticsJson(usage), ...statusJson(usage) };
    }
  }
  return json(await bodyOf(arrayOf(shown(), (container) => JSON.stringify(container))));
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
  return { kind: "body", type, body: Buffer.from(prometheusText(await view.metrics(undefined))) };
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
