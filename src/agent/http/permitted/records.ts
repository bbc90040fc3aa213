import { shallowCopy } from "../../../mesos/codec.ts";
import type { Operation, Resource } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Approver } from "../../authorization/approver.ts";
import { executorUser, frameworkUser, rolesOf, taskUser } from "../../authorization/objects.ts";
import type { ExecutorRecord, FrameworkRecord, TaskRecord } from "../../model/records.ts";
import type { AgentSnapshot } from "../view.ts";

/**
 * The agent's records as somebody may see them: frameworks, of these executors, of these tasks, and nothing that adds up or
 * names the rest. Copies; what is shown is the records' own.
 */
export function permittedSnapshot(snapshot: AgentSnapshot, approver: Approver): AgentSnapshot {
  const mayShowRole = (role: string): boolean => approver.allows("view_roles", role);
  const mayShow = (resource: Resource): boolean => rolesOf(resource).every(mayShowRole);
  const info = shallowCopy(snapshot.info);
  info.resources = info.resources.filter(mayShow);
  return {
    ...snapshot,
    info,
    mayShowRole,
    frameworks: permittedFrameworks(snapshot.frameworks, approver),
    completedFrameworks: permittedFrameworks(snapshot.completedFrameworks, approver),
    operations: snapshot.operations.filter((operation) => resourcesOf(operation).every(mayShow)),
  };
}

const permittedFrameworks = (frameworks: readonly FrameworkRecord[], approver: Approver): readonly FrameworkRecord[] =>
  frameworks
    .filter(({ info }) => approver.allows("view_frameworks", frameworkUser(info)))
    .map((framework) => permittedFramework(framework, approver));

function permittedFramework(framework: FrameworkRecord, approver: Approver): FrameworkRecord {
  const mayShow = ({ info }: ExecutorRecord): boolean =>
    approver.allows("view_executors", executorUser(info, framework.info));
  const mayShowTask = ({ task }: TaskRecord): boolean => approver.allows("view_tasks", taskUser(task, framework.info));
  const permitted = (executor: ExecutorRecord): ExecutorRecord => ({
    ...executor,
    tasks: filtered(executor.tasks, mayShowTask),
    completed: executor.completed.filter(mayShowTask),
  });
  return {
    ...framework,
    executors: mapped(filtered(framework.executors, mayShow), permitted),
    pending: filtered(framework.pending, mayShowTask),
    completedExecutors: framework.completedExecutors.filter(mayShow).map(permitted),
  };
}

const filtered = <T>(all: ReadonlyMap<string, T>, mayShow: (one: T) => boolean): Map<string, T> =>
  new Map([...all].filter(([, one]) => mayShow(one)));

const mapped = <T>(all: ReadonlyMap<string, T>, change: (one: T) => T): Map<string, T> =>
  new Map([...all].map(([key, one]) => [key, change(one)]));

/** Every resource that an operation names, wherever in it. */
function resourcesOf(value: unknown): Resource[] {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return [];
  if ((value as { $typeName?: string }).$typeName === "mesos.v1.Resource") return [value as Resource];
  return Object.values(value as Operation).flatMap(resourcesOf);
}
