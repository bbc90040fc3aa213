import { existsSync, lstatSync, mkdirSync, readlinkSync, realpathSync, symlinkSync } from "node:fs";
import { dirname, isAbsolute, join, normalize } from "node:path";
import { messageOf } from "../../../base/errors.ts";
import {
  type ContainerInfo,
  type Resource,
  Volume_Source_SandboxPath_Type as SandboxPathType,
  Volume_Source_Type as SourceType,
  type Volume,
  Volume_Mode,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { TaskFailure } from "../../model/failure.ts";
import { persistentVolumePath } from "../../model/volumes.ts";

/** How a volume is shown in the sandbox without a mount namespace. */
export type VolumeStep =
  /** A folder of the sandbox. */
  | { readonly kind: "folder"; readonly path: string }
  /** `path` in the sandbox is a symbolic link to `target`. */
  | { readonly kind: "link"; readonly path: string; readonly target: string }
  /** An absolute path that the task sees anyway. */
  | { readonly kind: "same"; readonly path: string; readonly target: string };

const refuse = (what: string): never => {
  throw TaskFailure.launch(
    `${what} (the mesos containerizer of this agent runs tasks without a file system of their own)`,
  );
};

const sourceName = (type: SourceType): string =>
  Object.entries(SourceType).find(([, value]) => value === type)?.[0] ?? `${type}`;

/** `path` below the sandbox, or a TaskFailure when it would leave it. */
function inside(path: string, what: string): string {
  const clean = normalize(path).replace(/\/+$/, "");
  if (path === "" || isAbsolute(path) || clean === "." || clean === ".." || clean.startsWith("../")) {
    return refuse(`The ${what} '${path}' is not a path within the sandbox`);
  }
  return clean;
}

function planLink(containerPath: string, target: string): VolumeStep[] {
  if (isAbsolute(containerPath)) return [{ kind: "same", path: containerPath, target }];
  return [{ kind: "link", path: inside(containerPath, "container path"), target }];
}

function planVolume(volume: Volume, sandbox: string): VolumeStep[] {
  const { containerPath, hostPath, source } = volume;
  if (volume.image !== undefined) return refuse(`The volume at '${containerPath}' is an image`);
  if (volume.mode === Volume_Mode.RO) return refuse(`The volume at '${containerPath}' is read-only`);
  const host = hostPath || source?.hostPath?.path;
  if (source !== undefined && source.type !== SourceType.HOST_PATH && source.type !== SourceType.SANDBOX_PATH) {
    return refuse(`The volume at '${containerPath}' has the source ${sourceName(source.type)}`);
  }
  if (source?.type === SourceType.SANDBOX_PATH) {
    if (source.sandboxPath?.type !== SandboxPathType.SELF) {
      return refuse(`The volume at '${containerPath}' is a path of the parent's sandbox`);
    }
    const path = inside(source.sandboxPath.path, "sandbox path");
    return [{ kind: "folder", path }, ...planLink(containerPath, join(sandbox, path))];
  }
  if (!host) return [{ kind: "folder", path: inside(containerPath, "container path") }];
  if (isAbsolute(host)) return planLink(containerPath, host);
  const path = inside(host, "host path");
  return [{ kind: "folder", path }, ...planLink(containerPath, join(sandbox, path))];
}

function planPersistent(resource: Resource, volumesRoot: string): VolumeStep[] {
  const target = persistentVolumePath(dirname(volumesRoot), resource);
  const volume = resource.disk?.volume;
  if (target === undefined || volume === undefined) return [];
  if (volume.mode === Volume_Mode.RO) return refuse(`The persistent volume at '${volume.containerPath}' is read-only`);
  return [{ kind: "link", path: inside(volume.containerPath, "container path"), target }];
}

/**
 * What is to be done for the volumes of a container, persistent ones among its resources included (§7.11, §8). Throws a
 * TaskFailure that names what cannot be done without a mount namespace.
 */
export function planVolumes(
  container: ContainerInfo | undefined,
  resources: readonly Resource[],
  sandbox: string,
  volumesRoot: string,
): VolumeStep[] {
  const volumes = container?.volumes ?? [];
  return [
    ...volumes.flatMap((volume) => planVolume(volume, sandbox)),
    ...resources.flatMap((resource) => planPersistent(resource, volumesRoot)),
  ];
}

/** Whether every folder above `path` in the sandbox is a real one: a link could lead anywhere. */
function checkParents(sandbox: string, path: string): void {
  const parent = dirname(join(sandbox, path));
  if (realpathSync(parent) !== join(realpathSync(sandbox), dirname(path))) {
    refuse(`The path '${path}' leads out of the sandbox through a symbolic link`);
  }
}

function apply(step: VolumeStep, sandbox: string, made: (path: string) => void): void {
  if (step.kind === "same") {
    const real =
      existsSync(step.path) && existsSync(step.target) && realpathSync(step.path) === realpathSync(step.target);
    if (!real) refuse(`The host path '${step.target}' cannot be shown at '${step.path}'`);
    return;
  }
  const path = join(sandbox, step.path);
  const top = join(sandbox, step.path.split("/")[0] ?? "");
  const isNew = lstatSync(top, { throwIfNoEntry: false }) === undefined;
  mkdirSync(step.kind === "folder" ? path : dirname(path), { recursive: true, mode: 0o755 });
  checkParents(sandbox, step.path);
  if (step.kind === "link") {
    if (!existsSync(step.target))
      throw TaskFailure.launch(`The host path '${step.target}' does not exist on this agent`);
    const present = lstatSync(path, { throwIfNoEntry: false });
    if (present === undefined) symlinkSync(step.target, path);
    else if (!present.isSymbolicLink() || readlinkSync(path) !== step.target) {
      throw TaskFailure.launch(`'${step.path}' exists in the sandbox already and is not the volume '${step.target}'`);
    }
  }
  if (isNew) made(top);
}

/** Does the steps; `made` is told each new entry of the sandbox (to change its owner). Throws a TaskFailure. */
export function makeVolumes(steps: readonly VolumeStep[], sandbox: string, made: (path: string) => void): void {
  for (const step of steps) {
    try {
      apply(step, sandbox, made);
    } catch (error) {
      if (error instanceof TaskFailure) throw error;
      throw TaskFailure.launch(`Failed to show a volume in the sandbox: ${messageOf(error)}`, { cause: error });
    }
  }
}

/** What a ContainerInfo asks for that this containerizer cannot give; undefined when it can do all. */
export function unsupported(container: ContainerInfo | undefined): string | undefined {
  if (container === undefined) return undefined;
  if (container.mesos?.image !== undefined) return "an image";
  const { linuxInfo, ttyInfo, hostname } = container;
  if (container.networkInfos.some(({ name }) => name !== "")) return "a named network";
  if (hostname !== "") return "a hostname of its own";
  if (ttyInfo !== undefined) return "a terminal";
  if (linuxInfo?.effectiveCapabilities !== undefined || linuxInfo?.capabilityInfo !== undefined) return "capabilities";
  if (linuxInfo?.boundingCapabilities !== undefined) return "bounding capabilities";
  if (linuxInfo?.seccomp !== undefined && !linuxInfo.seccomp.unconfined) return "a seccomp profile";
  return undefined;
}
