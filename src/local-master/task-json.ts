import { has } from "../mesos/codec.ts";
import {
  CgroupInfoSchema,
  ContainerIDSchema,
  type ContainerStatus,
  type Label,
  LabelSchema,
  type NetworkInfo,
  NetworkInfoSchema,
  type Task,
  TaskSchema,
  type TaskStatus,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../mesos/ids.ts";
import { toJson } from "../mesos/json.ts";
import { finite, type Json } from "../mesos/json-text.ts";
import { Resources } from "../mesos/resources.ts";
import { resourcesSummary } from "../mesos/resources-text.ts";
import { stateName } from "../mesos/states.ts";

type Object = { [key: string]: Json };

const labelsJson = (labels: readonly Label[]): Json =>
  labels.map((label) => toJson(LabelSchema, label, { names: "v0", defaults: false }));

/** As a message, but for its labels, which are a list. */
function networkJson(info: NetworkInfo): Object {
  const { labels } = info;
  const whole = toJson(NetworkInfoSchema, info, { names: "v0", defaults: false }) as Object;
  return { ...whole, ...(labels && { labels: labelsJson(labels.labels) }) };
}

/** What a 1.11 master shows of it: no process id. `mesos task exec` finds the container by this. */
function containerStatusJson({ containerId, networkInfos, cgroupInfo }: ContainerStatus): Object {
  return {
    ...(containerId && { container_id: toJson(ContainerIDSchema, containerId, { names: "v0" }) }),
    ...(networkInfos.length > 0 && { network_infos: networkInfos.map(networkJson) }),
    ...(cgroupInfo && { cgroup_info: toJson(CgroupInfoSchema, cgroupInfo, { names: "v0", defaults: false }) }),
  };
}

const statusJson = (status: TaskStatus): Object => ({
  state: stateName(status.state),
  timestamp: finite(status.timestamp),
  ...(status.labels && { labels: labelsJson(status.labels.labels) }),
  ...(status.containerStatus && { container_status: containerStatusJson(status.containerStatus) }),
  ...(has(status, "healthy") && { healthy: status.healthy }),
});

/** Infinity is a limit's own word for none. */
const limitJson = (value: number): Json => (value === Number.POSITIVE_INFINITY ? "Infinity" : finite(value));

/** A task as /state and /tasks show it: flat ids, flat resources, statuses without ids. */
export function taskJson(task: Task): Object {
  const whole = toJson(TaskSchema, task, { names: "v0", defaults: false });
  const roles = task.resources.map((resource) => resource.allocationInfo?.role).filter((role) => role);
  const limits = Object.entries(task.limits).map(([name, { value }]) => [name, limitJson(value)] as const);
  return {
    id: idOf(task.taskId),
    name: task.name,
    framework_id: idOf(task.frameworkId),
    executor_id: idOf(task.executorId),
    slave_id: idOf(task.agentId),
    state: stateName(task.state),
    resources: resourcesSummary(Resources.of(task.resources)),
    ...(limits.length > 0 && { limits: Object.fromEntries(limits) }),
    ...(roles[0] !== undefined && { role: roles[0] }),
    statuses: task.statuses.map(statusJson),
    ...(task.user !== "" && { user: task.user }),
    ...(task.labels && { labels: labelsJson(task.labels.labels) }),
    ...(whole["discovery"] !== undefined && { discovery: whole["discovery"] }),
    ...(whole["container"] !== undefined && { container: whole["container"] }),
    ...(whole["health_check"] !== undefined && { health_check: whole["health_check"] }),
  };
}
