import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { copyOf } from "../../../mesos/copy.ts";
import {
  type CommandInfo,
  CommandInfoSchema,
  type ContainerInfo,
  ContainerInfo_Type,
  ContainerInfoSchema,
  type Environment,
  EnvironmentSchema,
  type Resource,
  type TaskInfo,
  type Volume,
  Volume_Mode,
  Volume_Source_SandboxPath_Type,
  Volume_Source_Type,
  VolumeSchema,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../../../mesos/ids.ts";
import type { ContainerChain, NestedOrder } from "../../model/nested.ts";

/**
 * The container of a task in its executor's. Made from both ids, so that an agent that was killed in between finds it again
 * whatever it had written down by then.
 */
export function memberChain(executorContainer: string, taskId: string): ContainerChain {
  const hex = createHash("sha256").update(`${executorContainer}\0${taskId}`).digest("hex");
  const id = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
  return [executorContainer, id];
}

/** Persistent volumes are in the executor's sandbox; each task has a link to them. */
function parentVolumes(resources: readonly Resource[]): Volume[] {
  return resources.flatMap(({ disk }) => {
    const path = disk?.volume?.containerPath;
    if (path === undefined) return [];
    const type = Volume_Source_SandboxPath_Type.PARENT;
    const source = { type: Volume_Source_Type.SANDBOX_PATH, sandboxPath: { type, path } };
    return [create(VolumeSchema, { mode: Volume_Mode.RW, containerPath: path, source })];
  });
}

function containerOf({ container, resources }: TaskInfo): ContainerInfo | undefined {
  const volumes = parentVolumes(resources);
  if (volumes.length === 0) return container;
  const own =
    container === undefined ? create(ContainerInfoSchema, { type: ContainerInfo_Type.MESOS }) : copyOf(container);
  own.volumes.push(...volumes);
  return own;
}

/** What Mesos' default executor tells its tasks, behind what they say themselves. */
function environmentOf({ command, resources }: TaskInfo, ip: string): Environment {
  const role = resources[0]?.allocationInfo?.role;
  const made = [
    { name: "MESOS_CONTAINER_IP", value: ip },
    ...(role === undefined ? [] : [{ name: "MESOS_ALLOCATION_ROLE", value: role }]),
  ];
  return create(EnvironmentSchema, { variables: [...(command?.environment?.variables ?? []), ...made] });
}

function commandOf(task: TaskInfo, ip: string): CommandInfo {
  const command = task.command === undefined ? create(CommandInfoSchema, {}) : copyOf(task.command);
  command.environment = environmentOf(task, ip);
  return command;
}

/** The container that a task of a group asks for. `ip`: the executor's address. */
export function memberOrder(executorContainer: string, task: TaskInfo, ip: string): NestedOrder {
  return {
    chain: memberChain(executorContainer, idOf(task.taskId)),
    command: commandOf(task, ip),
    container: containerOf(task),
    resources: task.resources,
    limits: task.limits,
  };
}
