import { isAbsolute, join, normalize } from "node:path";
import { UserError } from "../../../base/errors.ts";
import type { MountRequest } from "../../../docker/create-request.ts";
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
  /** Structured: the text form `source:target:mode` breaks at every colon, of a task id or a path. */
  readonly mounts: readonly MountRequest[];
  readonly driver: string | undefined;
  /** Volumes of sources that Docker has no word for: named in the log, left out as Mesos does. */
  readonly ignored: readonly string[];
}

/** A folder of the daemon's host in the container. A missing one is made, as `docker run --volume` has it. */
const bindMount = (source: string, target: string, readOnly = false): MountRequest => ({
  Type: "bind",
  Source: source,
  Target: target,
  ...(readOnly && { ReadOnly: true }),
  BindOptions: { CreateMountpoint: true },
});

const volumeMount = (name: string, target: string, readOnly: boolean, driver: string | undefined): MountRequest => ({
  Type: "volume",
  Source: name,
  Target: target,
  ...(readOnly && { ReadOnly: true }),
  ...(driver && { VolumeOptions: { DriverConfig: { Name: driver } } }),
});

/**
 * The mounts of the persistent volumes among a task's resources: below the sandbox, where its containers' paths are. Throws
 * a UserError for a path that is not.
 */
export function persistentMounts(
  workDir: string,
  resources: readonly Resource[],
  sandboxDirectory: string,
): MountRequest[] {
  return resources.flatMap((resource) => {
    const source = persistentVolumePath(workDir, resource);
    const volume = resource.disk?.volume;
    if (source === undefined || volume === undefined) return [];
    const target = normalize(volume.containerPath);
    if (isAbsolute(target) || target === "." || target === ".." || target.startsWith("../"))
      throw new UserError(
        `the container path '${volume.containerPath}' of a persistent volume is not within the sandbox`,
      );
    return [bindMount(source, join(sandboxDirectory, target), volume.mode === Volume_Mode.RO)];
  });
}

/**
 * The mounts of a task's volumes and its sandbox (§7.3): relative host paths lie in the sandbox, relative container paths
 * below the sandbox's place in the container. Throws a UserError.
 */
export function volumeSettings(
  volumes: readonly Volume[],
  docker: ContainerInfo_DockerInfo,
  sandbox: string,
  sandboxDirectory: string,
): VolumeSettings {
  const dockerDriver = docker.volumeDriver || undefined;
  const found = volumes.map((volume) => ({ volume, source: sourceOf(volume, sandbox, dockerDriver !== undefined) }));
  const named = found.flatMap(({ source }) => (source?.kind === "volume" && source.driver ? [source.driver] : []));
  const drivers = new Set(dockerDriver === undefined ? named : [dockerDriver, ...named]);
  if (drivers.size > 1) {
    throw new UserError(`only one volume driver per task is supported, not ${[...drivers].join(" and ")}`);
  }
  const [driver] = drivers;
  const mounts = found.flatMap(({ volume, source }) => {
    if (source === undefined) return [];
    const target = targetOf(volume, sandboxDirectory);
    const readOnly = isReadOnly(volume);
    return source.kind === "bind"
      ? bindMount(source.path, target, readOnly)
      : volumeMount(source.name, target, readOnly, driver);
  });
  const ignored = found.flatMap(({ volume, source }) => (source === undefined ? [volume.containerPath] : []));
  return { mounts: [...mounts, bindMount(sandbox, sandboxDirectory)], driver, ignored };
}

function targetOf(volume: Volume, sandboxDirectory: string): string {
  return isAbsolute(volume.containerPath) ? volume.containerPath : join(sandboxDirectory, volume.containerPath);
}

function isReadOnly(volume: Volume): boolean {
  if (has(volume, "mode") && volume.mode === Volume_Mode.RW) return false;
  if (volume.mode === Volume_Mode.RO) return true;
  throw new UserError(`volume '${volume.containerPath}' has no mode`, "give it mode RW or RO");
}

type Source =
  | { readonly kind: "bind"; readonly path: string }
  /** One of a volume driver. */
  | { readonly kind: "volume"; readonly name: string; readonly driver?: string };

/** Where a volume comes from; undefined for a kind of source that is ignored. */
function sourceOf(volume: Volume, sandbox: string, hasDriver: boolean): Source | undefined {
  const { containerPath, source } = volume;
  const hostPath = has(volume, "hostPath") ? volume.hostPath : hostPathSource(volume);
  if (hostPath !== undefined) {
    if (isAbsolute(hostPath)) return { kind: "bind", path: hostPath };
    if (!isAbsolute(containerPath)) {
      throw new UserError(
        `both host_path '${hostPath}' and container_path '${containerPath}' of a volume are relative`,
        "a relative host_path lies in the sandbox, which the container sees anyway",
      );
    }
    if (hasDriver) return { kind: "volume", name: hostPath };
    return { kind: "bind", path: insideSandbox(sandbox, hostPath) };
  }
  if (source === undefined) {
    throw new UserError(`volume '${containerPath}' has neither host_path nor source`, "give it one of them");
  }
  if (source.type === Volume_Source_Type.SECRET) {
    throw new UserError(
      `volume '${containerPath}' is a secret, which no Docker container of this agent can be shown as a file`,
      "pass it as an environment variable of type SECRET",
    );
  }
  if (source.type !== Volume_Source_Type.DOCKER_VOLUME) return undefined;
  const docker: Volume_Source_DockerVolume | undefined = source.dockerVolume;
  if (docker === undefined || docker.name === "") throw new UserError(`volume '${containerPath}' has no volume name`);
  return { kind: "volume", name: docker.name, driver: docker.driver };
}

/** Volumes that name no driver are of the one that a parameter of the task names: the API knows it for text binds only. */
export function driverOfParameters(mounts: readonly MountRequest[], driver: string | undefined): MountRequest[] {
  return mounts.map((mount) =>
    mount.Type === "volume" && driver !== undefined && mount.VolumeOptions?.["DriverConfig"] === undefined
      ? { ...mount, VolumeOptions: { ...mount.VolumeOptions, DriverConfig: { Name: driver } } }
      : mount,
  );
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
