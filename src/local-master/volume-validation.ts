import { type Resource, Volume_Mode } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { reservationRole, upgrade } from "../mesos/reservations.ts";
import type { Resources } from "../mesos/resources.ts";
import { diskProblems } from "./validation.ts";

/** The folder of a volume: its role and its id. */
const placeOf = (volume: Resource): string => `${reservationRole(volume)}\n${volume.disk?.persistence?.id}`;

/**
 * Why a 1.11 master makes none of these persistent volumes on an agent that has `total`; undefined when it does. Two of one role
 * with the same id would be one folder.
 */
export function createProblem(volumes: readonly Resource[], total: Resources): string | undefined {
  const taken = new Set(
    [...total.entries()].flatMap(({ kind }) => (kind.disk?.persistence === undefined ? [] : [placeOf(kind)])),
  );
  for (const given of volumes) {
    const volume = upgrade(given);
    const problem = diskProblems(volume).next().value;
    if (problem) return problem;
    if (volume.disk?.volume?.mode === Volume_Mode.RO) return "Read-only persistent volume not supported";
    if (volume.disk?.persistence === undefined) continue;
    if (taken.has(placeOf(volume))) return `Persistence ID '${volume.disk.persistence.id}' is not unique`;
    taken.add(placeOf(volume));
  }
  return undefined;
}
