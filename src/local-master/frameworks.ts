import { create } from "@bufbuild/protobuf";
import { NO_PID } from "../libprocess/upid.ts";
import { copyOf } from "../mesos/copy.ts";
import {
  FrameworkToExecutorMessageSchema,
  KillTaskMessageSchema,
  ShutdownExecutorMessageSchema,
  ShutdownFrameworkMessageSchema,
  UpdateFrameworkMessageSchema,
} from "../mesos/gen/mesos/internal/messages_pb.ts";
import { FrameworkIDSchema, type FrameworkInfo, TaskState } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { type Call, Call_Type, Event_Type } from "../mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { idOf } from "../mesos/ids.ts";
import { Resources } from "../mesos/resources.ts";
import { isTerminal } from "../mesos/states.ts";
import type { Acceptance } from "./acceptance.ts";
import type { Cluster } from "./cluster.ts";
import { frameworkProblem, updateProblem } from "./framework-validation.ts";
import { type EventSink, type Framework, rolesOf, taskKey } from "./model.ts";
import type { Offering } from "./offering.ts";
import { Reconciliation } from "./reconciliation.ts";
import type { Updates } from "./updates.ts";

function identified(info: FrameworkInfo, id: string): FrameworkInfo {
  const copy = copyOf(info);
  copy.id = create(FrameworkIDSchema, { value: id });
  return copy;
}

export interface FrameworksOptions {
  readonly cluster: Cluster;
  readonly offering: Offering;
  readonly acceptance: Acceptance;
  readonly updates: Updates;
}

/** Subscription, failover and end of frameworks, and what their schedulers ask for. */
export class Frameworks {
  readonly #options: FrameworksOptions;
  readonly #cluster: Cluster;
  readonly #reconciliation: Reconciliation;
  readonly #ended = new Set<string>();

  constructor(options: FrameworksOptions) {
    this.#options = options;
    this.#cluster = options.cluster;
    this.#reconciliation = new Reconciliation(options.cluster);
  }

  isCompleted = (frameworkId: string): boolean => this.#ended.has(frameworkId);

  /** A framework that only an agent still knows: it may subscribe again. */
  recover(info: FrameworkInfo): Framework | undefined {
    const id = info.id?.value;
    if (id === undefined || this.#ended.has(id)) return undefined;
    const known = this.#cluster.frameworks.get(id);
    if (known !== undefined) return known;
    const framework = this.#add(id, info);
    this.#cluster.subscribers.frameworkAdded(framework);
    return framework;
  }

  #add(id: string, info: FrameworkInfo): Framework {
    const framework: Framework = {
      id,
      info: identified(info, id),
      sink: undefined,
      active: false,
      registered: this.#cluster.context.clock.now(),
      reregistered: undefined,
      unregistered: undefined,
      tasks: new Map(),
      used: Resources.empty,
      unreachable: new Map(),
      completed: [],
      offers: new Set(),
      refusals: [],
      suppressed: new Set(),
      failover: undefined,
    };
    this.#cluster.frameworks.set(id, framework);
    // Agents before 1.0 report tasks without their frameworks: they were waiting for this one.
    for (const agent of this.#cluster.agents.values())
      for (const entry of agent.tasks.values())
        if (entry.frameworkId === id) {
          framework.tasks.set(idOf(entry.task.taskId), entry);
          if (!entry.released) framework.used = framework.used.add(entry.resources);
        }
    return framework;
  }

  /** Subscribes a scheduler whose stream is open. What is wrong is told as an ERROR event, and the stream ends. */
  subscribe(info: FrameworkInfo, suppressed: readonly string[], sink: EventSink): void {
    const problem = this.#ended.has(idOf(info.id)) ? "Framework has been removed" : frameworkProblem(info, suppressed);
    if (problem !== undefined) {
      sink.send({ type: Event_Type.ERROR, error: { message: problem } });
      sink.close();
      return;
    }
    const { clock, log, masterInfo } = this.#cluster.context;
    const known = this.#cluster.frameworks.get(idOf(info.id));
    const framework = known ?? this.#add(idOf(info.id) || this.#cluster.nextId("framework"), info);
    if (known !== undefined) {
      framework.sink?.send({ type: Event_Type.ERROR, error: { message: "Framework failed over" } });
      framework.sink?.close();
      for (const offer of [...framework.offers]) this.#cluster.removeOffer(offer, false);
      framework.reregistered = clock.now();
      const { user, checkpoint } = framework.info;
      framework.info = Object.assign(identified(info, framework.id), { user, checkpoint });
    }
    framework.failover?.cancel();
    framework.failover = undefined;
    framework.sink = sink;
    framework.active = true;
    framework.refusals = [];
    framework.suppressed = new Set(suppressed);
    log.info(`Framework ${framework.id} (${info.name}) ${known === undefined ? "subscribed" : "subscribed again"}`);
    this.#cluster.send(framework, {
      type: Event_Type.SUBSCRIBED,
      subscribed: { frameworkId: { value: framework.id }, heartbeatIntervalSeconds: 15, masterInfo },
    });
    this.#cluster.send(framework, { type: Event_Type.HEARTBEAT });
    if (known !== undefined) this.#tellChange(framework);
    else this.#cluster.subscribers.frameworkAdded(framework);
    this.#cluster.offerSoon();
  }

  /** What a framework is now, to its agents and to operators. */
  #tellChange(framework: Framework): void {
    this.#cluster.subscribers.frameworkUpdated(framework);
    const message = create(UpdateFrameworkMessageSchema, {
      frameworkId: { value: framework.id },
      pid: NO_PID,
      frameworkInfo: framework.info,
    });
    const { process } = this.#cluster.context;
    for (const agent of this.#agentsOf(framework)) process.send(agent.pid, UpdateFrameworkMessageSchema, message);
  }

  *#agentsOf(framework: Framework) {
    for (const agent of this.#cluster.agents.values()) {
      const hasTask = [...agent.tasks.values()].some(({ frameworkId }) => frameworkId === framework.id);
      const hasExecutor = [...agent.executors.values()].some(({ frameworkId }) => frameworkId === framework.id);
      if (hasTask || hasExecutor) yield agent;
    }
  }

  /** A scheduler's stream ended: it has its failover timeout to come back. */
  disconnected(sink: EventSink): void {
    const { clock, log } = this.#cluster.context;
    for (const framework of this.#cluster.frameworks.values()) {
      if (framework.sink !== sink) continue;
      framework.sink = undefined;
      framework.active = false;
      for (const offer of [...framework.offers]) this.#cluster.removeOffer(offer, false);
      const { failoverTimeout } = framework.info;
      log.info(`Framework ${framework.id} (${framework.info.name}) disconnected: ${failoverTimeout}s to come back`);
      framework.failover = clock.after(failoverTimeout * 1000, () => this.teardown(framework, "failover timeout"));
    }
  }

  /** Ends a framework and everything it runs. */
  teardown(framework: Framework, why: string): void {
    const { clock, log, process } = this.#cluster.context;
    log.info(`Framework ${framework.id} (${framework.info.name}) ended: ${why}`);
    const frameworkId = { value: framework.id };
    const shutdown = create(ShutdownFrameworkMessageSchema, { frameworkId });
    for (const agent of this.#cluster.agents.values()) {
      process.send(agent.pid, ShutdownFrameworkMessageSchema, shutdown);
      for (const key of [...agent.executors.keys()])
        if (key.startsWith(taskKey(framework.id, ""))) this.#cluster.removeExecutor(agent, key);
    }
    for (const entry of [...framework.tasks.values(), ...framework.unreachable.values()]) {
      if (!isTerminal(entry.task.state)) entry.task.state = TaskState.TASK_KILLED;
      this.#cluster.removeTask(entry);
    }
    for (const offer of [...framework.offers]) this.#cluster.removeOffer(offer, false);
    framework.failover?.cancel();
    framework.active = false;
    framework.unregistered = clock.now();
    this.#cluster.frameworks.delete(framework.id);
    this.#ended.add(framework.id);
    this.#cluster.remember(framework);
    this.#cluster.subscribers.frameworkRemoved(framework.info);
    const { sink } = framework;
    framework.sink = undefined;
    sink?.close();
    this.#cluster.offerSoon();
  }

  /** Why a call of a subscribed scheduler is refused, for what its framework is; undefined when it is not. */
  refusal({ info }: Framework, { updateFramework }: Call): string | undefined {
    if (updateFramework?.frameworkInfo === undefined) return undefined;
    return updateProblem(info, updateFramework.frameworkInfo, updateFramework.suppressedRoles);
  }

  /** Carries out a call of a subscribed scheduler. False: this type of call is not supported. */
  handle(framework: Framework, call: Call): boolean {
    const { acceptance, updates, offering } = this.#options;
    switch (call.type) {
      case Call_Type.TEARDOWN:
        this.teardown(framework, "its scheduler tore it down");
        return true;
      case Call_Type.ACCEPT:
        if (call.accept) acceptance.accept(framework, call.accept);
        return true;
      case Call_Type.DECLINE:
        for (const { value } of call.decline?.offerIds ?? []) {
          const offer = this.#cluster.offers.get(value);
          if (offer?.frameworkId !== framework.id) continue;
          offering.refuse(framework, offer, offer.resources, call.decline?.filters?.refuseSeconds);
          this.#cluster.removeOffer(offer, false);
        }
        return true;
      case Call_Type.REVIVE:
        this.#revive(framework, call.revive?.roles ?? []);
        return true;
      case Call_Type.SUPPRESS:
        this.#suppress(framework, call.suppress?.roles ?? []);
        return true;
      case Call_Type.ACKNOWLEDGE:
        if (call.acknowledge) {
          const { agentId, taskId, uuid } = call.acknowledge;
          updates.acknowledge(framework, idOf(agentId), idOf(taskId), uuid);
        }
        return true;
      case Call_Type.UPDATE_FRAMEWORK:
        this.#updateFramework(framework, call);
        return true;
      case Call_Type.REQUEST:
      case Call_Type.ACCEPT_INVERSE_OFFERS:
      case Call_Type.DECLINE_INVERSE_OFFERS:
        // Nothing here makes inverse offers, and the allocator knows no wishes: accepted, without effect, as in Mesos.
        return true;
      default:
        return this.#pass(framework, call);
    }
  }

  /** Calls that become a message to an agent, or an answer from what the master knows. */
  #pass(framework: Framework, call: Call): boolean {
    switch (call.type) {
      case Call_Type.KILL:
        this.#kill(framework, call);
        return true;
      case Call_Type.RECONCILE:
        this.#reconciliation.tasks(framework, call);
        return true;
      case Call_Type.SHUTDOWN: {
        const { executorId, agentId } = call.shutdown ?? {};
        const agent = this.#cluster.agents.get(idOf(agentId));
        const message = create(ShutdownExecutorMessageSchema, {
          frameworkId: { value: framework.id },
          ...(executorId && { executorId }),
        });
        this.#cluster.context.process.send(agent?.pid, ShutdownExecutorMessageSchema, message);
        return true;
      }
      case Call_Type.MESSAGE: {
        const { agentId, executorId, data } = call.message ?? {};
        const agent = this.#cluster.agents.get(idOf(agentId));
        if (agent === undefined || agentId === undefined || executorId === undefined) return true;
        const message = create(FrameworkToExecutorMessageSchema, {
          frameworkId: { value: framework.id },
          agentId,
          executorId,
          data: data ?? new Uint8Array(),
        });
        this.#cluster.context.process.send(agent.pid, FrameworkToExecutorMessageSchema, message);
        return true;
      }
      case Call_Type.ACKNOWLEDGE_OPERATION_STATUS:
        this.#acknowledgeOperation(framework, call);
        return true;
      case Call_Type.RECONCILE_OPERATIONS:
        this.#reconciliation.operations(framework, call);
        return true;
      default:
        return false;
    }
  }

  #revive(framework: Framework, roles: readonly string[]): void {
    const wanted = roles.length > 0 ? roles : rolesOf(framework.info);
    for (const role of wanted) framework.suppressed.delete(role);
    framework.refusals = framework.refusals.filter(({ role }) => !wanted.includes(role));
    this.#cluster.offerSoon();
  }

  #suppress(framework: Framework, roles: readonly string[]): void {
    for (const role of roles.length > 0 ? roles : rolesOf(framework.info)) framework.suppressed.add(role);
  }

  #updateFramework(framework: Framework, call: Call): void {
    const update = call.updateFramework;
    if (update?.frameworkInfo === undefined) return;
    framework.info = identified(update.frameworkInfo, framework.id);
    framework.suppressed = new Set(update.suppressedRoles);
    this.#tellChange(framework);
    this.#cluster.offerSoon();
  }

  #kill(framework: Framework, call: Call): void {
    const taskId = call.kill?.taskId;
    if (taskId === undefined) return;
    const entry = framework.tasks.get(taskId.value);
    if (entry === undefined) {
      this.#reconciliation.answer(framework, taskId.value, call.kill?.agentId?.value);
      return;
    }
    entry.killed = true;
    const agent = this.#cluster.agents.get(entry.agentId);
    // A disconnected agent hears of it when it comes back.
    if (agent?.connected !== true) return;
    const message = create(KillTaskMessageSchema, {
      frameworkId: { value: framework.id },
      taskId,
      ...(call.kill?.killPolicy && { killPolicy: call.kill.killPolicy }),
    });
    this.#cluster.context.process.send(agent.pid, KillTaskMessageSchema, message);
  }

  #acknowledgeOperation(framework: Framework, call: Call): void {
    const { operationId, uuid } = call.acknowledgeOperationStatus ?? {};
    for (const [key, operation] of this.#cluster.operations) {
      if (operation.frameworkId !== framework.id || operation.operationId !== operationId?.value) continue;
      const agent = this.#cluster.agents.get(operation.agentId);
      if (agent === undefined || uuid === undefined) continue;
      this.#options.updates.acknowledgeOperation(uuid, operation.uuid, agent);
      this.#cluster.operations.delete(key);
    }
  }
}
