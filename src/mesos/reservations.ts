import { create } from "@bufbuild/protobuf";
import { has, shallowCopy } from "./codec.ts";
import {
  type Resource,
  type Resource_ReservationInfo,
  Resource_ReservationInfo_Type,
  Resource_ReservationInfoSchema,
} from "./gen/mesos/v1/mesos_pb.ts";

/**
 * The formats in which a resource says to whom it is reserved. Inside we use post-refinement only: `reservations`, and
 * neither `role` nor `reservation`.
 *
 *   post      reservations: [{STATIC|DYNAMIC, role, principal?, labels?}, …]        1.4+, between peers that can refine
 *   pre       role: "r", reservation: {principal?, labels?} when dynamic            every release; AgentInfo always
 *   endpoint  both, as JSON endpoints show them
 */
export type ReservationFormat = "post" | "pre" | "endpoint";

const { STATIC, DYNAMIC } = Resource_ReservationInfo_Type;

/** Why a role's name is refused; undefined when it is fine. `*` is fine only where nothing is reserved. */
export function roleProblem(role: string): string | undefined {
  if (role === "*") return undefined;
  if (role === "") return "a role must not be empty";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: white space and backspace are what roles may not have
  if (/[\s\u0008]/.test(role)) return `the role '${role}' contains white space`;
  for (const part of role.split("/")) {
    if (part === "") return `the role '${role}' has an empty component`;
    if (part === "." || part === ".." || part === "*") return `the role '${role}' has the component '${part}'`;
    if (part.startsWith("-")) return `the role '${role}' has a component that begins with '-'`;
  }
  return undefined;
}

function stackProblem(reservations: readonly Resource_ReservationInfo[]): string | undefined {
  let above: string | undefined;
  for (const reservation of reservations) {
    const { role, type } = reservation;
    if (type !== STATIC && type !== DYNAMIC) return "has a reservation without type";
    if (!has(reservation, "role")) return "has a reservation without role";
    if (role === "*") return "is reserved to the role '*'";
    const problem = roleProblem(role);
    if (problem !== undefined) return `is reserved: ${problem}`;
    if (above !== undefined) {
      if (type === STATIC) return "has a static reservation on top of another one";
      if (!role.startsWith(`${above}/`)) return `is reserved to '${role}', which is not below '${above}'`;
    }
    above = role;
  }
  return undefined;
}

/** Why the reservations of a resource, in any format, are refused; undefined when they are fine. */
export function reservationProblem(resource: Resource): string | undefined {
  if (resource.reservations.length > 0) return stackProblem(resource.reservations);
  const problem = roleProblem(resource.role);
  if (problem !== undefined) return problem;
  if (resource.reservation !== undefined && resource.role === "*") return "is dynamically reserved to the role '*'";
  return undefined;
}

/** The same resource in post-refinement format. Accepts every format. What the copy holds is shared with the original. */
export function upgrade(resource: Resource): Resource {
  const upgraded = shallowCopy(resource);
  const { role, reservation } = resource;
  if (resource.reservations.length === 0 && role !== "*") {
    const made = create(Resource_ReservationInfoSchema, { type: reservation === undefined ? STATIC : DYNAMIC, role });
    if (reservation !== undefined && has(reservation, "principal")) made.principal = reservation.principal;
    if (reservation?.labels !== undefined) made.labels = reservation.labels;
    upgraded.reservations = [made];
  }
  delete (upgraded as { role?: string }).role;
  delete upgraded.reservation;
  return upgraded;
}

/** Whether a pre-refinement peer can be told about this (post-refinement) resource. */
const isRefined = (resource: Resource): boolean => resource.reservations.length > 1;

/**
 * A post-refinement resource in another format. A refined one (more than one reservation) has no pre-refinement form and
 * stays as it is: whether it may be sent is the caller's business (`isRefined`).
 */
export function downgrade(resource: Resource, format: ReservationFormat): Resource {
  const downgraded = shallowCopy(resource);
  if (format === "post" || (format === "pre" && isRefined(resource))) return downgraded;
  const [first] = resource.reservations;
  downgraded.role = resource.reservations.at(-1)?.role ?? "*";
  if (first !== undefined && !isRefined(resource) && first.type === DYNAMIC) {
    downgraded.reservation = create(Resource_ReservationInfoSchema, {});
    if (has(first, "principal")) downgraded.reservation.principal = first.principal;
    if (first.labels !== undefined) downgraded.reservation.labels = first.labels;
  }
  if (format === "pre") downgraded.reservations = [];
  return downgraded;
}

/** The role a post-refinement resource is reserved to; `*` when it is not. */
export const reservationRole = (resource: Resource): string => resource.reservations.at(-1)?.role ?? "*";

/** Whether the last word on who may use it was said at run time. */
export const isDynamicallyReserved = (resource: Resource): boolean => resource.reservations.at(-1)?.type === DYNAMIC;
