import { messageOf } from "../../base/errors.ts";
import { encode, missingRequired } from "../../mesos/codec.ts";
import {
  type RegisterSlaveMessage,
  RegisterSlaveMessageSchema,
  type ReregisterSlaveMessage,
  ReregisterSlaveMessageSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { AgentInfo_Capability_Type } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../../mesos/ids.ts";
import { configuredForm } from "../../mesos/resource-operations.ts";
import { Resources } from "../../mesos/resources.ts";
import { formatResources } from "../../mesos/resources-text.ts";
import { atLeast } from "../../mesos/version.ts";

/** Masters since 1.3 silently ignore agents that claim less. */
const LOWEST_VERSION = "1.0.0";

export type Outgoing =
  | { readonly kind: "register"; readonly message: RegisterSlaveMessage }
  | { readonly kind: "reregister"; readonly message: ReregisterSlaveMessage };

/** The bytes of a registration, under its name. Throws a MessageError when a required field is not set. */
export function encoded(outgoing: Outgoing): { readonly name: string; readonly bytes: Uint8Array } {
  return outgoing.kind === "register"
    ? { name: RegisterSlaveMessageSchema.typeName, bytes: encode(RegisterSlaveMessageSchema, outgoing.message) }
    : { name: ReregisterSlaveMessageSchema.typeName, bytes: encode(ReregisterSlaveMessageSchema, outgoing.message) };
}

/**
 * What is wrong with a registration, undefined when it may be sent. A wrong one is worse than none: it is refused in
 * silence, it gets the agent removed at the next blip, or it aborts the master and every one that is elected after it.
 */
export function registrationProblem(outgoing: Outgoing): string | undefined {
  const { message } = outgoing;
  const missing =
    outgoing.kind === "register"
      ? missingRequired(RegisterSlaveMessageSchema, outgoing.message)
      : missingRequired(ReregisterSlaveMessageSchema, outgoing.message);
  if (missing !== undefined) return `${missing} is not set`;
  const { agent, version } = message;
  if (agent === undefined) return "agent is not set";
  if (!agent.checkpoint) return "checkpoint is not true: a master would remove the agent at the first lost connection";
  if (!atLeast(version, LOWEST_VERSION)) return `version '${version}' is not at least ${LOWEST_VERSION}`;
  if (outgoing.kind === "register" && agent.id !== undefined) return "an agent id in a first registration";
  if (outgoing.kind === "reregister" && idOf(agent.id) === "") return "no agent id in a re-registration";
  const claims = message.agentCapabilities.some(({ type }) => type === AgentInfo_Capability_Type.RESOURCE_PROVIDER);
  if (claims && message.resourceVersionUuid === undefined)
    return "RESOURCE_PROVIDER is claimed without a resource version: a 1.11 master would abort";
  return resourcesProblem(outgoing) ?? (outgoing.kind === "reregister" ? tasksProblem(outgoing.message) : undefined);
}

function resourcesProblem({ message }: Outgoing): string | undefined {
  if (message.checkpointedResources.some(({ allocationInfo }) => allocationInfo !== undefined))
    return "a checkpointed resource carries allocation_info: masters abort on it";
  try {
    const configured = Resources.of(message.agent?.resources ?? []);
    const needed = configuredForm(Resources.of(message.checkpointedResources));
    if (!configured.contains(needed)) {
      return (
        `the reservations and volumes need ${formatResources(needed)}, ` +
        `which --resources (${formatResources(configured)}) does not hold: masters abort on it`
      );
    }
  } catch (error) {
    return messageOf(error);
  }
  return undefined;
}

/** What 1.11.0 checks, and drops the whole message for, in silence. */
function tasksProblem(message: ReregisterSlaveMessage): string | undefined {
  const id = message.agent?.id?.value;
  const frameworks = new Set(message.frameworks.map((framework) => framework.id?.value));
  if (frameworks.size !== message.frameworks.length) return "a framework is listed twice, or without id";
  for (const { taskId, agentId, frameworkId } of message.tasks) {
    if (agentId?.value !== id) return `task '${taskId?.value}' carries another agent id ('${agentId?.value}')`;
    if (!frameworks.has(frameworkId?.value))
      return `task '${taskId?.value}' is of framework '${frameworkId?.value}', which is not listed`;
  }
  for (const { executorId, frameworkId } of message.executorInfos)
    if (!frameworks.has(frameworkId?.value))
      return `executor '${executorId?.value}' is of framework '${frameworkId?.value}', which is not listed`;
  return undefined;
}
