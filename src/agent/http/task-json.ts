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
import { toJson } from "../../mesos/json.ts";
import type { Json } from "../../mesos/json-text.ts";
import { Resources } from "../../mesos/resources.ts";
import { resourcesSummary } from "../../mesos/resources-text.ts";
import { stateName } from "../../mesos/states.ts";

/** Tasks as /state shows them (mesos-agent-behaviour §9.3). Keys stand in the order of Mesos 1.11. */
export type JsonObject = { [key: string]: Json };

const v0 = { names: "v0" } as const;

export const labelsJson = (labels: readonly Label[]): Json => labels.map((label) => toJson(LabelSchema, label, v0));

/** The flat object of resources. A kind that cannot be summed (broken on the wire) is left out, never a 500. */
export function resourcesJson(resources: readonly Resource[]): JsonObject {
  return { ...resourcesSummary(Resources.of(resources)) };
}

/** The role that resources are allocated to; Mesos allows one for all of a task's. */
export const allocatedRole = (resources: readonly Resource[]): string | undefined =>
  resources.find((resource) => resource.allocationInfo !== undefined)?.allocationInfo?.role;

function statusJson(status: TaskStatus): JsonObject {
  const shown: JsonObject = { state: stateName(status.state), timestamp: status.timestamp };
  if (status.labels !== undefined) shown["labels"] = labelsJson(status.labels.labels);
  if (status.containerStatus !== undefined)
    shown["container_status"] = toJson(ContainerStatusSchema, status.containerStatus, v0);
  if (has(status, "healthy")) shown["healthy"] = status.healthy;
  return shown;
}

const limitOf = (value: number): Json => (Number.isFinite(value) ? value : "Infinity");

export function taskJson(task: Task): JsonObject {
  const shown: JsonObject = {
    id: task.taskId?.value ?? "",
    name: task.name,
    framework_id: task.frameworkId?.value ?? "",
    executor_id: task.executorId?.value ?? "",
    slave_id: task.agentId?.value ?? "",
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
  if (task.discovery !== undefined) shown["discovery"] = toJson(DiscoveryInfoSchema, task.discovery, v0);
  if (task.container !== undefined) shown["container"] = toJson(ContainerInfoSchema, task.container, v0);
  if (task.healthCheck !== undefined) shown["health_check"] = toJson(HealthCheckSchema, task.healthCheck, v0);
  return shown;
}

/** Environment values of type SECRET hold a reference, or the secret itself: its value is not shown. */
function commandJson(command: CommandInfo): Json {
  const shown = toJson(CommandInfoSchema, command, v0);
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
    id: info.taskId?.value ?? "",
    name: info.name,
    slave_id: info.agentId?.value ?? "",
    resources: resourcesJson(info.resources),
  };
  const role = allocatedRole(info.resources);
  if (role !== undefined) shown["role"] = role;
  if (info.command !== undefined) shown["command"] = commandJson(info.command);
  if (info.executor !== undefined) shown["executor_id"] = info.executor.executorId?.value ?? "";
  if (info.discovery !== undefined) shown["discovery"] = toJson(DiscoveryInfoSchema, info.discovery, v0);
  return shown;
}
