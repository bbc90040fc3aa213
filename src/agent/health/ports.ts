import { create } from "@bufbuild/protobuf";
import { copyOf } from "../../mesos/copy.ts";
import {
  type CommandInfo,
  type ContainerInfo,
  Environment_VariableSchema,
  EnvironmentSchema,
  type Resource,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";

/** More than anybody checks; a task may be given all ports of a machine. */
const MOST = 100;

/**
 * The ports on which a task listens, seen from where its checks run: those of the container where ports are mapped, in the
 * order of the mappings, else the task's own, in the order in which Marathon numbers PORT0, PORT1, ….
 */
function listeningPorts(container: ContainerInfo | undefined, resources: readonly Resource[]): number[] {
  const docker = container?.docker?.portMappings ?? [];
  const mapped = [...docker, ...(container?.networkInfos ?? []).flatMap(({ portMappings }) => portMappings)];
  if (mapped.length > 0) return mapped.slice(0, MOST).map(({ containerPort }) => containerPort);
  const ports: number[] = [];
  for (const { begin, end } of resources
    .filter(({ name }) => name === "ports")
    .flatMap((one) => one.ranges?.range ?? []))
    for (let port = begin; port <= end && ports.length < MOST; port++) ports.push(Number(port));
  return ports;
}

/**
 * A check's command with CONTAINER_PORT0, CONTAINER_PORT1, … beside the PORT0 of its framework, which is the host's: inside
 * a container with mapped ports nothing listens there. What the check or the task itself sets is kept.
 */
export function withContainerPorts(
  command: CommandInfo,
  task: {
    readonly container: ContainerInfo | undefined;
    readonly resources: readonly Resource[];
    readonly command: CommandInfo | undefined;
  },
): CommandInfo {
  const set = new Set(
    [command, task.command].flatMap((one) => one?.environment?.variables ?? []).map(({ name }) => name),
  );
  const variables = listeningPorts(task.container, task.resources)
    .map((port, index) => ({ name: `CONTAINER_PORT${index}`, value: `${port}` }))
    .filter(({ name }) => !set.has(name));
  if (variables.length === 0) return command;
  const copy = copyOf(command);
  copy.environment ??= create(EnvironmentSchema, {});
  copy.environment.variables.push(...variables.map((one) => create(Environment_VariableSchema, one)));
  return copy;
}
