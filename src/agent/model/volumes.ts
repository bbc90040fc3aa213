import { join, resolve } from "node:path";
import { type Resource, Resource_DiskInfo_Source_Type } from "../../mesos/gen/mesos/v1/mesos_pb.ts";

/**
 * The directory of a persistent volume (mesos-agent-behaviour §8); undefined for other resources. A relative root of a
 * disk is relative to the work_dir; a MOUNT disk is the volume itself.
 */
export function persistentVolumePath(workDir: string, resource: Resource): string | undefined {
  const { persistence, source } = resource.disk ?? {};
  if (persistence === undefined) return undefined;
  if (source?.type === Resource_DiskInfo_Source_Type.MOUNT) return resolve(workDir, source.mount?.root ?? "");
  const root =
    source?.type === Resource_DiskInfo_Source_Type.PATH ? resolve(workDir, source.path?.root ?? "") : workDir;
  // The innermost reservation is whom the volume belongs to, in either format.
  const role = (resource.reservations.at(-1)?.role ?? resource.role).replaceAll("/", " ");
  return join(root, "volumes", "roles", role, persistence.id);
}
