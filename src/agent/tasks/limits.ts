import { create } from "@bufbuild/protobuf";
import {
  type Resource,
  type TaskInfo,
  type Value_Scalar,
  Value_ScalarSchema,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";

/** Scalar per resource name (`cpus`, `mem`); Infinity lifts the limit. */
export type Limits = Readonly<Record<string, Value_Scalar>>;

/** Why a task's limits cannot be held by its containerizer, undefined when they can (Mesos' words). Pure. */
export function limitsProblem(
  { limits }: Pick<TaskInfo, "limits">,
  enforces: { readonly cpus: boolean; readonly mem: boolean },
): string | undefined {
  const without = (what: string, isolator: string): string =>
    `${what} limits can only be set on tasks launched in Mesos containers when the agent has loaded the '${isolator}' isolator`;
  if (limits["cpus"] !== undefined && !enforces.cpus) return without("CPU", "cgroups/cpu");
  if (limits["mem"] !== undefined && !enforces.mem) return without("Memory", "cgroups/mem");
  return undefined;
}

const amount = (resources: readonly Resource[], name: string): number =>
  resources.reduce((sum, resource) => (resource.name === name ? sum + (resource.scalar?.value ?? 0) : sum), 0);

function limitOf(
  name: string,
  executor: readonly Resource[],
  tasks: readonly { readonly resources: readonly Resource[]; readonly limits: Limits }[],
): { readonly limit: number; readonly unlimited: number } | undefined {
  const limited = tasks.filter(({ limits }) => limits[name] !== undefined);
  if (limited.length === 0) return undefined;
  const unlimited = tasks
    .filter(({ limits }) => limits[name] === undefined)
    .reduce((sum, { resources }) => sum + amount(resources, name), 0);
  const limits = limited.reduce((sum, task) => sum + (task.limits[name]?.value ?? 0), 0);
  return { limit: limits + amount(executor, name) + unlimited, unlimited };
}

/**
 * The limits of an executor's container: what its tasks may use at most, requests counting as limits of those without,
 * and the executor's own share (Mesos 1.10). Nothing for a resource that no task limits. Without --cgroups_enable_cfs a
 * task without a CPU limit may use all there is, so the executor then has none. Pure.
 */
export function executorLimits(
  executor: readonly Resource[],
  tasks: readonly { readonly resources: readonly Resource[]; readonly limits: Limits }[],
  { cfs }: { readonly cfs: boolean },
): Limits {
  const [cpus, mem] = [limitOf("cpus", executor, tasks), limitOf("mem", executor, tasks)];
  const scalar = (value: number): Value_Scalar => create(Value_ScalarSchema, { value });
  return {
    ...(cpus !== undefined && (cfs || cpus.unlimited === 0) && { cpus: scalar(cpus.limit) }),
    ...(mem !== undefined && { mem: scalar(mem.limit) }),
  };
}
