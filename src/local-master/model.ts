import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Timer } from "../base/clock.ts";
import type { UPID } from "../libprocess/upid.ts";
import type {
  AgentInfo,
  AgentInfo_Capability_Type,
  ExecutorInfo,
  FrameworkInfo,
  Offer as OfferMessage,
  Operation,
  Resource,
  Task,
  UUID,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Event_Type, EventSchema } from "../mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import type { ReservationFormat } from "../mesos/reservations.ts";
import type { Resources } from "../mesos/resources.ts";

export type EventInit = Omit<MessageInitShape<typeof EventSchema>, "$typeName" | "$unknown"> & { type: Event_Type };

/** Where a scheduler's events go. */
export interface EventSink {
  readonly id: string;
  send(event: EventInit): void;
  close(): void;
}

export interface TaskEntry {
  readonly task: Task;
  readonly frameworkId: string;
  readonly agentId: string;
  /** Without allocation. */
  readonly resources: Resources;
  /** The agent's resources are free again: a terminal state is known. */
  released: boolean;
  /** The scheduler asked to end it. */
  killed: boolean;
}

export interface ExecutorEntry {
  readonly info: ExecutorInfo;
  readonly frameworkId: string;
  readonly resources: Resources;
}

export interface Agent {
  readonly id: string;
  pid: UPID;
  info: AgentInfo;
  version: string;
  capabilities: ReadonlySet<AgentInfo_Capability_Type>;
  resourceVersion: UUID | undefined;
  /** With what was reserved and created; without allocations. */
  total: Resources;
  /** Taken by tasks and executors that have not ended. */
  used: Resources;
  connected: boolean;
  readonly registered: number;
  reregistered: number | undefined;
  /** By taskKey. */
  readonly tasks: Map<string, TaskEntry>;
  /** By executorKey. */
  readonly executors: Map<string, ExecutorEntry>;
  readonly offers: Set<Offer>;
  /** Ends the pings. */
  stopPings: () => void;
  readonly exited: () => void;
}

/** An offer as it stands: what it holds, for whom. */
export interface Offer {
  readonly id: string;
  readonly frameworkId: string;
  readonly agentId: string;
  readonly role: string;
  /** Without allocation. */
  readonly resources: Resources;
  readonly message: OfferMessage;
}

/** What a framework does not want to be offered for a while. */
interface Refusal {
  readonly agentId: string;
  readonly role: string;
  readonly resources: Resources;
  /** Milliseconds, monotonic. */
  readonly until: number;
}

export interface Framework {
  readonly id: string;
  info: FrameworkInfo;
  sink: EventSink | undefined;
  /** Wants offers: subscribed. */
  active: boolean;
  readonly registered: number;
  reregistered: number | undefined;
  unregistered: number | undefined;
  readonly tasks: Map<string, TaskEntry>;
  /** What its tasks use that have not ended. */
  used: Resources;
  /** Tasks on agents that do not answer, by task id. */
  readonly unreachable: Map<string, TaskEntry>;
  /** The last ones that ended, oldest first. */
  readonly completed: Task[];
  readonly offers: Set<Offer>;
  refusals: Refusal[];
  suppressed: Set<string>;
  failover: Timer | undefined;
}

/** An operation that its framework gave an id to, until it is acknowledged. */
export interface OperationEntry {
  readonly frameworkId: string;
  readonly operationId: string;
  readonly agentId: string;
  readonly uuid: Uint8Array;
  /** As GET_OPERATIONS shows it. */
  readonly operation: Operation;
}

export const taskKey = (frameworkId: string, taskId: string): string => `${frameworkId}\n${taskId}`;
export const executorKey = (frameworkId: string, executorId: string): string => `${frameworkId}\n${executorId}`;

/** The roles a framework is subscribed to. */
export function rolesOf(info: FrameworkInfo): readonly string[] {
  return info.roles.length > 0 ? info.roles : [info.role];
}

/** The state and resources of messages that leave: what formats a peer takes. */
export interface Dialect {
  readonly format: ReservationFormat;
  readonly allocation: boolean;
}

/** Resources as a peer of this dialect takes them; a role of undefined leaves the allocation out. */
export function speak(resources: Resources, dialect: Dialect, role: string | undefined): Resource[] {
  const shown = dialect.allocation && role !== undefined ? resources.allocatedTo(role) : resources.unallocated();
  return shown.toMessages(dialect.format);
}
