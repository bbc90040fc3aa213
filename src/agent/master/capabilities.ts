import { create } from "@bufbuild/protobuf";
import {
  type AgentInfo_Capability,
  AgentInfo_Capability_Type,
  AgentInfo_CapabilitySchema,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";

export interface CapabilityRow {
  readonly name: keyof typeof AgentInfo_Capability_Type;
  /** First Mesos release whose agent claimed it. */
  readonly since: string;
  /** Claimed only when true: a master relies on every claim, and a false RESOURCE_PROVIDER crashes a 1.11.0 one. */
  readonly implemented: boolean;
  /** What a 1.11.0 master withholds from an agent without it. */
  readonly without: string;
}

/** The agent capabilities of Mesos 1.11.0. Masters decide by these, never by the version. None is needed to register. */
const CAPABILITIES: readonly CapabilityRow[] = [
  { name: "MULTI_ROLE", since: "1.2", implemented: true, without: "offers to MULTI_ROLE frameworks" },
  { name: "HIERARCHICAL_ROLE", since: "1.4", implemented: true, without: "offers for roles with a '/'" },
  { name: "RESERVATION_REFINEMENT", since: "1.4", implemented: true, without: "refined reservations" },
  { name: "RESOURCE_PROVIDER", since: "1.6", implemented: true, without: "CREATE_DISK, DESTROY_DISK, operation ids" },
  { name: "RESIZE_VOLUME", since: "1.6", implemented: true, without: "GROW_VOLUME, SHRINK_VOLUME" },
  { name: "AGENT_OPERATION_FEEDBACK", since: "1.8", implemented: true, without: "feedback on operations with an id" },
  { name: "AGENT_DRAINING", since: "1.9", implemented: true, without: "DRAIN_AGENT" },
  { name: "TASK_RESOURCE_LIMITS", since: "1.10", implemented: true, without: "tasks that set limits" },
];

/** Names of what we claim, for /state and the log. */
export const capabilityNames = (rows: readonly CapabilityRow[] = CAPABILITIES): string[] =>
  rows.filter(({ implemented }) => implemented).map(({ name }) => name);

/** Whether masters are told that this agent can do that. */
export const advertises = (name: CapabilityRow["name"], rows: readonly CapabilityRow[] = CAPABILITIES): boolean =>
  capabilityNames(rows).includes(name);

/** What goes into agent_capabilities. */
export const advertisedCapabilities = (rows: readonly CapabilityRow[] = CAPABILITIES): AgentInfo_Capability[] =>
  capabilityNames(rows).map((name) =>
    create(AgentInfo_CapabilitySchema, { type: AgentInfo_Capability_Type[name as CapabilityRow["name"]] }),
  );
