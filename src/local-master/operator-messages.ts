import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { nanosecondsOf } from "../base/duration.ts";
import { formatUPID } from "../libprocess/upid.ts";
import {
  type Response_GetAgents,
  type Response_GetAgents_AgentSchema,
  Response_GetAgentsSchema,
  type Response_GetExecutors,
  Response_GetExecutorsSchema,
  type Response_GetFrameworks,
  type Response_GetFrameworks_FrameworkSchema,
  Response_GetFrameworksSchema,
  type Response_GetTasks,
  Response_GetTasksSchema,
} from "../mesos/gen/mesos/v1/master/master_pb.ts";
import type { Resource } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { Resources } from "../mesos/resources.ts";
import type { Cluster } from "./cluster.ts";
import { allocatedResources } from "./consumption.ts";
import { type Agent, type ExecutorEntry, type Framework, type Offer, rolesOf, type TaskEntry } from "./model.ts";

/** What the master knows, as the operator API's answers hold it. */

const time = (milliseconds: number) => ({ nanoseconds: nanosecondsOf(milliseconds) });
const shown = (resources: Resources): Resource[] => resources.toMessages("endpoint");

function offered(offers: Iterable<Offer>): Resource[] {
  let total = Resources.empty;
  for (const { resources, role } of offers) total = total.add(resources.allocatedTo(role));
  return shown(total);
}

const allocated = (cluster: Cluster, tasks: Iterable<TaskEntry>, executors: Iterable<ExecutorEntry>): Resource[] =>
  shown(allocatedResources(cluster, tasks, executors));

/** An agent, as GET_AGENTS and AGENT_ADDED show it. */
export function agentInit(cluster: Cluster, agent: Agent): MessageInitShape<typeof Response_GetAgents_AgentSchema> {
  const drainInfo = cluster.drainInfo(agent.id);
  const draining = cluster.draining.get(agent.id);
  return {
    agentInfo: agent.info,
    active: cluster.isActive(agent),
    deactivated: cluster.deactivated.has(agent.id),
    version: agent.version,
    pid: formatUPID(agent.pid),
    registeredTime: time(agent.registered),
    ...(agent.reregistered !== undefined && { reregisteredTime: time(agent.reregistered) }),
    totalResources: shown(agent.total),
    allocatedResources: allocated(cluster, agent.tasks.values(), agent.executors.values()),
    offeredResources: offered(agent.offers),
    capabilities: [...agent.capabilities].map((type) => ({ type })),
    ...(drainInfo && draining && { drainInfo, estimatedDrainStartTime: time(draining.since) }),
  };
}

/** GET_AGENTS */
export const agentsMessage = (cluster: Cluster): Response_GetAgents =>
  create(Response_GetAgentsSchema, { agents: [...cluster.agents.values()].map((agent) => agentInit(cluster, agent)) });

const executorsOf = (cluster: Cluster, frameworkId: string): ExecutorEntry[] =>
  [...cluster.agents.values()].flatMap(({ executors }) =>
    [...executors.values()].filter((executor) => executor.frameworkId === frameworkId),
  );

/** A framework, as GET_FRAMEWORKS and the events show it. */
export function frameworkInit(
  cluster: Cluster,
  framework: Framework,
): MessageInitShape<typeof Response_GetFrameworks_FrameworkSchema> {
  const { info, sink, failover, registered, reregistered, unregistered, tasks, offers } = framework;
  return {
    frameworkInfo: info,
    active: framework.active,
    connected: sink !== undefined,
    recovered: sink === undefined && failover === undefined && unregistered === undefined,
    registeredTime: time(registered),
    ...(reregistered !== undefined && { reregisteredTime: time(reregistered) }),
    ...(unregistered !== undefined && { unregisteredTime: time(unregistered) }),
    offers: [...offers].map(({ message }) => message),
    allocatedResources: allocated(cluster, tasks.values(), executorsOf(cluster, framework.id)),
    offeredResources: offered(offers),
  };
}

/** GET_FRAMEWORKS */
export const frameworksMessage = (cluster: Cluster): Response_GetFrameworks =>
  create(Response_GetFrameworksSchema, {
    frameworks: [...cluster.frameworks.values()].map((framework) => frameworkInit(cluster, framework)),
    completedFrameworks: cluster.completedFrameworks.map((framework) => frameworkInit(cluster, framework)),
  });

/** GET_EXECUTORS */
export const executorsMessage = (cluster: Cluster): Response_GetExecutors =>
  create(Response_GetExecutorsSchema, {
    executors: [...cluster.agents.values()].flatMap(({ id, executors }) =>
      [...executors.values()].map(({ info }) => ({ executorInfo: info, agentId: { value: id } })),
    ),
  });

/** GET_TASKS */
export function tasksMessage(cluster: Cluster): Response_GetTasks {
  const frameworks = [...cluster.frameworks.values()];
  return create(Response_GetTasksSchema, {
    tasks: frameworks.flatMap(({ tasks }) => [...tasks.values()].map(({ task }) => task)),
    unreachableTasks: frameworks.flatMap(({ unreachable }) => [...unreachable.values()].map(({ task }) => task)),
    completedTasks: [...frameworks, ...cluster.completedFrameworks].flatMap(({ completed }) => completed),
  });
}

/** GET_STATE, which SUBSCRIBED begins with. */
export const stateMessage = (cluster: Cluster) => ({
  getTasks: tasksMessage(cluster),
  getExecutors: executorsMessage(cluster),
  getFrameworks: frameworksMessage(cluster),
  getAgents: agentsMessage(cluster),
});

/** GET_ROLES: those that a framework, a weight or a quota names, with what its tasks use. */
export function rolesInit(cluster: Cluster) {
  const frameworks = [...cluster.frameworks.values()];
  return cluster.roles.map((name) => {
    const own = frameworks.filter(({ info }) => rolesOf(info).includes(name));
    let used = Resources.empty;
    for (const { tasks } of own)
      for (const { task, resources, released } of tasks.values())
        if (!released && task.resources[0]?.allocationInfo?.role === name) used = used.add(resources);
    return {
      name,
      weight: cluster.weights.get(name) ?? 1,
      frameworks: own.map(({ id }) => ({ value: id })),
      resources: shown(used),
    };
  });
}
