import { UserError } from "../../../base/errors.ts";
import type { CreateRequest } from "../../../docker/create-request.ts";
import { withTag } from "../../../docker/image-reference.ts";
import { newDraft } from "../../../docker/run-options/draft.ts";
import { applyRunOptions, type RunParameter } from "../../../docker/run-options/run-options.ts";
import { has } from "../../../mesos/codec.ts";
import type { CommandInfo, ContainerInfo, ContainerInfo_DockerInfo } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../../../mesos/ids.ts";
import type { ContainerSpec } from "../../model/container.ts";
import { label } from "./identity.ts";
import { type ContainerDns, defaultDns, networkMode, portSettings } from "./networks.ts";
import { refuseOwned, refuseShared } from "./owned-options.ts";
import { type ResourceContext, resourceSettings } from "./resource-settings.ts";
import { driverOfParameters, persistentMounts, volumeSettings } from "./volumes.ts";

export interface PlanContext extends ResourceContext {
  readonly agentKey: string;
  readonly agentId: string;
  readonly name: string;
  /** `--work_dir`: persistent volumes lie in it. */
  readonly workDir: string;
  /** `--sandbox_directory`: where the sandbox appears in the container. */
  readonly sandboxDirectory: string;
  readonly dns: ContainerDns;
  /** DockerInfo.parameters, files already read. */
  readonly parameters: readonly RunParameter[];
}

/** What is to be done for a container, decided without touching anything. */
export interface LaunchPlan {
  readonly name: string;
  readonly image: string;
  readonly pull: "always" | "missing" | "never";
  readonly platform: string | undefined;
  readonly removeAtEnd: boolean;
  readonly request: CreateRequest;
  readonly warnings: readonly string[];
}

/**
 * The plan for `spec`: every argument that Mesos gives to `docker run` (§7.3), as one create request. Throws a UserError
 * that names what is wrong with the task.
 */
export function launchPlan(spec: ContainerSpec, context: PlanContext): LaunchPlan {
  const container = spec.container;
  const docker = container?.docker;
  if (container === undefined || docker === undefined) throw new UserError("the container has no docker info");
  const mode = networkMode(container, docker);
  const volumes = volumeSettings(container.volumes, docker, spec.sandbox, context.sandboxDirectory);
  const ports = portSettings(docker, mode, spec.resources);
  const request: CreateRequest = {
    Image: withTag(docker.image),
    Env: environmentOf(spec, context),
    Labels: labelsOf(spec, context),
    AttachStdout: true,
    AttachStderr: true,
    ...commandSettings(spec.command),
    ...(container.ttyInfo && { Tty: true, OpenStdin: true }),
    ...hostnameSettings(container, mode),
    ...(ports.ExposedPorts === undefined ? {} : { ExposedPorts: ports.ExposedPorts }),
    HostConfig: {
      NetworkMode: mode,
      Mounts: [...volumes.mounts, ...persistentMounts(context.workDir, spec.resources, context.sandboxDirectory)],
      ...(volumes.driver === undefined ? {} : { VolumeDriver: volumes.driver }),
      ...(ports.bindings === undefined ? {} : { PortBindings: ports.bindings }),
      ...(docker.privileged ? { Privileged: true } : {}),
      ...resourceSettings(spec.resources, spec.limits, context),
      ...defaultDns(context.dns, docker, mode),
    },
  };
  const draft = newDraft(context.name, request);
  refuseOwned(context.parameters);
  applyRunOptions(draft, context.parameters);
  refuseShared(request.HostConfig);
  const { Mounts: mounts = [], VolumeDriver: driver } = request.HostConfig;
  request.HostConfig.Mounts = driverOfParameters(mounts, driver);
  // Ours hold whatever a task asked for: they are how the container is found again.
  request.Labels = { ...request.Labels, ...labelsOf(spec, context) };
  return {
    name: draft.name,
    image: request.Image,
    pull: docker.forcePullImage ? "always" : (draft.pull ?? "missing"),
    platform: draft.platform,
    removeAtEnd: draft.removeAtEnd,
    request,
    warnings: warningsOf(volumes.ignored, request),
  };
}

function labelsOf(spec: ContainerSpec, context: PlanContext): Record<string, string> {
  return {
    [label.agentKey]: context.agentKey,
    [label.agentId]: context.agentId,
    [label.frameworkId]: idOf(spec.framework.id),
    [label.executorId]: idOf(spec.executor.executorId),
    ...(spec.task === undefined ? {} : { [label.taskId]: idOf(spec.task.taskId) }),
    [label.containerId]: spec.containerId,
  };
}

/**
 * A task's container gets what its command says and no more, as in Mesos: the variables of the agent and of executors
 * stay outside (§14.27). An executor's container gets all of it, but for a PATH that is not its own: the image has one.
 * Sorted, as 1.11 has it; MESOS_SANDBOX is the path inside the container.
 */
function environmentOf(spec: ContainerSpec, context: PlanContext): string[] {
  const own = new Set((spec.command.environment?.variables ?? []).map(({ name }) => name));
  const isGiven = (name: string): boolean => own.has(name) || (spec.task === undefined && name !== "PATH");
  const role = spec.resources[0]?.allocationInfo?.role;
  const environment: Record<string, string> = {
    ...Object.fromEntries(Object.entries(spec.environment).filter(([name]) => isGiven(name))),
    MESOS_SANDBOX: context.sandboxDirectory,
    MESOS_CONTAINER_NAME: context.name,
    ...(role === undefined || role === "" ? {} : { MESOS_ALLOCATION_ROLE: role }),
  };
  return Object.entries(environment)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`);
}

/** shell: /bin/sh -c value, whatever the image's entrypoint; else value and arguments are the image's arguments. */
function commandSettings(command: CommandInfo): Pick<CreateRequest, "Cmd" | "Entrypoint"> {
  if (command.shell) {
    if (!has(command, "value")) throw new UserError("Shell specified but no command value provided");
    return { Entrypoint: ["/bin/sh"], Cmd: ["-c", command.value] };
  }
  const argv = [...(has(command, "value") ? [command.value] : []), ...command.arguments];
  return argv.length === 0 ? {} : { Cmd: argv };
}

function hostnameSettings(container: ContainerInfo, mode: string): Pick<CreateRequest, "Hostname"> {
  if (!has(container, "hostname")) return {};
  if (mode === "host") throw new UserError("Unable to set hostname with host network mode");
  return { Hostname: container.hostname };
}

function warningsOf(ignored: readonly string[], request: CreateRequest): string[] {
  const policy = request.HostConfig.RestartPolicy?.Name ?? "";
  return [
    ...ignored.map((path) => `volume ${path} is ignored: Docker knows no such source`),
    ...(policy === "" || policy === "no"
      ? []
      : [
          `restart policy '${policy}': Docker starts the container again by itself; the task ends when Docker gives up`,
        ]),
  ];
}

/** DockerInfo of a spec; throws a UserError without one. */
export function dockerInfoOf(spec: Pick<ContainerSpec, "container">): ContainerInfo_DockerInfo {
  if (spec.container?.docker === undefined) throw new UserError("the container has no docker info");
  return spec.container.docker;
}
