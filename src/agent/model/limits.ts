import type { Value_Scalar } from "../../mesos/gen/mesos/v1/mesos_pb.ts";

/** TaskInfo.limits of a container: scalar per resource name. */
export type ScalarLimits = Readonly<Record<string, Pick<Value_Scalar, "value">>>;

/** More than any machine has, and no more than the kernel's and Docker's numbers hold: CPUs, and bytes. */
const MOST = { cpus: 1e6, bytes: 2 ** 53 } as const;
const MEGABYTE = 1024 * 1024;

const bounded = (amount: number | undefined, most: number): number | undefined =>
  amount !== undefined && amount >= most ? Number.POSITIVE_INFINITY : amount;

/**
 * A container's limits of CPUs and bytes; Infinity lifts one, undefined leaves the rule. JSON has no word for infinity, so
 * frameworks write the largest number that they have: what no machine can be held to is none either.
 */
export function limitsOf(limits: ScalarLimits): {
  readonly cpus: number | undefined;
  readonly bytes: number | undefined;
} {
  const megabytes = limits["mem"]?.value;
  return {
    cpus: bounded(limits["cpus"]?.value, MOST.cpus),
    bytes: bounded(megabytes === undefined ? undefined : Math.floor(megabytes * MEGABYTE), MOST.bytes),
  };
}
