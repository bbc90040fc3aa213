import { create } from "@bufbuild/protobuf";
import { messageOf } from "../base/errors.ts";
import { NO_PID } from "../libprocess/upid.ts";
import { has } from "../mesos/codec.ts";
import { copyOf } from "../mesos/copy.ts";
import { RunTaskGroupMessageSchema, RunTaskMessageSchema } from "../mesos/gen/mesos/internal/messages_pb.ts";
import {
  AgentInfo_Capability_Type,
  type ExecutorInfo,
  type Offer_Operation,
  Offer_Operation_Type,
  OperationSchema,
  OperationState,
  type Resource,
  type TaskInfo,
  TaskState,
  TaskStatus_Reason,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { type Call_Accept, Event_Type } from "../mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { idOf, uuidText } from "../mesos/ids.ts";
import { applyConversion, conversionOf } from "../mesos/resource-operations.ts";
import { Resources } from "../mesos/resources.ts";
import { stateForFramework } from "../mesos/states.ts";
import type { Agents } from "./agents.ts";
import type { Cluster } from "./cluster.ts";
import { type GroupContext, groupProblem } from "./group-validation.ts";
import {
  type Demand,
  demandOf,
  groupTaskForAgent,
  type LaunchContext,
  prepareExecutor,
  taskForAgent,
  taskOf,
} from "./launch.ts";
import { type Agent, executorKey, type Framework, type Offer } from "./model.ts";
import type { Offering } from "./offering.ts";
import { sendOperation } from "./operations.ts";
import { createProblem } from "./volume-validation.ts";

/** What an ACCEPT works on: the offers' agent, and what of them is left. */
interface AcceptedOffers {
  readonly framework: Framework;
  readonly agent: Agent;
  readonly role: string;
  left: Resources;
}

/** An offer that is named more than once: its resources would count twice. */
export const repeatedOffer = (ids: readonly { readonly value: string }[]): string | undefined =>
  ids.find(({ value }, at) => ids.findIndex((id) => id.value === value) < at)?.value;

/** Carries out ACCEPT: reservations and volumes first, launches after, each from what the offers still hold. */
export class Acceptance {
  readonly #cluster: Cluster;
  readonly #agents: Agents;
  readonly #offering: Offering;

  constructor(cluster: Cluster, agents: Agents, offering: Offering) {
    this.#cluster = cluster;
    this.#agents = agents;
    this.#offering = offering;
  }

  accept(framework: Framework, accept: Call_Accept): void {
    const offers: Offer[] = [];
    let problem: string | undefined;
    for (const { value } of accept.offerIds) {
      const offer = this.#cluster.offers.get(value);
      if (offer?.frameworkId !== framework.id) problem = `Offer ${value} is no longer valid`;
      else offers.push(offer);
    }
    const twice = repeatedOffer(accept.offerIds);
    if (twice !== undefined) problem ??= `Duplicate offer ${twice} in offer list`;
    const [first] = offers;
    if (first === undefined) problem ??= "No offer was accepted";
    else if (offers.some(({ agentId, role }) => agentId !== first.agentId || role !== first.role))
      problem ??= "The offers are not of one agent and one role";
    const agent = this.#cluster.agents.get(first?.agentId ?? "");
    if (agent?.connected !== true) problem ??= "The offers' agent is gone";
    for (const offer of offers) this.#cluster.removeOffer(offer, false);
    if (problem !== undefined || first === undefined || agent === undefined) {
      this.#dropAll(framework, accept.operations, problem ?? "");
      return;
    }
    const left = offers.reduce((sum, offer) => sum.add(offer.resources), Resources.empty);
    const accepted: AcceptedOffers = { framework, agent, role: first.role, left };
    for (const operation of accept.operations) this.#operate(accepted, operation);
    const seconds = accept.filters === undefined ? undefined : accept.filters.refuseSeconds;
    this.#offering.refuse(framework, first, accepted.left, seconds);
    this.#cluster.offerSoon();
  }

  #dropAll(framework: Framework, operations: readonly Offer_Operation[], problem: string): void {
    const message = `Task launched with invalid offers: ${problem}`;
    for (const operation of operations) {
      for (const task of [...(operation.launch?.taskInfos ?? []), ...(operation.launchGroup?.taskGroup?.tasks ?? [])])
        this.#fail(framework, task, TaskState.TASK_DROPPED, TaskStatus_Reason.INVALID_OFFERS, message);
      if (operation.id !== undefined)
        this.#failOperation(framework, operation, OperationState.OPERATION_DROPPED, problem);
    }
  }

  #fail(framework: Framework, task: TaskInfo, state: TaskState, reason: TaskStatus_Reason, message: string): void {
    const [taskId, agentId] = [idOf(task.taskId), task.agentId?.value];
    this.#cluster.context.log.warn(`Task ${taskId} of framework ${framework.id} was refused: ${message}`);
    this.#cluster.tell(framework, { taskId, agentId, state, reason, message });
    const told = stateForFramework(state, framework.info);
    this.#cluster.rememberRefused({ taskId, framework: framework.info.name, state: told, message });
  }

  #failOperation(framework: Framework, { id }: Offer_Operation, state: OperationState, message: string): void {
    const status = { state, message, ...(id && { operationId: id }) };
    this.#cluster.send(framework, { type: Event_Type.UPDATE_OPERATION_STATUS, updateOperationStatus: { status } });
  }

  #operate(accepted: AcceptedOffers, operation: Offer_Operation): void {
    switch (operation.type) {
      case Offer_Operation_Type.LAUNCH:
        for (const task of operation.launch?.taskInfos ?? []) this.#launch(accepted, task);
        return;
      case Offer_Operation_Type.LAUNCH_GROUP:
        this.#launchGroup(accepted, operation);
        return;
      default:
        this.#convert(accepted, operation);
    }
  }

  #context({ agent, framework, left }: AcceptedOffers): LaunchContext {
    return {
      agentId: agent.id,
      available: left,
      taskExists: (id) => framework.tasks.has(id) || framework.unreachable.has(id),
      executorExists: (id) => agent.executors.has(executorKey(framework.id, id)),
    };
  }

  #groupContext(
    accepted: AcceptedOffers,
    { executorId }: ExecutorInfo,
    running: ExecutorInfo | undefined,
  ): GroupContext {
    const { agentId, available, taskExists } = this.#context(accepted);
    const { framework } = accepted;
    const its = [...framework.tasks.values(), ...framework.unreachable.values()].filter(
      (entry) => entry.agentId === agentId && idOf(entry.task.executorId) === idOf(executorId),
    );
    const itsContainers = running === undefined ? [] : its.map(({ task }) => task.container);
    return { agentId, available, taskExists, frameworkId: framework.id, runningExecutor: running, itsContainers };
  }

  /** Books what a task takes, and its executor if that is new. */
  #book(accepted: AcceptedOffers, info: TaskInfo, demand: Demand, executor = info.executor): void {
    const { agent, framework, role } = accepted;
    accepted.left = accepted.left.subtract(demand.task).subtract(demand.executor);
    const key = executorKey(framework.id, idOf(executor?.executorId));
    if (executor !== undefined && !agent.executors.has(key)) {
      agent.executors.set(key, { info: executor, frameworkId: framework.id, resources: demand.executor });
      agent.used = agent.used.add(demand.executor);
    }
    const task = taskOf(info, framework.id, role, executor);
    const [frameworkId, agentId, resources] = [framework.id, agent.id, demand.task];
    this.#cluster.addTask(agent, framework, { task, frameworkId, agentId, resources, released: false, killed: false });
    this.#cluster.count("master/tasks_launched");
  }

  #launch(accepted: AcceptedOffers, info: TaskInfo): void {
    const { agent, framework, role } = accepted;
    const context = this.#context(accepted);
    const demand = demandOf(info, framework.id, context);
    if (typeof demand === "string") {
      this.#fail(framework, info, TaskState.TASK_ERROR, TaskStatus_Reason.TASK_INVALID, demand);
      return;
    }
    const executorId = info.executor?.executorId?.value;
    const launchExecutor = executorId === undefined || !context.executorExists(executorId);
    const message = create(RunTaskMessageSchema, {
      frameworkId: { value: framework.id },
      framework: framework.info,
      pid: NO_PID,
      task: taskForAgent(info, framework.info, role, this.#cluster.agentDialect(agent)),
      ...this.#tracked(agent, launchExecutor),
    });
    this.#book(accepted, info, demand);
    this.#cluster.context.log.info(`Launching task ${info.taskId?.value} of framework ${framework.id} on ${agent.id}`);
    this.#cluster.context.process.send(agent.pid, RunTaskMessageSchema, message);
  }

  /** What masters say in a launch since they keep track of executors and of operations. */
  #tracked({ resourceVersion }: Agent, launchExecutor: boolean) {
    const uuids = resourceVersion === undefined ? [] : [{ uuid: resourceVersion }];
    return {
      ...(this.#cluster.since("1.5.1") && { launchExecutor }),
      ...(this.#cluster.since("1.5.0") && { resourceVersionUuids: uuids }),
    };
  }

  #launchGroup(accepted: AcceptedOffers, operation: Offer_Operation): void {
    const { agent, framework, role } = accepted;
    const { executor, taskGroup } = operation.launchGroup ?? {};
    const tasks = taskGroup?.tasks ?? [];
    if (executor === undefined || tasks.length === 0) return;
    const running = agent.executors.get(executorKey(framework.id, idOf(executor.executorId)));
    const problem = has(operation, "id")
      ? "The `id` field cannot be set on LAUNCH_GROUP operations"
      : groupProblem(tasks, executor, this.#groupContext(accepted, executor, running?.info));
    if (problem !== undefined) {
      for (const info of tasks)
        this.#fail(framework, info, TaskState.TASK_ERROR, TaskStatus_Reason.TASK_GROUP_INVALID, problem);
      return;
    }
    const dialect = this.#cluster.agentDialect(agent);
    const message = create(RunTaskGroupMessageSchema, {
      framework: framework.info,
      executor: copyOf(executor),
      taskGroup: { tasks: tasks.map((info) => groupTaskForAgent(info, executor, framework.info, role, dialect)) },
      ...this.#tracked(agent, running === undefined),
    });
    if (message.executor !== undefined) prepareExecutor(message.executor, framework.info, role, dialect);
    const unallocated = (resources: readonly Resource[]): Resources => Resources.of(resources).unallocated();
    let forExecutor = running === undefined ? unallocated(executor.resources) : Resources.empty;
    for (const info of tasks) {
      this.#book(accepted, info, { task: unallocated(info.resources), executor: forExecutor }, executor);
      forExecutor = Resources.empty;
    }
    const ids = tasks.map(({ taskId }) => `'${taskId?.value}'`).join(", ");
    this.#cluster.context.log.info(`Launching task group ${ids} of framework ${framework.id} on ${agent.id}`);
    this.#cluster.context.process.send(agent.pid, RunTaskGroupMessageSchema, message);
  }

  /** RESERVE, UNRESERVE, CREATE, DESTROY. */
  #convert(accepted: AcceptedOffers, operation: Offer_Operation): void {
    const { framework, agent } = accepted;
    const feedback = agent.capabilities.has(AgentInfo_Capability_Type.AGENT_OPERATION_FEEDBACK);
    try {
      if (operation.id !== undefined && !feedback) throw new Error("the agent cannot report on operations with an id");
      const problem = createProblem(operation.create?.volumes ?? [], agent.total);
      if (problem !== undefined) throw new Error(problem);
      const conversion = conversionOf(operation);
      const bare = { consumed: conversion.consumed.unallocated(), converted: conversion.converted.unallocated() };
      accepted.left = applyConversion(accepted.left, bare);
      agent.total = applyConversion(agent.total, bare);
    } catch (error) {
      this.#cluster.context.log.warn(`An operation of framework ${framework.id} was refused: ${messageOf(error)}`);
      if (operation.id !== undefined)
        this.#failOperation(framework, operation, OperationState.OPERATION_ERROR, messageOf(error));
      return;
    }
    const uuid = sendOperation(this.#cluster, this.#agents, agent, operation, framework.id);
    if (uuid === undefined || operation.id === undefined || !has(operation, "id")) return;
    this.#cluster.operations.set(uuidText(uuid), {
      frameworkId: framework.id,
      operationId: operation.id.value,
      agentId: agent.id,
      uuid,
      operation: create(OperationSchema, {
        frameworkId: { value: framework.id },
        agentId: { value: agent.id },
        info: operation,
        latestStatus: { operationId: operation.id, state: OperationState.OPERATION_PENDING },
        uuid: { value: uuid },
      }),
    });
  }
}
