import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { has } from "../../mesos/codec.ts";
import {
  type CommandInfo,
  CommandInfoSchema,
  ContainerInfoSchema,
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

function statusJson(status: TaskStatus): JsonObject {
  const shown: JsonObject = { state: stateName(status.state), timestamp: finite(status.timestamp) };
  if (status.labels !== undefined) shown["labels"] = labelsJson(status.labels.labels);
  if (status.containerStatus !== undefined)
    shown["container_status"] = messageJson(ContainerStatusSchema, status.containerStatus);
  if (has(status, "healthy")) shown["healthy"] = status.healthy;
  return shown;
}

/** Infinity is a limit's own word for none. */
const limitOf = (value: number): Json => (value === Number.POSITIVE_INFINITY ? "Infinity" : finite(value));

export function taskJson(task: Task): JsonObject {
  const shown: JsonObject = {
    id: idOf(task.taskId),
    name: task.name,
    framework_id: idOf(task.frameworkId),
    executor_id: idOf(task.executorId),
    slave_id: idOf(task.agentId),
    state: stateName(task.state),
    resources: resourcesJson(task.resources),
  };
  const limits = Object.entries(task.limits);
  if (limits.length > 0)
    shown["limits"] = Object.fromEntries(limits.map(([name, { value }]) => [name, limitOf(value)]));
  const role = allocatedRole(task.resources);
  if (role !== undefined) shown["role"] = role;
  shown["statuses"] = task.statuses.map(statusJson);
  if (has(task, "user")) shown["user"] = task.user;
  // 0.24 always has the array, 1.x only when there are labels; scrapers of either find it.
  shown["labels"] = labelsJson(task.labels?.labels ?? []);
  if (task.discovery !== undefined) shown["discovery"] = messageJson(DiscoveryInfoSchema, task.discovery);
  if (task.container !== undefined) shown["container"] = messageJson(ContainerInfoSchema, task.container);
  if (task.healthCheck !== undefined) shown["health_check"] = messageJson(HealthCheckSchema, task.healthCheck);
  return shown;
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
export function queuedTaskJson(info: TaskInfo): JsonObject {
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
  return shown;
}
