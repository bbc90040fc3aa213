import { messageOf, UserError } from "../../base/errors.ts";
import { type ContainerInfo, ContainerInfoSchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { fromJson } from "../../mesos/json.ts";
import type { Json } from "../../mesos/json-text.ts";

/** The value of --default_container_info as a message. Throws a UserError for JSON that is none. */
export function readDefaultContainer(value: Readonly<Record<string, unknown>> | undefined): ContainerInfo | undefined {
  if (value === undefined) return undefined;
  try {
    return fromJson(ContainerInfoSchema, value as Json);
  } catch (error) {
    throw new UserError(
      `--default_container_info is no ContainerInfo: ${messageOf(error)}`,
      'write JSON such as {"type": "DOCKER", "docker": {"image": "…"}}',
      { cause: error },
    );
  }
}
