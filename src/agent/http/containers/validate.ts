import { UserError } from "../../../base/errors.ts";
import { has } from "../../../mesos/codec.ts";
import type { Call_LaunchContainer } from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import { type ContainerID, type ContainerInfo, ContainerInfo_Type } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idProblem } from "../../../mesos/ids.ts";
import { resourceProblem } from "../../../mesos/resources.ts";
import { type ContainerChain, chainOf } from "../../model/nested.ts";

/** Bytes of one id. */
const LONGEST = 242;

function problemOf({ value, parent }: ContainerID): string | undefined {
  const general = idProblem(value);
  if (general !== undefined) return `ID ${general}`;
  if (Buffer.byteLength(value) > LONGEST)
    return `'ContainerID.value' '${value}' exceeds the maximum length (${LONGEST})`;
  if (/[. ]/.test(value)) return `'ContainerID.value' '${value}' contains invalid characters`;
  const above = parent === undefined ? undefined : problemOf(parent);
  return above === undefined ? undefined : `'ContainerID.parent' is invalid: ${above}`;
}

/**
 * The chain of a call's container id, by Mesos' rules (mesos-wire §7.3). `where`: the call's member, for messages; `nested`:
 * there must be a parent. Throws a UserError.
 */
export function validChain(where: string, id: ContainerID | undefined, nested: boolean): ContainerChain {
  if (id === undefined) throw new UserError(`Expecting '${where}.container_id' to be present`);
  const problem = problemOf(id);
  if (problem !== undefined) throw new UserError(`'${where}.container_id' is invalid: ${problem}`);
  if (nested && id.parent === undefined) throw new UserError(`Expecting '${where}.container_id.parent' to be present`);
  return chainOf(id);
}

/** What is wrong with a ContainerInfo before anybody looks at what it asks for. Throws a UserError. */
export function checkContainer(where: string, container: ContainerInfo | undefined): void {
  if (container?.type === ContainerInfo_Type.DOCKER && container.docker === undefined)
    throw new UserError(
      `'${where}.container' is invalid: DockerInfo 'docker' is not set for DOCKER typed ContainerInfo`,
    );
}

/** What no container deeper than the first level may ask for. Throws a UserError. */
function checkDeep(call: Call_LaunchContainer): void {
  const cannot = (what: string): UserError =>
    new UserError(`'launch_container' is invalid: containers nested at the second level or greater cannot ${what}`);
  if (call.resources.length > 0) throw cannot("specify resources");
  if (Object.keys(call.limits).length > 0) throw cannot("specify resource limits");
  checkDeepSharing("launch_container", call.container);
}

export function checkDeepSharing(where: string, container: ContainerInfo | undefined): void {
  if (container?.linuxInfo?.shareCgroups === false)
    throw new UserError(
      `'${where}' is invalid: containers nested at the second level or greater cannot set 'share_cgroups' to 'false'`,
    );
}

/** Containers that stand alone are in no offer: nothing of them is anybody's. Throws a UserError. */
function checkStandalone({ resources, container }: Call_LaunchContainer): void {
  for (const resource of resources) {
    const { role, reservations, disk, revocable } = resource;
    const isReserved = reservations.length > 0 || (role !== "" && role !== "*");
    if (isReserved) throw new UserError("'launch_container.resources' must be unreserved");
    if (disk?.persistence !== undefined)
      throw new UserError("'launch_container.resources' may not use persistent volumes");
    if (revocable !== undefined) throw new UserError("'launch_container.resources' must be non-revocable");
  }
  if (container?.linuxInfo && has(container.linuxInfo, "shareCgroups") && container.linuxInfo.shareCgroups)
    throw new UserError(
      "'launch_container' is invalid: containers without a parent cannot set 'share_cgroups' to 'true'",
    );
}

/** A LAUNCH_CONTAINER by Mesos' rules; returns its chain. Throws a UserError. */
export function validLaunch(call: Call_LaunchContainer): ContainerChain {
  const chain = validChain("launch_container", call.containerId, false);
  for (const resource of call.resources) {
    const problem = resourceProblem(resource);
    if (problem !== undefined) throw new UserError(`Invalid resources: ${problem}`);
  }
  if (chain.length === 1) checkStandalone(call);
  checkContainer("launch_container", call.container);
  if (chain.length > 2) checkDeep(call);
  return chain;
}
