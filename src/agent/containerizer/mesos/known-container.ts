import type { Resource } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerSpec } from "../../model/container.ts";
import type { VolumePlace } from "./volumes.ts";

/** What is remembered of a container besides its processes. */
export interface KnownContainer extends VolumePlace {
  readonly user: string | undefined;
  readonly sharesGroupsOf?: string | undefined;
  /** undefined after a restart: then the kernel is asked. */
  readonly environment: Readonly<Record<string, string>> | undefined;
  resources: readonly Resource[];
}

export function knownOf(
  container: Omit<ContainerSpec, "environment">,
  environment: KnownContainer["environment"],
): KnownContainer {
  const { sandbox, within, parentSandbox, user, sharesGroupsOf, resources } = container;
  return { sandbox, within, parentSandbox, user, sharesGroupsOf, resources, environment };
}
