import { idOf } from "../mesos/ids.ts";
import { reservationRole } from "../mesos/reservations.ts";
import { Resources } from "../mesos/resources.ts";
import type { Cluster } from "./cluster.ts";
import { type ExecutorEntry, rolesOf, type TaskEntry } from "./model.ts";

/** Thousandths of scalar resources by name. */
export type Amounts = ReadonlyMap<string, number>;

/** Quotas are of whole trees of roles: `web/front` is `web`'s. */
export const topOf = (role: string): string => role.split("/", 1)[0] ?? role;

/** What tasks that have not ended and executors take, each part with the role that it is allocated to. */
export function allocatedResources(
  cluster: Cluster,
  tasks: Iterable<TaskEntry>,
  executors: Iterable<ExecutorEntry>,
): Resources {
  let total = Resources.empty;
  const roles = new Map<string, string>();
  for (const { task, frameworkId, released } of tasks) {
    const role = task.resources[0]?.allocationInfo?.role;
    if (role !== undefined) roles.set(`${frameworkId}\n${idOf(task.executorId)}`, role);
    if (!released) total = total.add(Resources.of(task.resources));
  }
  for (const { info, frameworkId, resources } of executors) {
    const framework = cluster.frameworks.get(frameworkId);
    const own = roles.get(`${frameworkId}\n${idOf(info.executorId)}`);
    const role = own ?? (framework === undefined ? "*" : (rolesOf(framework.info)[0] ?? "*"));
    total = total.add(resources.allocatedTo(role));
  }
  return total;
}

/**
 * What each tree of roles has of the cluster, as quotas count it: what is reserved for it, used or not, and what it was given
 * or is offered of the rest. What can be taken back at any time (revocable) does not count.
 */
export function consumedByRole(cluster: Cluster): Map<string, Map<string, number>> {
  const consumed = new Map<string, Map<string, number>>();
  const count = (role: string, resources: Resources): void => {
    const own = consumed.get(topOf(role)) ?? new Map<string, number>();
    addTo(own, resources);
    consumed.set(topOf(role), own);
  };
  for (const agent of cluster.agents.values()) {
    const reserved = new Set([...agent.total.reserved().entries()].map(({ kind }) => reservationRole(kind)));
    for (const role of reserved) count(role, agent.total.reserved(role));
    const taken = allocatedResources(cluster, agent.tasks.values(), agent.executors.values()).unreserved();
    const roles = new Set([...taken.entries()].map(({ kind }) => kind.allocationInfo?.role ?? "*"));
    for (const role of roles)
      count(
        role,
        taken.filter(({ allocationInfo }) => (allocationInfo?.role ?? "*") === role),
      );
    for (const { role, resources } of agent.offers) count(role, resources.unreserved());
  }
  return consumed;
}

/** Adds the scalars that cannot be taken back. */
export function addTo(amounts: Map<string, number>, resources: Resources): void {
  for (const { kind, quantity } of resources.nonRevocable().entries())
    if (quantity.kind === "scalar") amounts.set(kind.name, (amounts.get(kind.name) ?? 0) + quantity.thousandths);
}

/** Of each name in `most`, how much more it is than in `less`; 0 when it is not. */
export const lacking = (most: Amounts, less: Amounts | undefined): Amounts =>
  new Map([...most].map(([name, amount]) => [name, Math.max(0, amount - (less?.get(name) ?? 0))]));
