import { create } from "@bufbuild/protobuf";
import { messageOf } from "../base/errors.ts";
import { formatUPID, NO_PID, sameUPID, type UPID } from "../libprocess/upid.ts";
import { copyOf } from "../mesos/copy.ts";
import {
  AuthenticateMessageSchema,
  AuthenticationErrorMessageSchema,
  CheckpointResourcesMessageSchema,
  DrainSlaveMessageSchema,
  KillTaskMessageSchema,
  ReconcileOperationsMessageSchema,
  type RegisterSlaveMessage,
  RegisterSlaveMessageSchema,
  type ReregisterSlaveMessage,
  ReregisterSlaveMessageSchema,
  ShutdownFrameworkMessageSchema,
  ShutdownMessageSchema,
  SlaveRegisteredMessageSchema,
  SlaveReregisteredMessageSchema,
  UnregisterSlaveMessageSchema,
  UpdateFrameworkMessageSchema,
  UpdateSlaveMessageSchema,
} from "../mesos/gen/mesos/internal/messages_pb.ts";
import {
  AgentIDSchema,
  type AgentInfo,
  type AgentInfo_Capability,
  AgentInfo_Capability_Type,
  DrainState,
  type FrameworkInfo,
  TaskState,
  TaskStatus_Reason,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { Event_Type } from "../mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { idOf, idProblem } from "../mesos/ids.ts";
import { configuredForm } from "../mesos/resource-operations.ts";
import { Resources } from "../mesos/resources.ts";
import { isTerminal, stateForFramework } from "../mesos/states.ts";
import type { Cluster } from "./cluster.ts";
import { machineOf } from "./maintenance.ts";
import type { Agent, Framework, TaskEntry } from "./model.ts";
import { startPings } from "./pings.ts";
import { takeOperations, takeOver, tellReturned } from "./take-over.ts";

export interface AgentsOptions {
  /** Milliseconds between pings. */
  readonly pingInterval: number;
  /** Pings that may go unanswered. */
  readonly maximumMissed: number;
  /** Takes frameworks over that only an agent still knows. */
  readonly recoverFramework: (info: FrameworkInfo) => Framework | undefined;
  /** Frameworks that have ended. */
  readonly isCompleted: (frameworkId: string) => boolean;
}

const capabilityNumbers = (capabilities: readonly AgentInfo_Capability[]): ReadonlySet<AgentInfo_Capability_Type> =>
  new Set(capabilities.map(({ type }) => type));

/** Registration, liveness and removal of agents. */
export class Agents {
  readonly #cluster: Cluster;
  readonly #options: AgentsOptions;

  constructor(cluster: Cluster, options: AgentsOptions) {
    this.#cluster = cluster;
    this.#options = options;
    const { process, log } = cluster.context;
    process.install(RegisterSlaveMessageSchema, (from, message) => this.#register(from, message));
    process.install(ReregisterSlaveMessageSchema, (from, message) => this.#reregister(from, message));
    process.install(UnregisterSlaveMessageSchema, (from, { agentId }) => {
      const agent = this.known(agentId?.value, from);
      if (agent !== undefined) this.remove(agent, "the agent unregistered", "unregistered");
    });
    process.install(UpdateSlaveMessageSchema, (from, message) => {
      const agent = this.known(message.agentId?.value, from);
      if (agent === undefined) return;
      if (message.resourceVersionUuid) agent.resourceVersion = message.resourceVersionUuid;
      const missing = takeOperations(cluster, agent.id, message);
      if (missing.operations.length > 0) process.send(agent.pid, ReconcileOperationsMessageSchema, missing);
    });
    process.install(AuthenticateMessageSchema, (from) => {
      log.warn(`Agent ${formatUPID(from)} wants to authenticate, which this development master cannot`);
      const error = "a development master has no authenticator: start the agent without --credential";
      process.send(from, AuthenticationErrorMessageSchema, create(AuthenticationErrorMessageSchema, { error }));
    });
  }

  /** The registered agent of that id, if the sender is it. */
  known(agentId: string | undefined, from: UPID | undefined): Agent | undefined {
    const agent = this.#cluster.agents.get(agentId ?? "");
    return agent !== undefined && sameUPID(agent.pid, from) ? agent : undefined;
  }

  /** Ends an agent's registration: its tasks are lost. */
  remove(agent: Agent, why: string, how: "unregistered" | "unreachable" | "disconnected" | "gone"): void {
    const { log, process, clock } = this.#cluster.context;
    log.warn(`Removed agent ${agent.id} at ${formatUPID(agent.pid)}: ${why}`);
    this.#cluster.agents.delete(agent.id);
    agent.stopPings();
    process.unlink(agent.exited);
    for (const offer of [...agent.offers]) this.#cluster.removeOffer(offer, true);
    if (how === "unreachable") this.#cluster.unreachable.set(agent.id, { info: agent.info, since: clock.now() });
    for (const entry of [...agent.tasks.values()]) this.#lose(entry, why, how);
    this.#cluster.count(how === "unreachable" ? "master/slave_unreachable_completed" : "master/slave_removals");
    for (const framework of this.#cluster.frameworks.values())
      this.#cluster.send(framework, { type: Event_Type.FAILURE, failure: { agentId: { value: agent.id } } });
    this.#cluster.subscribers.agentRemoved(agent.id);
  }

  #lose(entry: TaskEntry, why: string, how: string): void {
    const unreachable = how === "unreachable";
    const framework = this.#cluster.frameworks.get(entry.frameworkId);
    if (framework === undefined || isTerminal(entry.task.state)) {
      this.#cluster.removeTask(entry);
      return;
    }
    const state = unreachable
      ? TaskState.TASK_UNREACHABLE
      : how === "gone"
        ? TaskState.TASK_GONE_BY_OPERATOR
        : TaskState.TASK_GONE;
    const taskId = idOf(entry.task.taskId);
    this.#cluster.release(undefined, entry);
    entry.task.state = stateForFramework(state, framework.info);
    if (unreachable) {
      framework.tasks.delete(taskId);
      framework.unreachable.set(taskId, entry);
    } else this.#cluster.removeTask(entry);
    const reason = how === "gone" ? TaskStatus_Reason.AGENT_REMOVED_BY_OPERATOR : TaskStatus_Reason.AGENT_REMOVED;
    this.#cluster.tellChanged(framework, entry.task, {
      taskId,
      agentId: entry.agentId,
      executorId: entry.task.executorId?.value,
      state,
      reason,
      message: `Agent ${entry.agentId} is gone: ${why}`,
    });
  }

  /** Ends an agent process that is to be no agent any more. */
  refuseGone(pid: UPID): void {
    const message = create(ShutdownMessageSchema, { message: "Agent has been marked gone" });
    this.#cluster.context.process.send(pid, ShutdownMessageSchema, message);
  }

  /** An agent on a machine that maintenance has taken down is sent away. */
  #refusesDown(pid: UPID, info: AgentInfo): boolean {
    if (this.#cluster.machines.get(machineOf(info, pid.ip))?.isDown !== true) return false;
    const { process, log } = this.#cluster.context;
    log.warn(`Refused agent ${formatUPID(pid)}: its machine is down for maintenance`);
    process.send(pid, ShutdownMessageSchema, create(ShutdownMessageSchema, { message: "Machine is `DOWN`" }));
    return true;
  }

  #register(from: UPID | undefined, message: RegisterSlaveMessage): void {
    const { process, log } = this.#cluster.context;
    if (from === undefined || message.agent === undefined || this.#refusesDown(from, message.agent)) return;
    for (const agent of this.#cluster.agents.values()) {
      if (!sameUPID(agent.pid, from)) continue;
      if (agent.connected) {
        this.#answerRegistered(agent);
        return;
      }
      this.remove(agent, "a new agent registered from its address", "disconnected");
    }
    const id = this.#cluster.nextId("agent");
    const agent = this.#admit(id, from, message);
    if (agent === undefined) return;
    log.info(`Registered agent ${id} at ${formatUPID(from)} (${agent.info.hostname}), version ${agent.version}`);
    this.#cluster.count("master/slave_registrations");
    this.#answerRegistered(agent);
    process.link(from, agent.exited);
    this.#cluster.offerSoon();
  }

  get #connection() {
    const { pingInterval, maximumMissed } = this.#options;
    return { totalPingTimeoutSeconds: (pingInterval * maximumMissed) / 1000 };
  }

  #answerRegistered(agent: Agent): void {
    const answer = create(SlaveRegisteredMessageSchema, { agentId: { value: agent.id }, connection: this.#connection });
    this.#cluster.context.process.send(agent.pid, SlaveRegisteredMessageSchema, answer);
  }

  /** Takes an agent in. Undefined, with a warning, when what it says makes no sense. */
  #admit(id: string, from: UPID, message: RegisterSlaveMessage | ReregisterSlaveMessage): Agent | undefined {
    const { log, clock } = this.#cluster.context;
    const { agent: info, version, agentCapabilities, checkpointedResources, resourceVersionUuid } = message;
    if (info === undefined) return undefined;
    let total: Resources;
    try {
      total = totalOf(Resources.of(info.resources), Resources.of(checkpointedResources));
    } catch (error) {
      log.warn(`Ignored the registration of agent ${formatUPID(from)}: ${messageOf(error)}`);
      return undefined;
    }
    const agent: Agent = {
      id,
      pid: from,
      info: Object.assign(copyOf(info), { id: create(AgentIDSchema, { value: id }) }),
      version,
      capabilities: capabilityNumbers(agentCapabilities),
      resourceVersion: resourceVersionUuid,
      total,
      used: Resources.empty,
      connected: true,
      registered: clock.now(),
      reregistered: undefined,
      tasks: new Map(),
      executors: new Map(),
      offers: new Set(),
      stopPings: () => undefined,
      exited: () => this.#disconnected(agent),
    };
    this.#cluster.agents.set(id, agent);
    this.#cluster.unreachable.delete(id);
    agent.stopPings = startPings(this.#cluster.context, agent, {
      ...this.#options,
      expired: () => this.remove(agent, "it does not answer pings", "unreachable"),
    });
    this.#cluster.subscribers.agentAdded(agent);
    return agent;
  }

  #disconnected(agent: Agent): void {
    if (this.#cluster.agents.get(agent.id) !== agent || !agent.connected) return;
    agent.connected = false;
    this.#cluster.context.log.info(`Agent ${agent.id} at ${formatUPID(agent.pid)} disconnected`);
    for (const offer of [...agent.offers]) this.#cluster.removeOffer(offer, true);
    if (!agent.info.checkpoint) this.remove(agent, "it disconnected and does not checkpoint", "disconnected");
  }

  #reregister(from: UPID | undefined, message: ReregisterSlaveMessage): void {
    const { process, log, clock } = this.#cluster.context;
    const id = idOf(message.agent?.id);
    if (from === undefined || message.agent === undefined || idProblem(id) !== undefined) return;
    if (this.#cluster.gone.has(id)) {
      this.refuseGone(from);
      return;
    }
    if (this.#refusesDown(from, message.agent)) return;
    const known = this.#cluster.agents.get(id);
    if (known !== undefined && (known.pid.ip !== from.ip || known.info.hostname !== message.agent.hostname)) {
      const why = `agent ${id} is registered at ${known.pid.ip} (${known.info.hostname}): the address may not change`;
      log.warn(`Refused agent ${formatUPID(from)}: ${why}`);
      process.send(from, ShutdownMessageSchema, create(ShutdownMessageSchema, { message: why }));
      return;
    }
    // One process is one agent: who is now this one is not the other any more, and would be pinged as disconnected for ever.
    for (const other of [...this.#cluster.agents.values()])
      if (other.id !== id && sameUPID(other.pid, from))
        this.remove(other, `agent ${id} came back at its address`, "disconnected");
    const wasUnreachable = this.#cluster.unreachable.has(id);
    const agent = known ?? this.#admit(id, from, message);
    if (agent === undefined) return;
    if (known !== undefined) this.#adoptTotal(known, message);
    const moved = !sameUPID(agent.pid, from);
    if (moved) process.unlink(agent.exited);
    agent.pid = from;
    agent.connected = true;
    agent.reregistered = clock.now();
    agent.version = message.version;
    agent.capabilities = capabilityNumbers(message.agentCapabilities);
    agent.resourceVersion = message.resourceVersionUuid;
    log.info(`Re-registered agent ${id} at ${formatUPID(from)} with ${message.tasks.length} tasks`);
    this.#cluster.count("master/slave_reregistrations");
    for (const info of message.frameworks) this.#options.recoverFramework(info);
    const reconciliations = takeOver(this.#cluster, agent, message);
    if (wasUnreachable) tellReturned(this.#cluster, agent);
    const agentId = { value: id };
    process.send(
      from,
      SlaveReregisteredMessageSchema,
      create(SlaveReregisteredMessageSchema, { agentId, reconciliations, connection: this.#connection }),
    );
    process.link(from, agent.exited);
    this.#bringUpToDate(agent, message);
    this.#cluster.offerSoon();
  }

  /** An agent that applies operations itself knows best what it has: one may have been lost on the way to it. */
  #adoptTotal(agent: Agent, { agent: info, agentCapabilities, checkpointedResources }: ReregisterSlaveMessage): void {
    if (!capabilityNumbers(agentCapabilities).has(AgentInfo_Capability_Type.RESOURCE_PROVIDER)) return;
    const total = totalOf(Resources.of(info?.resources ?? []), Resources.of(checkpointedResources));
    if (total.equals(agent.total)) return;
    for (const offer of [...agent.offers]) this.#cluster.removeOffer(offer, true);
    agent.total = total;
  }

  /** What a re-registered agent must hear after the answer, in Mesos' order. */
  #bringUpToDate(agent: Agent, message: ReregisterSlaveMessage): void {
    const { process } = this.#cluster.context;
    for (const entry of agent.tasks.values()) {
      if (!entry.killed || entry.released) continue;
      const [frameworkId, taskId] = [{ value: entry.frameworkId }, { value: idOf(entry.task.taskId) }];
      process.send(agent.pid, KillTaskMessageSchema, create(KillTaskMessageSchema, { frameworkId, taskId }));
    }
    const drain = this.#cluster.drainInfo(agent.id);
    if (drain?.state === DrainState.DRAINING)
      process.send(agent.pid, DrainSlaveMessageSchema, create(DrainSlaveMessageSchema, { config: drain.config }));
    const ids = new Set([
      ...message.frameworks.map(({ id }) => idOf(id)),
      ...message.tasks.map(({ frameworkId }) => idOf(frameworkId)),
    ]);
    for (const id of ids) {
      const frameworkId = { value: id };
      const framework = this.#cluster.frameworks.get(id);
      if (this.#options.isCompleted(id)) {
        const shutdown = create(ShutdownFrameworkMessageSchema, { frameworkId });
        process.send(agent.pid, ShutdownFrameworkMessageSchema, shutdown);
      } else if (framework?.sink !== undefined) {
        const update = create(UpdateFrameworkMessageSchema, {
          frameworkId,
          pid: NO_PID,
          frameworkInfo: framework.info,
        });
        process.send(agent.pid, UpdateFrameworkMessageSchema, update);
      }
    }
    if (!agent.capabilities.has(AgentInfo_Capability_Type.RESOURCE_PROVIDER)) this.sendCheckpointed(agent);
  }

  /** The complete list of reservations and volumes, for agents that do not apply operations themselves. */
  sendCheckpointed(agent: Agent): void {
    const { format } = this.#cluster.agentDialect(agent);
    const resources = agent.total.needingCheckpoint().toMessages(format);
    this.#cluster.context.process.send(
      agent.pid,
      CheckpointResourcesMessageSchema,
      create(CheckpointResourcesMessageSchema, { resources }),
    );
  }
}

/** What an agent has: configured resources, with reservations and volumes made since. Throws when they do not fit. */
export function totalOf(configured: Resources, checkpointed: Resources): Resources {
  const bare = configuredForm(checkpointed);
  if (!configured.contains(bare))
    throw new Error("its checkpointed resources are more than it has configured; a real master would abort");
  return configured.subtract(bare).add(checkpointed);
}
