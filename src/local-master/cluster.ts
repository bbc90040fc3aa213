import { create } from "@bufbuild/protobuf";
import type { Clock, Timer } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { Process } from "../libprocess/process.ts";
import {
  type AgentInfo,
  AgentInfo_Capability_Type,
  type DrainConfig,
  type DrainInfo,
  DrainInfoSchema,
  DrainState,
  type MasterInfo,
  type Task,
  type TaskState,
  type TaskStatus,
  type TaskStatus_Reason,
  TaskStatus_Source,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { Event_Type } from "../mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { idOf } from "../mesos/ids.ts";
import type { Resources } from "../mesos/resources.ts";
import { frameworkCan, stateForFramework } from "../mesos/states.ts";
import { makeUnacknowledgedStatus } from "../mesos/status.ts";
import { atLeast } from "../mesos/version.ts";
import type { Machine } from "./maintenance.ts";
import {
  type Agent,
  type Dialect,
  type EventInit,
  type Framework,
  type Offer,
  type OperationEntry,
  rolesOf,
  type TaskEntry,
  taskKey,
} from "./model.ts";
import type { Quota } from "./quota.ts";
import { Subscribers } from "./subscribers.ts";

export interface ClusterContext {
  readonly process: Process;
  readonly clock: Clock;
  readonly log: Logger;
  readonly masterInfo: MasterInfo;
}

/** Tasks and frameworks that /state remembers after their end. */
const COMPLETED_TASKS = 1000;
const COMPLETED_FRAMEWORKS = 50;
/** Refused launches that the page shows. */
const REFUSED = 50;
/** Milliseconds for changes to gather before offers are made. */
const OFFER_DELAY = 10;

/** What a status made by the master says. */
export interface MasterStatus {
  readonly taskId: string;
  readonly agentId?: string | undefined;
  readonly executorId?: string | undefined;
  readonly state: TaskState;
  readonly reason: TaskStatus_Reason;
  readonly message: string;
}

/** A launch that never reached an agent. */
interface Refused {
  readonly taskId: string;
  readonly framework: string;
  readonly state: TaskState;
  readonly message: string;
}

/** Everything the master knows, and what changes in more than one place. */
export class Cluster {
  readonly agents = new Map<string, Agent>();
  readonly frameworks = new Map<string, Framework>();
  readonly offers = new Map<string, Offer>();
  /** Agents that stopped answering pings, by id; milliseconds since the epoch. */
  readonly unreachable = new Map<string, { readonly info: AgentInfo; readonly since: number }>();
  /** Agents that are offered to nobody until an operator says otherwise. */
  readonly deactivated = new Set<string>();
  /** Agents that an operator drains, by id; milliseconds since the epoch. */
  readonly draining = new Map<string, { readonly config: DrainConfig; readonly since: number }>();
  /** Agents that may not come back. */
  readonly gone = new Set<string>();
  /** How much more than others a role is offered, by role; 1 for those that are not here. */
  readonly weights = new Map<string, number>();
  /** By the first part of a role. */
  readonly quotas = new Map<string, Quota>();
  /** Machines that maintenance is planned for, by their key. */
  readonly machines = new Map<string, Machine>();
  readonly completedFrameworks: Framework[] = [];
  /** By the text of the operation's uuid. */
  readonly operations = new Map<string, OperationEntry>();
  /** The last launches that this master refused, oldest first: nothing else would remember them. */
  readonly refused: Refused[] = [];
  readonly counters = new Map<string, number>();
  readonly context: ClusterContext;
  /** Operators that hear of every change. */
  readonly subscribers = new Subscribers(this);
  /** Set by the offering part: makes offers now. */
  offerNow: () => void = () => undefined;
  #offering: Timer | undefined;
  #numbers = { agent: 0, framework: 0, offer: 0 };

  constructor(context: ClusterContext) {
    this.context = context;
  }

  get masterId(): string {
    return this.context.masterInfo.id;
  }

  /** `<master>-S0`, `<master>-0000`, `<master>-O0`. */
  nextId(kind: "agent" | "framework" | "offer"): string {
    const number = this.#numbers[kind]++;
    if (kind === "framework") return `${this.masterId}-${String(number).padStart(4, "0")}`;
    return `${this.masterId}-${kind === "agent" ? "S" : "O"}${number}`;
  }

  count(name: string): void {
    this.counters.set(name, (this.counters.get(name) ?? 0) + 1);
  }

  /** Something became available, or somebody wants more: offers follow soon. */
  offerSoon(): void {
    this.#offering ??= this.context.clock.after(OFFER_DELAY, () => {
      this.#offering = undefined;
      this.offerNow();
    });
  }

  stop(): void {
    this.#offering?.cancel();
    this.subscribers.close();
    for (const framework of this.frameworks.values()) {
      framework.failover?.cancel();
      framework.sink?.close();
    }
    for (const agent of this.agents.values()) agent.stopPings();
  }

  send(framework: Framework, event: EventInit): void {
    framework.sink?.send(event);
  }

  /** How far an agent's draining is; undefined when nobody drains it. It is drained when nothing is left on it. */
  drainInfo(agentId: string): DrainInfo | undefined {
    const drain = this.draining.get(agentId);
    if (drain === undefined) return undefined;
    const busy = [...this.operations.values()].some((operation) => operation.agentId === agentId);
    const done = this.agents.get(agentId)?.tasks.size === 0 && !busy;
    return create(DrainInfoSchema, { state: done ? DrainState.DRAINED : DrainState.DRAINING, config: drain.config });
  }

  /** Whether an agent's resources are offered. */
  isActive(agent: Agent): boolean {
    return agent.connected && !this.deactivated.has(agent.id);
  }

  /** Whether what masters do from that release on is done: the development master speaks as the version that it was given. */
  since(release: string): boolean {
    return atLeast(this.context.masterInfo.version, release);
  }

  /** What messages to this agent may hold. */
  agentDialect(agent: Agent): Dialect {
    const can = (type: AgentInfo_Capability_Type): boolean => agent.capabilities.has(type);
    return {
      format: this.since("1.4.0") && can(AgentInfo_Capability_Type.RESERVATION_REFINEMENT) ? "post" : "pre",
      allocation: this.since("1.2.0"),
    };
  }

  frameworkDialect(framework: Framework): Dialect {
    return {
      format: frameworkCan(framework.info, "RESERVATION_REFINEMENT") ? "post" : "pre",
      allocation: frameworkCan(framework.info, "MULTI_ROLE"),
    };
  }

  /** Takes an offer back. `rescind`: its framework is told. */
  removeOffer(offer: Offer, rescind: boolean): void {
    if (!this.offers.delete(offer.id)) return;
    const framework = this.frameworks.get(offer.frameworkId);
    framework?.offers.delete(offer);
    this.agents.get(offer.agentId)?.offers.delete(offer);
    if (rescind && framework !== undefined)
      this.send(framework, { type: Event_Type.RESCIND, rescind: { offerId: { value: offer.id } } });
    this.offerSoon();
  }

  /** What holds for offers has changed: those that are out are taken back, and made anew. */
  offerAnew(): void {
    for (const offer of [...this.offers.values()]) this.removeOffer(offer, true);
    this.offerSoon();
  }

  addTask(agent: Agent, framework: Framework | undefined, entry: TaskEntry): void {
    const id = idOf(entry.task.taskId);
    agent.tasks.set(taskKey(entry.frameworkId, id), entry);
    framework?.tasks.set(id, entry);
    framework?.unreachable.delete(id);
    this.subscribers.taskAdded(entry.task);
    if (entry.released) return;
    agent.used = agent.used.add(entry.resources);
    if (framework !== undefined) framework.used = framework.used.add(entry.resources);
  }

  /** The task has ended on its agent: what it used is free. */
  release(agent: Agent | undefined, entry: TaskEntry): void {
    if (entry.released) return;
    entry.released = true;
    if (agent !== undefined) agent.used = agent.used.subtract(entry.resources);
    const framework = this.frameworks.get(entry.frameworkId);
    if (framework !== undefined) framework.used = framework.used.subtract(entry.resources);
    this.offerSoon();
  }

  /** Forgets a task, but for the list of completed ones. */
  removeTask(entry: TaskEntry): void {
    const id = idOf(entry.task.taskId);
    const agent = this.agents.get(entry.agentId);
    const framework = this.frameworks.get(entry.frameworkId);
    this.release(agent, entry);
    agent?.tasks.delete(taskKey(entry.frameworkId, id));
    if (framework === undefined || !(framework.tasks.delete(id) || framework.unreachable.delete(id))) return;
    framework.completed.push(entry.task);
    if (framework.completed.length > COMPLETED_TASKS) framework.completed.shift();
  }

  /** An executor's resources are free again. */
  removeExecutor(agent: Agent, key: string): void {
    const executor = agent.executors.get(key);
    if (executor === undefined) return;
    agent.executors.delete(key);
    agent.used = agent.used.subtract(executor.resources);
    this.offerSoon();
  }

  rememberRefused(refused: Refused): void {
    this.refused.push(refused);
    if (this.refused.length > REFUSED) this.refused.shift();
  }

  remember(framework: Framework): void {
    this.completedFrameworks.push(framework);
    if (this.completedFrameworks.length > COMPLETED_FRAMEWORKS) this.completedFrameworks.shift();
  }

  /** A task whose state the master itself has changed: its framework and the operators are told. */
  tellChanged(framework: Framework, task: Task, status: MasterStatus): void {
    this.subscribers.taskUpdated(framework.id, task, this.tell(framework, status));
  }

  /** An UPDATE that nobody acknowledges, from the master's own knowledge. */
  tell(framework: Framework, status: MasterStatus): TaskStatus {
    const { taskId, agentId, executorId, reason, message } = status;
    const made = makeUnacknowledgedStatus(this.context.clock.now(), {
      taskId: { value: taskId },
      state: stateForFramework(status.state, framework.info),
      source: TaskStatus_Source.MASTER,
      reason,
      message,
      ...(agentId !== undefined && { agentId: { value: agentId } }),
      ...(executorId !== undefined && { executorId: { value: executorId } }),
    });
    this.send(framework, { type: Event_Type.UPDATE, update: { status: made } });
    return made;
  }

  /** Roles that a framework, a weight or a quota names, in their order. */
  get roles(): string[] {
    const own = [...this.frameworks.values()].flatMap(({ info }) => rolesOf(info));
    return [...new Set([...own, ...this.weights.keys(), ...this.quotas.keys()])].sort();
  }

  /** Everything the agents have. */
  get total(): Resources | undefined {
    let total: Resources | undefined;
    for (const agent of this.agents.values()) total = total === undefined ? agent.total : total.add(agent.total);
    return total;
  }
}
