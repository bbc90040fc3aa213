import { join, resolve } from "node:path";
import { UserError } from "../../base/errors.ts";
import { type Resource, Resource_DiskInfo_Source_Type } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idProblem } from "../../mesos/ids.ts";

/** A part of a path. Masters check ids and roles; what is made and deleted as root is not left to them alone. */
function component(what: string, text: string): string {
  const problem = idProblem(text);
  if (problem !== undefined) throw new UserError(`the ${what} '${text}' of a persistent volume ${problem}`);
  return text;
}

/**
 * The directory of a persistent volume (mesos-agent-behaviour §8); undefined for other resources. A relative root of a
 * disk is relative to the work_dir; a MOUNT disk is the volume itself. Throws a UserError for an id or a role that would
 * lead elsewhere.
 */
export function persistentVolumePath(workDir: string, resource: Resource): string | undefined {
  const { persistence, source } = resource.disk ?? {};
  if (persistence === undefined) return undefined;
  if (source?.type === Resource_DiskInfo_Source_Type.MOUNT) return resolve(workDir, source.mount?.root ?? "");
  const root =
    source?.type === Resource_DiskInfo_Source_Type.PATH ? resolve(workDir, source.path?.root ?? "") : workDir;
  // The innermost reservation is whom the volume belongs to, in either format.
  const role = (resource.reservations.at(-1)?.role ?? resource.role).replaceAll("/", " ");
  return join(root, "volumes", "roles", component("role", role), component("id", persistence.id));
}
