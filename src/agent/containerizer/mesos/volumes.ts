import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, normalize } from "node:path";
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
import { NotHeld } from "../../model/held/descriptor.ts";
import type { HeldFolder, HeldOwner } from "../../model/held/folder.ts";
import { holdSandbox, type SandboxPlace } from "../../model/held/sandbox.ts";
import { persistentVolumePath } from "../../model/volumes.ts";

/** Of folders that are made for volumes. */
const FOLDER_MODE = 0o755;

/** How a volume is shown in the sandbox without a mount namespace. */
export type VolumeStep =
  /** A folder of the sandbox. */
  | { readonly kind: "folder"; readonly path: string }
  /** `path` in the sandbox is a symbolic link to `target`. */
  | { readonly kind: "link"; readonly path: string; readonly target: string; readonly readOnly?: ReadOnly }
  /** A folder of the parent's sandbox, made when there is nothing by that name. */
  | { readonly kind: "parent"; readonly path: string }
  /** An absolute path that the task sees anyway. */
  | { readonly kind: "same"; readonly path: string; readonly target: string; readonly readOnly?: ReadOnly };

/** Of what is shown: a container may not run without it, or it is a framework's wish, which C++'s default isolators ignore. */
type ReadOnly = "must" | "may";

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

function planLink(containerPath: string, target: string, mode?: ReadOnly): VolumeStep[] {
  const readOnly = mode === undefined ? {} : { readOnly: mode };
  if (isAbsolute(containerPath)) return [{ kind: "same", path: containerPath, target, ...readOnly }];
  return [{ kind: "link", path: inside(containerPath, "container path"), target, ...readOnly }];
}

function planSandboxPath({ containerPath, source }: Volume, sandbox: string, parent: string | undefined): VolumeStep[] {
  const asked = source?.sandboxPath;
  const isParents = asked?.type === SandboxPathType.PARENT;
  if (asked === undefined || (!isParents && asked.type !== SandboxPathType.SELF)) {
    return refuse(`The volume at '${containerPath}' is of no known kind of sandbox path`);
  }
  const path = inside(asked.path, "sandbox path");
  if (!isParents) return [{ kind: "folder", path }, ...planLink(containerPath, join(sandbox, path))];
  if (parent === undefined) {
    throw TaskFailure.launch(
      `The volume at '${containerPath}' is a path of the parent's sandbox (SANDBOX_PATH volume PARENT type), which only a nested container has`,
    );
  }
  return [{ kind: "parent", path }, ...planLink(containerPath, join(parent, path))];
}

function planVolume(volume: Volume, sandbox: string, parent: string | undefined): VolumeStep[] {
  const { containerPath, hostPath, source } = volume;
  if (volume.image !== undefined) return refuse(`The volume at '${containerPath}' is an image`);
  const host = hostPath || source?.hostPath?.path;
  const isReadOnly = volume.mode === Volume_Mode.RO;
  // Of the sandbox root binds nothing: its folders are the task's.
  if (isReadOnly && (!host || !isAbsolute(host)))
    return refuse(`The volume at '${containerPath}' is a read-only part of the sandbox`);
  if (source !== undefined && source.type !== SourceType.HOST_PATH && source.type !== SourceType.SANDBOX_PATH) {
    return refuse(`The volume at '${containerPath}' has the source ${sourceName(source.type)}`);
  }
  if (source?.type === SourceType.SANDBOX_PATH) return planSandboxPath(volume, sandbox, parent);
  if (!host) return [{ kind: "folder", path: inside(containerPath, "container path") }];
  if (isAbsolute(host)) return planLink(containerPath, host, isReadOnly ? "must" : undefined);
  const path = inside(host, "host path");
  return [{ kind: "folder", path }, ...planLink(containerPath, join(sandbox, path))];
}

function planPersistent(resource: Resource, volumesRoot: string): VolumeStep[] {
  const target = persistentVolumePath(dirname(volumesRoot), resource);
  const volume = resource.disk?.volume;
  if (target === undefined || volume === undefined) return [];
  return planLink(
    inside(volume.containerPath, "container path"),
    target,
    volume.mode === Volume_Mode.RO ? "may" : undefined,
  );
}

/** What a process is shown read-only (ProcessRequest.readOnly). */
export const readOnlyPaths = (steps: readonly VolumeStep[]): string[] =>
  steps.flatMap((step) =>
    step.kind === "folder" || step.kind === "parent" || step.readOnly === undefined
      ? []
      : [`${step.readOnly === "must" ? "!" : "?"}${step.target}`],
  );

/**
 * What is to be done for the volumes of a container, persistent ones among its resources included (§7.11, §8). Throws a
 * TaskFailure that names what cannot be done without a mount namespace. `parent`: the sandbox of a nested container's parent.
 */
export function planVolumes(
  container: ContainerInfo | undefined,
  resources: readonly Resource[],
  sandbox: string,
  volumesRoot: string,
  parent?: string,
): VolumeStep[] {
  const volumes = container?.volumes ?? [];
  return [
    ...volumes.flatMap((volume) => planVolume(volume, sandbox, parent)),
    ...resources.flatMap((resource) => planPersistent(resource, volumesRoot)),
  ];
}

/** A sandbox, and that of the parent of a nested container. */
export interface VolumePlace extends SandboxPlace {
  readonly parentSandbox?: string | undefined;
}

/** What is there already, be it a file or the link of a persistent volume, is the parent's to show. */
function inParent(path: string, { within, parentSandbox = "" }: VolumePlace): void {
  using parent = holdSandbox({ sandbox: parentSandbox, within });
  const owner = parent.stat();
  using folder = parent.walk(dirname(path), { mode: FOLDER_MODE, owner });
  if (folder.look(basename(path)) === undefined) folder.make(basename(path), FOLDER_MODE, owner).close();
}

function apply(step: VolumeStep, sandbox: HeldFolder, place: VolumePlace, owner: HeldOwner | undefined): void {
  if (step.kind === "parent") return inParent(step.path, place);
  if (step.kind === "same") {
    const real =
      existsSync(step.path) && existsSync(step.target) && realpathSync(step.path) === realpathSync(step.target);
    if (!real) refuse(`The host path '${step.target}' cannot be shown at '${step.path}'`);
    return;
  }
  const make = { mode: FOLDER_MODE, owner };
  if (step.kind === "folder") return sandbox.walk(step.path, make).close();
  using parent = sandbox.walk(dirname(step.path), make);
  if (!existsSync(step.target)) throw TaskFailure.launch(`The host path '${step.target}' does not exist on this agent`);
  const name = basename(step.path);
  const present = parent.look(name);
  if (present === undefined) parent.symlink(step.target, name, owner);
  else if (!present.isSymbolicLink() || parent.readlink(name) !== step.target) {
    throw TaskFailure.launch(`'${step.path}' exists in the sandbox already and is not the volume '${step.target}'`);
  }
}

/**
 * Does the steps in a sandbox that tasks of its owner may be changing: through no link, of an archive or otherwise. What
 * is made belongs to `owner`. Throws a TaskFailure.
 */
export function makeVolumes(steps: readonly VolumeStep[], place: VolumePlace, owner: HeldOwner | undefined): void {
  if (steps.length === 0) return;
  using sandbox = holdSandbox(place);
  for (const step of steps) {
    try {
      apply(step, sandbox, place, owner);
    } catch (error) {
      if (error instanceof TaskFailure) throw error;
      if (error instanceof NotHeld) refuse(`The path '${step.path}' leads out of the sandbox: ${error.message}`);
      throw TaskFailure.launch(`Failed to show a volume in the sandbox: ${messageOf(error)}`, { cause: error });
    }
  }
}

/**
 * Persistent volumes of tasks that an executor is handed later: what `after` has and `before` had not, made in a sandbox that
 * is in use, for whoever it belongs to. Throws a TaskFailure.
 */
export function addVolumes(
  before: readonly Resource[],
  after: readonly Resource[],
  place: VolumePlace,
  volumesRoot: string,
): void {
  const shown = new Set(planVolumes(undefined, before, place.sandbox, volumesRoot).map((step) => step.path));
  const steps = planVolumes(undefined, after, place.sandbox, volumesRoot).filter((step) => !shown.has(step.path));
  if (steps.length === 0) return;
  using sandbox = holdSandbox(place);
  makeVolumes(steps, place, sandbox.stat());
}

/** What a ContainerInfo asks for that this containerizer cannot give; undefined when it can do all. */
export function unsupported(container: ContainerInfo | undefined): string | undefined {
  if (container === undefined) return undefined;
  if (container.mesos?.image !== undefined) return "an image";
  const { linuxInfo, hostname } = container;
  if (container.networkInfos.some(({ name }) => name !== "")) return "a named network";
  if (hostname !== "") return "a hostname of its own";
  if (linuxInfo?.effectiveCapabilities !== undefined || linuxInfo?.capabilityInfo !== undefined) return "capabilities";
  if (linuxInfo?.boundingCapabilities !== undefined) return "bounding capabilities";
  if (linuxInfo?.seccomp !== undefined && !linuxInfo.seccomp.unconfined) return "a seccomp profile";
  return undefined;
}
