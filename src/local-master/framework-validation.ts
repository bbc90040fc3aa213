import { has } from "../mesos/codec.ts";
import type { FrameworkInfo } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf, idProblem } from "../mesos/ids.ts";
import { roleProblem } from "../mesos/reservations.ts";
import { frameworkCan } from "../mesos/states.ts";
import { rolesOf } from "./model.ts";

/** What a 1.11 master refuses a framework for (facts of its master/validation). */

type Problems = Generator<string>;

function* filterProblems({ offerFilters }: FrameworkInfo): Problems {
  for (const { minAllocatableResources } of Object.values(offerFilters))
    for (const { quantities } of minAllocatableResources?.quantities ?? []) {
      if (Object.keys(quantities).length === 0) yield "Resource quantities must contain at least one quantity";
      for (const [name, { value }] of Object.entries(quantities))
        if (!Number.isFinite(value) || value < 0) yield `Invalid resource quantity for '${name}': ${value}`;
    }
}

function* problems(info: FrameworkInfo, suppressed: readonly string[]): Problems {
  const multiRole = frameworkCan(info, "MULTI_ROLE");
  if (multiRole && Object.hasOwn(info, "role")) yield "'role' must not be set by a MULTI_ROLE framework";
  if (!multiRole && info.roles.length > 0) yield "'roles' needs the capability MULTI_ROLE";
  if (new Set(info.roles).size !== info.roles.length) yield "'roles' contains a role twice";
  // An empty id is none: drivers send one.
  const id = idOf(info.id);
  const wrong = id === "" ? undefined : idProblem(id);
  if (wrong !== undefined) yield `the id ${wrong}`;
  if (!(info.failoverTimeout >= 0)) yield "'failover_timeout' is negative";
  const roles = rolesOf(info);
  for (const role of roles) {
    const problem = roleProblem(role);
    if (problem !== undefined) yield problem;
  }
  yield* filterProblems(info);
  for (const role of suppressed)
    if (!roles.includes(role)) yield `Suppressed role '${role}' is not contained in the list of roles`;
}

/** Why a framework may not subscribe so; undefined when it may. */
export const frameworkProblem = (info: FrameworkInfo, suppressed: readonly string[] = []): string | undefined =>
  problems(info, suppressed).next().value ?? undefined;

/** Why a framework that runs may not be changed so with UPDATE_FRAMEWORK; undefined when it may. */
export function updateProblem(
  before: FrameworkInfo,
  after: FrameworkInfo,
  suppressed: readonly string[],
): string | undefined {
  const problem = frameworkProblem(after, suppressed);
  if (problem !== undefined) return problem;
  if (has(before, "principal") !== has(after, "principal") || before.principal !== after.principal)
    return "Changing framework's principal is not allowed.";
  for (const field of ["user", "checkpoint"] as const)
    if (before[field] !== after[field])
      return `Updating 'FrameworkInfo.${field}' is unsupported; attempted to update from '${before[field]}' to '${after[field]}'`;
  return undefined;
}
