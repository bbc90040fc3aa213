import { enumName, has } from "../mesos/codec.ts";
import {
  type ContainerInfo,
  ContainerInfo_Type,
  type Secret,
  Secret_Type,
  type Volume,
  type Volume_Source,
  Volume_Source_Type,
  Volume_Source_TypeSchema,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";

/** What a 1.11 master refuses a container for, and a secret (facts of its common/validation). */

type Problems = Generator<string>;

/** The member that each type of a volume's source must come with. */
const SOURCES: Partial<Record<Volume_Source_Type, Exclude<keyof Volume_Source, "$typeName" | "$unknown" | "type">>> = {
  [Volume_Source_Type.DOCKER_VOLUME]: "dockerVolume",
  [Volume_Source_Type.HOST_PATH]: "hostPath",
  [Volume_Source_Type.SANDBOX_PATH]: "sandboxPath",
  [Volume_Source_Type.SECRET]: "secret",
  [Volume_Source_Type.CSI_VOLUME]: "csiVolume",
};

function* sourceProblems(source: Volume_Source): Problems {
  const member = SOURCES[source.type];
  const name = enumName(Volume_Source_TypeSchema, source.type);
  if (member === undefined) yield "'source.type' is unknown";
  else if (source[member] === undefined) yield `'source.${name.toLowerCase()}' is not set for ${name} volume`;
  else if (source.csiVolume !== undefined && source.csiVolume.staticProvisioning === undefined)
    yield "'source.csi_volume.static_provisioning' is not set for CSI volume";
}

function* volumeProblems(volume: Volume): Problems {
  const given = (["hostPath", "image", "source"] as const).filter((field) => has(volume, field));
  if (given.length !== 1) yield "exactly one of 'host_path', 'image' and 'source' must be set";
  if (volume.source !== undefined) yield* sourceProblems(volume.source);
}

/** Of a task's or an executor's container. */
export function* containerProblems(container: ContainerInfo | undefined): Problems {
  for (const volume of container?.volumes ?? [])
    for (const problem of volumeProblems(volume)) yield `Invalid volume: ${problem}`;
  if (container?.type !== ContainerInfo_Type.DOCKER) return;
  if (container.docker === undefined) yield "DockerInfo 'docker' is not set for DOCKER typed ContainerInfo";
  if (container.docker?.parameters.some(({ key }) => key === "name"))
    yield "Parameter in DockerInfo must not be 'name'";
}

/** Of the secret in a variable. */
export function* secretProblems({ type, reference, value }: Secret): Problems {
  if (type === Secret_Type.REFERENCE && reference === undefined)
    yield "Secret of type REFERENCE must have the 'reference' field set";
  if (type === Secret_Type.REFERENCE && value !== undefined)
    yield `Secret '${reference?.name}' of type REFERENCE must not have the 'value' field set`;
  if (type === Secret_Type.VALUE && value === undefined) yield "Secret of type VALUE must have the 'value' field set";
  if (type === Secret_Type.VALUE && reference !== undefined)
    yield "Secret of type VALUE must not have the 'reference' field set";
  if (value?.data.includes(0)) yield "a value with a null byte is not allowed in the environment";
}
