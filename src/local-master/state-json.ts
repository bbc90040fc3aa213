import { addressOf, formatUPID } from "../libprocess/upid.ts";
import { attributesSummary } from "../mesos/attributes.ts";
import { enumName } from "../mesos/codec.ts";
import {
  AgentInfo_Capability_TypeSchema,
  DrainInfoSchema,
  FrameworkInfo_Capability_TypeSchema,
  MasterInfoSchema,
  OfferSchema,
  ResourceSchema,
  type Task,
  TaskState,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../mesos/ids.ts";
import { toJson } from "../mesos/json.ts";
import { finite, type Json } from "../mesos/json-text.ts";
import { Resources } from "../mesos/resources.ts";
import { resourcesSummary } from "../mesos/resources-text.ts";
import { frameworkCan, stateName } from "../mesos/states.ts";
import type { Cluster } from "./cluster.ts";
import { type Agent, type Framework, rolesOf } from "./model.ts";
import { taskJson } from "./task-json.ts";

/** The master's pages as JSON, with the keys of real masters, in the v0 vocabulary. */

type Object = { [key: string]: Json };

const seconds = (milliseconds: number): number => milliseconds / 1000;
const sum = (items: Iterable<{ readonly resources: Resources }>): Resources => {
  let total = Resources.empty;
  for (const { resources } of items) total = total.add(resources);
  return total;
};

export function agentJson(agent: Agent, cluster: Cluster): Object {
  const drainInfo = cluster.drainInfo(agent.id);
  const draining = cluster.draining.get(agent.id);
  const full = (resources: Resources): Json[] =>
    resources.toMessages("endpoint").map((resource) => toJson(ResourceSchema, resource, { names: "v0" }));
  const byRole = <T extends Json>(show: (resources: Resources) => T): { [role: string]: T } => {
    const roles = new Set(
      [...agent.total.reserved().entries()].map(({ kind }) => kind.reservations.at(-1)?.role ?? ""),
    );
    return Object.fromEntries([...roles].map((role) => [role, show(agent.total.reserved(role))]));
  };
  return {
    id: agent.id,
    hostname: agent.info.hostname,
    port: agent.pid.port,
    attributes: attributesSummary(agent.info.attributes),
    pid: formatUPID(agent.pid),
    registered_time: seconds(agent.registered),
    ...(agent.reregistered !== undefined && { reregistered_time: seconds(agent.reregistered) }),
    resources: resourcesSummary(agent.total),
    used_resources: resourcesSummary(agent.used),
    offered_resources: resourcesSummary(sum(agent.offers)),
    reserved_resources: byRole(resourcesSummary),
    unreserved_resources: resourcesSummary(agent.total.unreserved()),
    reserved_resources_full: byRole(full),
    unreserved_resources_full: full(agent.total.unreserved()),
    used_resources_full: full(agent.used),
    offered_resources_full: full(sum(agent.offers)),
    active: cluster.isActive(agent),
    deactivated: cluster.deactivated.has(agent.id),
    ...(drainInfo &&
      draining && {
        drain_info: toJson(DrainInfoSchema, drainInfo, { names: "v0" }),
        estimated_drain_start_time_seconds: seconds(draining.since),
      }),
    version: agent.version,
    capabilities: [...agent.capabilities].map((type) => enumName(AgentInfo_Capability_TypeSchema, type)),
  };
}

/** What /state-summary and /state have in common about a framework. */
export function frameworkSummary(framework: Framework): Object {
  const { info } = framework;
  return {
    id: framework.id,
    name: info.name,
    hostname: info.hostname,
    webui_url: info.webuiUrl,
    capabilities: info.capabilities.map(({ type }) => enumName(FrameworkInfo_Capability_TypeSchema, type)),
    active: framework.active,
    connected: framework.sink !== undefined,
    recovered: framework.sink === undefined && framework.failover === undefined && framework.unregistered === undefined,
    used_resources: resourcesSummary(usedBy(framework)),
    offered_resources: resourcesSummary(sum(framework.offers)),
  };
}

const usedBy = ({ tasks }: Framework): Resources => sum([...tasks.values()].filter(({ released }) => !released));

function frameworkJson(framework: Framework, cluster: Cluster): Object {
  const { info } = framework;
  const used = usedBy(framework);
  const offered = sum(framework.offers);
  const executors = [...cluster.agents.values()].flatMap((agent) =>
    [...agent.executors.values()]
      .filter(({ frameworkId }) => frameworkId === framework.id)
      .map(({ info: executor, resources }) => ({
        executor_id: idOf(executor.executorId),
        name: executor.name,
        framework_id: framework.id,
        slave_id: agent.id,
        resources: resourcesSummary(resources),
      })),
  );
  return {
    ...frameworkSummary(framework),
    user: info.user,
    failover_timeout: finite(info.failoverTimeout),
    checkpoint: info.checkpoint,
    ...(info.principal !== "" && { principal: info.principal }),
    ...(frameworkCan(info, "MULTI_ROLE") ? { roles: [...rolesOf(info)] } : { role: info.role }),
    registered_time: seconds(framework.registered),
    unregistered_time: seconds(framework.unregistered ?? 0),
    ...(framework.reregistered !== undefined && { reregistered_time: seconds(framework.reregistered) }),
    resources: resourcesSummary(used.add(offered)),
    tasks: [...framework.tasks.values()].map(({ task }) => taskJson(task)),
    unreachable_tasks: [...framework.unreachable.values()].map(({ task }) => taskJson(task)),
    completed_tasks: framework.completed.map(taskJson),
    offers: [...framework.offers].map(({ message }) => toJson(OfferSchema, message, { names: "v0" })),
    executors,
  };
}

/** Whether an id is asked for: all are, when none is named. */
const asked = (id: string, wanted: string | undefined): boolean => wanted === undefined || wanted === id;

/** `/frameworks`; one of them with `framework_id`. */
export function frameworksJson(cluster: Cluster, frameworkId?: string): Object {
  const shown = (frameworks: Iterable<Framework>): Json[] =>
    [...frameworks].filter(({ id }) => asked(id, frameworkId)).map((framework) => frameworkJson(framework, cluster));
  return {
    frameworks: shown(cluster.frameworks.values()),
    completed_frameworks: shown(cluster.completedFrameworks),
    unregistered_frameworks: [],
  };
}

/** `/slaves`; one of them with `slave_id`. */
export function agentsJson(cluster: Cluster, agentId?: string): Object {
  const agents = [...cluster.agents.values()].filter(({ id }) => asked(id, agentId));
  return { slaves: agents.map((agent) => agentJson(agent, cluster)), recovered_slaves: [] };
}

/** `/roles`: those that a framework, a weight or a quota names, with what their tasks use. */
export function rolesJson(cluster: Cluster): Object {
  const frameworks = [...cluster.frameworks.values()];
  return {
    roles: cluster.roles.map((name) => {
      const own = frameworks.filter(({ info }) => rolesOf(info).includes(name));
      const used = own.reduce((all, framework) => all.add(framework.used), Resources.empty);
      return {
        name,
        weight: cluster.weights.get(name) ?? 1,
        frameworks: own.map(({ id }) => id),
        resources: resourcesSummary(used),
      };
    }),
  };
}

export interface TaskQuery {
  readonly limit: number;
  readonly offset: number;
  /** Oldest first when `asc`. */
  readonly order?: string | undefined;
  readonly frameworkId?: string | undefined;
  readonly taskId?: string | undefined;
}

/** When a task's first status was made; tasks without one are the oldest, as in Mesos. Seconds since the epoch. */
const firstHeardOf = ({ statuses }: Task): number => statuses[0]?.timestamp ?? Number.NEGATIVE_INFINITY;

/** `/tasks`: newest first unless asked otherwise; filters, then `offset` and `limit`, as in Mesos. */
export function tasksJson(cluster: Cluster, query: TaskQuery): Object {
  const { limit, offset, order, frameworkId, taskId } = query;
  const frameworks = [...cluster.frameworks.values(), ...cluster.completedFrameworks].filter(({ id }) =>
    asked(id, frameworkId),
  );
  const tasks = frameworks.flatMap(({ tasks: live, unreachable, completed }) => [
    ...[...live.values(), ...unreachable.values()].map(({ task }) => task),
    ...completed,
  ]);
  const older = (a: Task, b: Task): number =>
    firstHeardOf(a) === firstHeardOf(b) ? 0 : firstHeardOf(a) < firstHeardOf(b) ? -1 : 1;
  const sorted = tasks
    .filter((task) => asked(idOf(task.taskId), taskId))
    .sort((a, b) => (order === "asc" ? older(a, b) : older(b, a)));
  return { tasks: sorted.slice(offset, offset + limit).map(taskJson) };
}

export function versionJson({ context }: Cluster): Object {
  return { version: context.masterInfo.version, build_date: "", build_time: 0, build_user: "" };
}

export interface MasterFacts {
  /** Milliseconds since the epoch. */
  readonly started: number;
  readonly flags: { readonly [name: string]: string };
}

/** `/state` */
export function stateJson(cluster: Cluster, { started, flags }: MasterFacts): Object {
  const { masterInfo, process } = cluster.context;
  const agents = [...cluster.agents.values()];
  return {
    ...versionJson(cluster),
    start_time: seconds(started),
    elected_time: seconds(started),
    id: masterInfo.id,
    pid: formatUPID(process.self),
    hostname: masterInfo.hostname,
    capabilities: [],
    activated_slaves: agents.filter((agent) => cluster.isActive(agent)).length,
    deactivated_slaves: agents.filter((agent) => !cluster.isActive(agent)).length,
    unreachable_slaves: cluster.unreachable.size,
    leader: formatUPID(process.self),
    leader_info: toJson(MasterInfoSchema, masterInfo, { names: "v0" }),
    flags,
    ...agentsJson(cluster),
    ...frameworksJson(cluster),
    orphan_tasks: [],
  };
}

/** `/metrics/snapshot`: the names of real masters, as far as they mean anything here. */
export function metricsJson(cluster: Cluster, { started }: MasterFacts): Object {
  const agents = [...cluster.agents.values()];
  const frameworks = [...cluster.frameworks.values()];
  const metrics: { [name: string]: number } = {
    "master/elected": 1,
    "master/uptime_secs": seconds(cluster.context.clock.now() - started),
    "master/slaves_connected": agents.filter(({ connected }) => connected).length,
    "master/slaves_disconnected": agents.filter(({ connected }) => !connected).length,
    "master/slaves_active": agents.filter((agent) => cluster.isActive(agent)).length,
    "master/slaves_inactive": agents.filter((agent) => !cluster.isActive(agent)).length,
    "master/slaves_unreachable": cluster.unreachable.size,
    "master/frameworks_connected": frameworks.filter(({ sink }) => sink !== undefined).length,
    "master/frameworks_disconnected": frameworks.filter(({ sink }) => sink === undefined).length,
    "master/frameworks_active": frameworks.filter(({ active }) => active).length,
    "master/frameworks_inactive": frameworks.filter(({ active }) => !active).length,
    "master/outstanding_offers": cluster.offers.size,
  };
  const total = cluster.total ?? Resources.empty;
  const used = agents.reduce((all, agent) => all.add(agent.used), Resources.empty);
  for (const name of ["cpus", "mem", "disk", "gpus"]) {
    const [all, taken] = [total.scalar(name) ?? 0, used.scalar(name) ?? 0];
    metrics[`master/${name}_total`] = all;
    metrics[`master/${name}_used`] = taken;
    metrics[`master/${name}_percent`] = all === 0 ? 0 : taken / all;
  }
  const live = [TaskState.TASK_STAGING, TaskState.TASK_STARTING, TaskState.TASK_RUNNING, TaskState.TASK_KILLING];
  for (const state of live) {
    const count = frameworks
      .flatMap(({ tasks }) => [...tasks.values()])
      .filter(({ task }) => task.state === state).length;
    metrics[`master/tasks_${stateName(state).slice("TASK_".length).toLowerCase()}`] = count;
  }
  for (const [name, count] of cluster.counters) metrics[name] ??= count;
  return Object.fromEntries(Object.entries(metrics).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `host:port` of the master, for links. */
export const masterAddress = (cluster: Cluster): string => addressOf(cluster.context.process.self);
