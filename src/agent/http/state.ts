import { attributesSummary } from "../../mesos/attributes.ts";
import { enumName, has } from "../../mesos/codec.ts";
import {
  AgentInfoSchema,
  DrainConfigSchema,
  ExecutorInfo_TypeSchema,
  type Resource,
  ResourceSchema,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../../mesos/ids.ts";
import type { Json } from "../../mesos/json-text.ts";
import { reservationRole } from "../../mesos/reservations.ts";
import type { Resources } from "../../mesos/resources.ts";
import { resourcesSummary } from "../../mesos/resources-text.ts";
import { frameworkCan } from "../../mesos/states.ts";
import { allocated, type ExecutorRecord, type FrameworkRecord, type TaskRecord, tasksIn } from "../model/records.ts";
import { sumOf } from "./sums.ts";
import {
  allocatedRole,
  type JsonObject,
  labelsJson,
  messageJson,
  queuedTaskJson,
  resourcesJson,
  taskJson,
} from "./task-json.ts";
import type { AgentSnapshot, AgentView, BuildFacts } from "./view.ts";

const seconds = (milliseconds: number): number => milliseconds / 1000;

/** `2015-09-10 09:23:16`, in UTC. */
const dateText = (milliseconds: number): string => new Date(milliseconds).toISOString().slice(0, 19).replace("T", " ");

/** The keys of /version, which /state begins with. */
export function buildJson(build: BuildFacts): JsonObject {
  return {
    version: build.version,
    ...(build.release === undefined ? {} : { release: build.release }),
    ...(build.gitSha === undefined ? {} : { git_sha: build.gitSha }),
    ...(build.gitTag === undefined ? {} : { git_tag: build.gitTag }),
    build_date: dateText(build.buildTime),
    build_time: seconds(build.buildTime),
    build_user: build.buildUser,
  };
}

function executorJson(executor: ExecutorRecord): JsonObject {
  const { info } = executor;
  const shown: JsonObject = {
    id: executor.executorId,
    name: info.name,
    source: info.source,
    container: executor.containerId,
    directory: executor.directory,
    resources: resourcesJson(allocated(executor)),
  };
  const role = allocatedRole([...info.resources, ...roled(executor)]);
  if (role !== undefined) shown["role"] = role;
  if (info.labels !== undefined) shown["labels"] = labelsJson(info.labels.labels);
  if (has(info, "type")) shown["type"] = enumName(ExecutorInfo_TypeSchema, info.type);
  const ended = [...executor.completed, ...tasksIn(executor, "terminated")];
  shown["tasks"] = tasksIn(executor, "launched").map(({ task }) => taskJson(task));
  shown["queued_tasks"] = tasksIn(executor, "queued").map(queuedJson);
  shown["completed_tasks"] = ended.map(({ task }) => taskJson(task));
  return shown;
}

/** Resources of its tasks: those of a command task are all that its executor has. */
const roled = (executor: ExecutorRecord): Resource[] =>
  [...executor.tasks.values(), ...executor.completed].flatMap(({ task }) => task.resources);

const queuedJson = ({ info, task }: TaskRecord): JsonObject =>
  info === undefined ? taskJson(task) : queuedTaskJson(info);

function frameworkJson(framework: FrameworkRecord): JsonObject {
  const { info } = framework;
  return {
    id: framework.frameworkId,
    name: info.name,
    user: info.user,
    failover_timeout: info.failoverTimeout,
    checkpoint: info.checkpoint,
    hostname: info.hostname,
    ...(has(info, "principal") ? { principal: info.principal } : {}),
    ...(frameworkCan(info, "MULTI_ROLE") ? { roles: info.roles } : { role: info.role }),
    executors: [...framework.executors.values()].map(executorJson),
    completed_executors: framework.completedExecutors.map(executorJson),
  };
}

const summary = (resources: Resources): JsonObject => ({ ...resourcesSummary(resources) });

function byRole(resources: Resources, show: (part: Resources) => Json): JsonObject {
  const reserved = resources.reserved();
  const roles = new Set([...reserved.entries()].map(({ kind }) => reservationRole(kind)));
  return Object.fromEntries([...roles].sort().map((role) => [role, show(reserved.reserved(role))]));
}

const full = (resources: Resources): Json =>
  resources.toMessages("endpoint").map((resource) => messageJson(ResourceSchema, resource));

function resourcesPart({ total, frameworks }: AgentSnapshot): JsonObject {
  const used = [...frameworks].flatMap(({ executors }) => [...executors.values()].flatMap(allocated));
  const taken = sumOf(used);
  return {
    resources: summary(total),
    reserved_resources: byRole(total, summary),
    unreserved_resources: summary(total.unreserved()),
    reserved_resources_full: byRole(total, full),
    unreserved_resources_full: full(total.unreserved()),
    reserved_resources_allocated: byRole(taken, summary),
    unreserved_resources_allocated: summary(taken.unreserved()),
    resource_providers: [],
  };
}

/** The tree of /state: the keys of every release from 0.24 to 1.11, in the order of 1.11. */
export function stateJson(
  view: Pick<AgentView, "build" | "flags" | "logDir" | "externalLogFile" | "snapshot">,
): JsonObject {
  const snapshot = view.snapshot();
  const { info, drain } = snapshot;
  const shown: JsonObject = {
    ...buildJson(view.build),
    start_time: seconds(snapshot.startTime),
    id: idOf(info.id),
    pid: snapshot.pid,
    hostname: info.hostname,
    capabilities: snapshot.capabilities,
  };
  if (info.domain !== undefined) shown["domain"] = messageJson(AgentInfoSchema, info)["domain"] ?? null;
  if (drain !== undefined) {
    shown["drain_config"] = messageJson(DrainConfigSchema, drain.config);
    shown["estimated_drain_start_time_seconds"] = Math.trunc(seconds(drain.since));
  }
  Object.assign(shown, resourcesPart(snapshot));
  shown["attributes"] = attributesSummary(info.attributes);
  if (snapshot.masterHostname !== undefined) shown["master_hostname"] = snapshot.masterHostname;
  if (view.logDir !== undefined) shown["log_dir"] = view.logDir;
  if (view.externalLogFile !== undefined) shown["external_log_file"] = view.externalLogFile;
  shown["flags"] = Object.fromEntries(view.flags);
  shown["frameworks"] = [...snapshot.frameworks].map(frameworkJson);
  shown["completed_frameworks"] = [...snapshot.completedFrameworks].map(frameworkJson);
  return shown;
}

export const stateText = (view: AgentView): string => JSON.stringify(stateJson(view));
