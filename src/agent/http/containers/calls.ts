import { create } from "@bufbuild/protobuf";
import { messageOf, UserError } from "../../../base/errors.ts";
import { text } from "../../../http/answer.ts";
import { has } from "../../../mesos/codec.ts";
import {
  type Call,
  type Call_LaunchContainer,
  Call_LaunchContainerSchema,
  Response_Type,
} from "../../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import type { ContainerID } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerTermination } from "../../model/container.ts";
import { TaskFailure } from "../../model/failure.ts";
import { type ContainerChain, chainText, type KeptContainers } from "../../model/nested.ts";
import type { Handler, OperatorParts, Reply } from "../operator/handler.ts";
import { readLog } from "./logs.ts";
import { updateMemoryLimit } from "./memory-limit.ts";
import { checkContainer, checkDeepSharing, validChain, validLaunch } from "./validate.ts";

const SIGKILL = 9;
/** SIGRTMAX */
const LARGEST_SIGNAL = 64;

/** A call's member of a container id: the newer calls take all containers, the older ones those with a parent. */
function idOfMember(
  member: { readonly containerId?: ContainerID | undefined } | undefined,
  name: string,
  nested: boolean,
) {
  if (member === undefined) throw new UserError(`Expecting '${name}' to be present`);
  return validChain(name, member.containerId, nested);
}

async function launch(parts: OperatorParts, chain: ContainerChain, call: Call_LaunchContainer): Promise<Reply> {
  const { view } = parts;
  const containers = view.containers.of(chain);
  if (containers === undefined) return text(400, whyNone(parts, chain));
  const { command, container, resources, limits } = call;
  try {
    const done = await containers.launch({ chain, command, container, resources, limits });
    return done === "launched" ? "done" : text(202, "");
  } catch (error) {
    if (error instanceof TaskFailure || error instanceof UserError) return text(400, messageOf(error));
    throw error;
  }
}

/** Why nobody runs the containers of this chain. */
function whyNone({ view }: OperatorParts, chain: ContainerChain): string {
  if (view.containers.ownerOf(chain) !== undefined) return "Nested containers are not supported";
  return chain.length > 1 ? `Root container ${chain[0]} not found` : "The provided ContainerInfo is not supported";
}

function waited(termination: ContainerTermination) {
  const { status, state, reason, message, limitation } = termination;
  return {
    ...(status !== undefined && { exitStatus: status }),
    ...(state !== undefined && { state }),
    ...(reason !== undefined && { reason }),
    ...(message !== undefined && { message }),
    ...(limitation && limitation.length > 0 && { limitation: { resources: [...limitation] } }),
  };
}

async function wait({ view }: OperatorParts, chain: ContainerChain): Promise<ContainerTermination | undefined> {
  return await view.containers.kept(chain)?.wait(chain);
}

const notFound = (chain: ContainerChain) => text(404, `Container ${chainText(chain)} cannot be found`);

async function kill({ view }: OperatorParts, chain: ContainerChain, signal: number): Promise<Reply> {
  const containers = view.containers.kept(chain);
  // What is no signal ends nothing. The words are those of Mesos.
  if ((signal < 0 || signal > LARGEST_SIGNAL) && (await containers?.status(chain)) !== undefined)
    return text(500, `Unable to send signal to container: Invalid argument (${signal})`);
  const killed = (await containers?.kill(chain, signal)) ?? false;
  return killed ? "done" : text(404, `Container '${chainText(chain)}' cannot be found (or is already killed)`);
}

async function remove(parts: OperatorParts, chain: ContainerChain): Promise<Reply> {
  const containers: KeptContainers | undefined = parts.view.containers.kept(chain);
  if (containers === undefined) return text(500, `Root container ${chain[0]} not found`);
  try {
    await containers.remove(chain);
    return "done";
  } catch (error) {
    return text(500, messageOf(error));
  }
}

const signalOf = (call: Call["killContainer"] & {}): number => (has(call, "signal") ? call.signal : SIGKILL);

/** LAUNCH_CONTAINER and what follows from it (mesos-wire §7.3), with the forms of releases before 1.5. */
export const containerCalls = {
  LAUNCH_CONTAINER: (parts, { launchContainer: call }) => {
    if (call === undefined) throw new UserError("Expecting 'launch_container' to be present");
    return launch(parts, validLaunch(call), call);
  },
  LAUNCH_NESTED_CONTAINER: (parts, { launchNestedContainer: call }) => {
    const chain = idOfMember(call, "launch_nested_container", true);
    const { command, container } = call ?? {};
    checkContainer("launch_nested_container", container);
    if (chain.length > 2) checkDeepSharing("launch_nested_container", container);
    const { containerId } = call ?? {};
    const init = { ...(containerId && { containerId }), ...(command && { command }), ...(container && { container }) };
    return launch(parts, chain, create(Call_LaunchContainerSchema, init));
  },
  WAIT_CONTAINER: async (parts, { waitContainer: call }) => {
    const chain = idOfMember(call, "wait_container", false);
    const termination = await wait(parts, chain);
    if (termination === undefined) return notFound(chain);
    return { type: Response_Type.WAIT_CONTAINER, waitContainer: waited(termination) };
  },
  WAIT_NESTED_CONTAINER: async (parts, { waitNestedContainer: call }) => {
    const chain = idOfMember(call, "wait_nested_container", true);
    const termination = await wait(parts, chain);
    if (termination === undefined) return notFound(chain);
    return { type: Response_Type.WAIT_NESTED_CONTAINER, waitNestedContainer: waited(termination) };
  },
  KILL_CONTAINER: (parts, { killContainer: call }) =>
    kill(parts, idOfMember(call, "kill_container", false), call === undefined ? SIGKILL : signalOf(call)),
  KILL_NESTED_CONTAINER: (parts, { killNestedContainer: call }) => {
    const chain = idOfMember(call, "kill_nested_container", true);
    return kill(parts, chain, call !== undefined && has(call, "signal") ? call.signal : SIGKILL);
  },
  REMOVE_CONTAINER: (parts, { removeContainer: call }) => remove(parts, idOfMember(call, "remove_container", false)),
  READ_LOG: readLog,
  UPDATE_CONTAINER_MEMORY_LIMIT: updateMemoryLimit,
  REMOVE_NESTED_CONTAINER: (parts, { removeNestedContainer: call }) =>
    remove(parts, idOfMember(call, "remove_nested_container", true)),
} as const satisfies Readonly<Record<string, Handler>>;
