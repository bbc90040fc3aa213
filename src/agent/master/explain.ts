import { formatUPID, type UPID } from "../../libprocess/upid.ts";
import { capabilityNames } from "./capabilities.ts";
import type { Outgoing } from "./outgoing.ts";

export interface Silence {
  readonly master: UPID;
  /** As the master told the detector; undefined with a fixed address. */
  readonly masterVersion: string | undefined;
  readonly self: UPID;
  readonly attempts: number;
  /** Whether a credential is configured. */
  readonly hasCredential: boolean;
  /** Why the last link could not be made or broke, if it is not there. */
  readonly linkFailure: string | undefined;
  readonly sent: Outgoing;
}

/** What was sent, in one line: what to look for in the master's log. */
function describe(sent: Outgoing, self: UPID): string {
  const { agent, version, agentCapabilities, checkpointedResources } = sent.message;
  const parts = [
    sent.kind === "register" ? "registration of a new agent" : `re-registration of agent ${agent?.id?.value}`,
    `${formatUPID(self)}, host name '${agent?.hostname}'`,
    `version ${version}`,
    `capabilities ${agentCapabilities.length === 0 ? "none" : capabilityNames().join(" ")}`,
  ];
  if (agent?.domain?.faultDomain !== undefined) {
    const { region, zone } = agent.domain.faultDomain;
    parts.push(`domain ${region?.name}/${zone?.name}`);
  }
  if (checkpointedResources.length > 0) parts.push(`${checkpointedResources.length} reservations or volumes`);
  if (sent.kind === "reregister")
    parts.push(`${sent.message.tasks.length} tasks, ${sent.message.executorInfos.length} executors`);
  return parts.join("; ");
}

/** Why a master may not have answered, most likely first. Masters tell nobody but their own log. */
function reasonsForSilence(silence: Silence): string[] {
  const { master, self, hasCredential, linkFailure, sent } = silence;
  if (linkFailure !== undefined) {
    return [
      `no connection to ${master.ip}:${master.port} (${linkFailure}): is the master running, and is the address right?`,
    ];
  }
  const reasons = [`${master.ip}:${master.port} may not be the leading master, or is still reading its registry`];
  reasons.push(
    `the master answers over a connection of its own, to ${self.ip}:${self.port}: can it reach that address? ` +
      "(--advertise_ip, --advertise_port, or LIBPROCESS_ADVERTISE_IP and _PORT, change it)",
  );
  if (!hasCredential)
    reasons.push("it may require agents to authenticate (--authenticate_agents there): give a --credential");
  else reasons.push("the principal may not be allowed to register agents (register_agents in the master's --acls)");
  reasons.push(
    sent.message.agent?.domain === undefined
      ? "it may require a fault domain (--require_agent_domain there): give --domain"
      : "it may have no fault domain of its own, and then refuses agents that have one: drop --domain",
  );
  if (sent.kind === "reregister" && (sent.message.tasks.length > 0 || sent.message.executorInfos.length > 0))
    reasons.push("it may find a task, executor or framework in the message invalid: its log names it");
  reasons.push("another agent with this id or address may be registering at the same time");
  return reasons;
}

/** The warning after several registrations without an answer. */
export function explainSilence(silence: Silence): string {
  const { master, masterVersion, attempts, self, sent } = silence;
  const release = masterVersion === undefined || masterVersion === "" ? "" : ` (Mesos ${masterVersion})`;
  const reasons = reasonsForSilence(silence).map((reason) => `\n  - ${reason}`);
  return (
    `No answer from ${formatUPID(master)}${release} after ${attempts} attempts. Masters refuse in silence; ` +
    `their log knows why. Possible reasons:${reasons.join("")}\n  Sent: ${describe(sent, self)}`
  );
}
