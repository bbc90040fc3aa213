import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { has } from "../../mesos/codec.ts";
import {
  type CommandInfo,
  CommandInfoSchema,
  ContainerInfoSchema,
  type ContainerStatus,
  ContainerStatusSchema,
  DiscoveryInfoSchema,
  HealthCheckSchema,
  type Label,
  LabelSchema,
  type Resource,
  type Task,
  type TaskInfo,
  type TaskStatus,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../../mesos/ids.ts";
import { toJson } from "../../mesos/json.ts";
import { finite, type Json } from "../../mesos/json-text.ts";
import { withoutSecrets } from "../../mesos/secrets.ts";
import { stateName } from "../../mesos/states.ts";
import { summaryOf } from "./sums.ts";

/** Tasks as /state shows them (mesos-agent-behaviour §9.3). Keys stand in the order of Mesos 1.11. */
export type JsonObject = { [key: string]: Json };

interface RawJSON {
  rawJSON(text: string): Json;
}

/**
 * The tree, in place, with 64-bit integers as JSON.stringify prints them without help. A replacer, called for each of the many
 * thousand values of a large state, would cost more than everything else; so would a second tree.
 */
function printable(value: Json): Json {
  if (typeof value === "bigint") return (JSON as unknown as RawJSON).rawJSON(String(value));
  if (typeof value !== "object" || value === null) return value;
  const members = value as { [key: string]: Json };
  for (const key of Object.keys(members)) {
    const member = members[key];
    if (typeof member === "bigint" || (typeof member === "object" && member !== null)) members[key] = printable(member);
  }
  return value;
}

/** A message as /state shows it: names of v0, without the values of secrets, ready for JSON.stringify. */
export function messageJson<D extends DescMessage>(schema: D, message: MessageShape<D>): JsonObject {
  return printable(toJson(schema, withoutSecrets(schema, message), { names: "v0" })) as JsonObject;
}

export const labelsJson = (labels: readonly Label[]): Json => labels.map((label) => messageJson(LabelSchema, label));

/** The flat object of resources. */
export const resourcesJson = (resources: readonly Resource[]): JsonObject => summaryOf(resources);

/** The role that resources are allocated to; Mesos allows one for all of a task's. */
export const allocatedRole = (resources: readonly Resource[]): string | undefined =>
  resources.find((resource) => resource.allocationInfo !== undefined)?.allocationInfo?.role;

/**
 * The text of a container's status, which is told with every update and never changes once it is: half of what a task is here, and
 * made by the reflection that is slowest of all. It goes with its message.
 */
const containerTexts = new WeakMap<ContainerStatus, string>();

function containerText(status: ContainerStatus): string {
  let shown = containerTexts.get(status);
  if (shown === undefined) {
    shown = JSON.stringify(messageJson(ContainerStatusSchema, status));
    containerTexts.set(status, shown);
  }
  return shown;
}

function statusText(status: TaskStatus): string {
  let shown = `{"state":"${stateName(status.state)}","timestamp":${finite(status.timestamp)}`;
  if (status.labels !== undefined) shown += `,"labels":${JSON.stringify(labelsJson(status.labels.labels))}`;
  if (status.containerStatus !== undefined) shown += `,"container_status":${containerText(status.containerStatus)}`;
  return `${shown}${has(status, "healthy") ? `,"healthy":${status.healthy}` : ""}}`;
}

/** Infinity is a limit's own word for none. */
const limitOf = (value: number): Json => (value === Number.POSITIVE_INFINITY ? "Infinity" : finite(value));

/** A task as JSON text. `resources`: what its resources add up to, where somebody knows. */
export function taskText(task: Task, resources: JsonObject = resourcesJson(task.resources)): string {
  const first: JsonObject = {
    id: idOf(task.taskId),
    name: task.name,
    framework_id: idOf(task.frameworkId),
    executor_id: idOf(task.executorId),
    slave_id: idOf(task.agentId),
    state: stateName(task.state),
    resources,
  };
  const limits = Object.entries(task.limits);
  if (limits.length > 0)
    first["limits"] = Object.fromEntries(limits.map(([name, { value }]) => [name, limitOf(value)]));
  const role = allocatedRole(task.resources);
  if (role !== undefined) first["role"] = role;
  // 0.24 always has the labels, 1.x only when there are some; scrapers of either find them.
  const rest: JsonObject = { labels: labelsJson(task.labels?.labels ?? []) };
  if (task.discovery !== undefined) rest["discovery"] = messageJson(DiscoveryInfoSchema, task.discovery);
  if (task.container !== undefined) rest["container"] = messageJson(ContainerInfoSchema, task.container);
  if (task.healthCheck !== undefined) rest["health_check"] = messageJson(HealthCheckSchema, task.healthCheck);
  const user = has(task, "user") ? `"user":${JSON.stringify(task.user)},` : "";
  const statuses = task.statuses.map(statusText).join(",");
  return `${JSON.stringify(first).slice(0, -1)},"statuses":[${statuses}],${user}${JSON.stringify(rest).slice(1)}`;
}

/** Environment values of type SECRET hold a reference, or the secret itself: its value is not shown. */
function commandJson(command: CommandInfo): Json {
  const shown = messageJson(CommandInfoSchema, command);
  const environment = shown["environment"] as { variables?: readonly JsonObject[] } | undefined;
  if (environment?.variables === undefined) return shown;
  const variables = environment.variables.map((variable) => {
    const { secret, ...rest } = variable;
    return secret === undefined ? variable : rest;
  });
  return { ...shown, environment: { variables } };
}

/** A task that its executor was not handed yet: the form of TaskInfo. */
export function queuedTaskText(info: TaskInfo): string {
  const shown: JsonObject = {
    id: idOf(info.taskId),
    name: info.name,
    slave_id: idOf(info.agentId),
    resources: resourcesJson(info.resources),
  };
  const role = allocatedRole(info.resources);
  if (role !== undefined) shown["role"] = role;
  if (info.command !== undefined) shown["command"] = commandJson(info.command);
  if (info.executor !== undefined) shown["executor_id"] = idOf(info.executor.executorId);
  if (info.discovery !== undefined) shown["discovery"] = messageJson(DiscoveryInfoSchema, info.discovery);
  return JSON.stringify(shown);
}
