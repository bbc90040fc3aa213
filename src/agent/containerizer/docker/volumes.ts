import { isAbsolute, join, normalize } from "node:path";
import { UserError } from "../../../base/errors.ts";
import { has } from "../../../mesos/codec.ts";
import {
  type ContainerInfo_DockerInfo,
  type Resource,
  type Volume,
  Volume_Mode,
  type Volume_Source_DockerVolume,
  Volume_Source_Type,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { persistentVolumePath } from "../../model/volumes.ts";

export interface VolumeSettings {
  /** `source:target:mode` */
  readonly binds: readonly string[];
  readonly driver: string | undefined;
  /** Volumes of sources that Docker has no word for: named in the log, left out as Mesos does. */
  readonly ignored: readonly string[];
}

/**
 * The binds of the persistent volumes among a task's resources: below the sandbox, where its containers' paths are. Throws
 * a UserError for a path that is not.
 */
export function persistentBinds(workDir: string, resources: readonly Resource[], sandboxDirectory: string): string[] {
  return resources.flatMap((resource) => {
    const source = persistentVolumePath(workDir, resource);
    const volume = resource.disk?.volume;
    if (source === undefined || volume === undefined) return [];
    const target = normalize(volume.containerPath);
    if (isAbsolute(target) || target === "." || target === ".." || target.startsWith("../"))
      throw new UserError(
        `the container path '${volume.containerPath}' of a persistent volume is not within the sandbox`,
      );
    return [`${source}:${join(sandboxDirectory, target)}:${volume.mode === Volume_Mode.RO ? "ro" : "rw"}`];
  });
}

/**
 * The binds of a task's volumes and its sandbox (§7.3): relative host paths lie in the sandbox, relative container paths
 * below the sandbox's place in the container. Throws a UserError.
 */
export function volumeSettings(
  volumes: readonly Volume[],
  docker: ContainerInfo_DockerInfo,
  sandbox: string,
  sandboxDirectory: string,
): VolumeSettings {
  const binds: string[] = [];
  const ignored: string[] = [];
  const drivers = new Set<string>();
  const dockerDriver = has(docker, "volumeDriver") ? docker.volumeDriver : undefined;
  if (dockerDriver) drivers.add(dockerDriver);
  for (const volume of volumes) {
    const source = sourceOf(volume, sandbox, dockerDriver !== undefined, drivers);
    if (source === undefined) ignored.push(volume.containerPath);
    else binds.push(`${source}:${targetOf(volume, sandboxDirectory)}:${modeOf(volume)}`);
  }
  if (drivers.size > 1) {
    throw new UserError(`only one volume driver per task is supported, not ${[...drivers].join(" and ")}`);
  }
  binds.push(`${sandbox}:${sandboxDirectory}`);
  return { binds, driver: [...drivers][0], ignored };
}

function targetOf(volume: Volume, sandboxDirectory: string): string {
  return isAbsolute(volume.containerPath) ? volume.containerPath : join(sandboxDirectory, volume.containerPath);
}

function modeOf(volume: Volume): string {
  if (has(volume, "mode") && volume.mode === Volume_Mode.RW) return "rw";
  if (volume.mode === Volume_Mode.RO) return "ro";
  throw new UserError(`volume '${volume.containerPath}' has no mode`, "give it mode RW or RO");
}

/** The left side of a bind; undefined for a kind of source that is ignored. */
function sourceOf(volume: Volume, sandbox: string, hasDriver: boolean, drivers: Set<string>): string | undefined {
  const { containerPath, source } = volume;
  const hostPath = has(volume, "hostPath") ? volume.hostPath : hostPathSource(volume);
  if (hostPath !== undefined) {
    if (isAbsolute(hostPath)) return hostPath;
    if (!isAbsolute(containerPath)) {
      throw new UserError(
        `both host_path '${hostPath}' and container_path '${containerPath}' of a volume are relative`,
        "a relative host_path lies in the sandbox, which the container sees anyway",
      );
    }
    return hasDriver ? hostPath : insideSandbox(sandbox, hostPath);
  }
  if (source === undefined) {
    throw new UserError(`volume '${containerPath}' has neither host_path nor source`, "give it one of them");
  }
  if (source.type !== Volume_Source_Type.DOCKER_VOLUME) return undefined;
  const docker: Volume_Source_DockerVolume | undefined = source.dockerVolume;
  if (docker === undefined || docker.name === "") throw new UserError(`volume '${containerPath}' has no volume name`);
  if (docker.driver !== "") drivers.add(docker.driver);
  return docker.name;
}

function hostPathSource({ source }: Volume): string | undefined {
  return source?.type === Volume_Source_Type.HOST_PATH ? source.hostPath?.path : undefined;
}

/** A relative path that climbs out of the sandbox is refused: it names somebody else's files. */
function insideSandbox(sandbox: string, path: string): string {
  const joined = join(sandbox, path);
  if (joined === sandbox || joined.startsWith(`${sandbox}/`)) return joined;
  throw new UserError(
    `host_path '${path}' leaves the sandbox`,
    "use an absolute host_path, or a path below the sandbox",
  );
}
