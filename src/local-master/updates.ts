import { create } from "@bufbuild/protobuf";
import { parseUPID, type UPID } from "../libprocess/upid.ts";
import { has } from "../mesos/codec.ts";
import { copyOf } from "../mesos/copy.ts";
import {
  AcknowledgeOperationStatusMessageSchema,
  ExecutorToFrameworkMessageSchema,
  ExitedExecutorMessageSchema,
  StatusUpdateAcknowledgementMessageSchema,
  type StatusUpdateMessage,
  StatusUpdateMessageSchema,
  type UpdateOperationStatusMessage,
  UpdateOperationStatusMessageSchema,
} from "../mesos/gen/mesos/internal/messages_pb.ts";
import { OperationIDSchema, TaskStatus_Reason } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { Event_Type } from "../mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { idOf, isUuid, uuidText } from "../mesos/ids.ts";
import { isTerminal, stateName } from "../mesos/states.ts";
import type { Agents } from "./agents.ts";
import type { Cluster } from "./cluster.ts";
import { type Agent, executorKey, type Framework, type TaskEntry } from "./model.ts";

/** Results of checks are news to operators though the state is the same. */
const CHECK_REASONS = new Set<TaskStatus_Reason>([
  TaskStatus_Reason.TASK_CHECK_STATUS_UPDATED,
  TaskStatus_Reason.TASK_HEALTH_CHECK_STATUS_UPDATED,
]);
/** Statuses that a task remembers. */
const REMEMBERED = 10;

/** What agents report about tasks, executors and operations, on its way to schedulers, and the acknowledgements back. */
export class Updates {
  readonly #cluster: Cluster;
  readonly #agents: Agents;

  constructor(cluster: Cluster, agents: Agents) {
    this.#cluster = cluster;
    this.#agents = agents;
    const { process } = cluster.context;
    process.install(StatusUpdateMessageSchema, (from, message) => this.#status(from, message));
    process.install(UpdateOperationStatusMessageSchema, (from, message) => this.#operation(from, message));
    process.install(ExitedExecutorMessageSchema, (from, { agentId, frameworkId, executorId, status }) => {
      const agent = this.#agents.known(agentId?.value, from);
      const framework = cluster.frameworks.get(idOf(frameworkId));
      if (agent === undefined) return;
      cluster.removeExecutor(agent, executorKey(idOf(frameworkId), idOf(executorId)));
      if (framework === undefined || agentId === undefined || executorId === undefined) return;
      cluster.send(framework, { type: Event_Type.FAILURE, failure: { agentId, executorId, status } });
    });
    process.install(ExecutorToFrameworkMessageSchema, (from, { agentId, frameworkId, executorId, data }) => {
      const framework = cluster.frameworks.get(idOf(frameworkId));
      if (this.#agents.known(agentId?.value, from) === undefined || framework === undefined) return;
      if (agentId === undefined || executorId === undefined) return;
      cluster.send(framework, { type: Event_Type.MESSAGE, message: { agentId, executorId, data } });
    });
  }

  /** A scheduler's acknowledgement, passed on. An acknowledged terminal status ends our knowledge of the task. */
  acknowledge(framework: Framework, agentId: string, taskId: string, uuid: Uint8Array): void {
    const agent = this.#cluster.agents.get(agentId);
    if (agent === undefined) return;
    const message = create(StatusUpdateAcknowledgementMessageSchema, {
      agentId: { value: agentId },
      frameworkId: { value: framework.id },
      taskId: { value: taskId },
      uuid,
    });
    this.#cluster.context.process.send(agent.pid, StatusUpdateAcknowledgementMessageSchema, message);
    const entry = framework.tasks.get(taskId);
    if (entry === undefined || !has(entry.task, "statusUpdateUuid")) return;
    const current = Buffer.from(entry.task.statusUpdateUuid).equals(uuid);
    if (current && isTerminal(entry.task.statusUpdateState)) this.#cluster.removeTask(entry);
  }

  /** Passes on that a scheduler has seen an operation's status. */
  acknowledgeOperation(uuid: Uint8Array, operationUuid: Uint8Array, agent: Agent): void {
    const message = create(AcknowledgeOperationStatusMessageSchema, {
      statusUuid: { value: uuid },
      operationUuid: { value: operationUuid },
    });
    this.#cluster.context.process.send(agent.pid, AcknowledgeOperationStatusMessageSchema, message);
  }

  #status(from: UPID | undefined, { update, pid }: StatusUpdateMessage): void {
    const status = update?.status;
    if (update === undefined || status === undefined) return;
    const agent = this.#agents.known(update.agentId?.value, from);
    const framework = this.#cluster.frameworks.get(idOf(update.frameworkId));
    if (agent === undefined || framework === undefined) return;
    const taskId = idOf(status.taskId);
    this.#cluster.context.log.info(
      `Task ${taskId} of framework ${framework.id}: ${stateName(status.state)}${status.message ? ` (${status.message})` : ""}`,
    );
    const wanted = has(update, "uuid") && isUuid(update.uuid) && parseUPID(pid) !== undefined;
    status.timestamp = update.timestamp;
    if (update.agentId !== undefined) status.agentId = update.agentId;
    if (update.executorId !== undefined) status.executorId = update.executorId;
    if (wanted) status.uuid = update.uuid;
    else delete (status as { uuid?: Uint8Array }).uuid;
    const entry = framework.tasks.get(taskId);
    if (entry !== undefined) {
      this.#record(agent, entry, status, has(update, "latestState") ? update.latestState : status.state);
      if (!wanted && isTerminal(status.state)) this.#cluster.removeTask(entry);
    }
    this.#cluster.count(`master/${stateName(status.state).toLowerCase()}`);
    this.#cluster.send(framework, { type: Event_Type.UPDATE, update: { status } });
  }

  #record(
    agent: Agent,
    entry: TaskEntry,
    status: NonNullable<NonNullable<StatusUpdateMessage["update"]>["status"]>,
    latest: TaskEntry["task"]["state"],
  ): void {
    const { task } = entry;
    const isNews = task.statuses.at(-1)?.state !== status.state || CHECK_REASONS.has(status.reason);
    if (!isTerminal(task.state)) task.state = latest;
    task.statusUpdateState = status.state;
    if (has(status, "uuid")) task.statusUpdateUuid = status.uuid;
    const remembered = copyOf(status);
    delete (remembered as { data?: Uint8Array }).data;
    task.statuses = [...task.statuses.filter(({ state }) => state !== status.state), remembered].slice(-REMEMBERED);
    if (isTerminal(task.state)) this.#cluster.release(agent, entry);
    if (isNews) this.#cluster.subscribers.taskUpdated(entry.frameworkId, task, remembered);
  }

  #operation(from: UPID | undefined, message: UpdateOperationStatusMessage): void {
    const { status, operationUuid } = message;
    const agent = this.#agents.known(message.agentId?.value, from);
    if (agent === undefined || status === undefined || operationUuid === undefined) return;
    const key = uuidText(operationUuid.value);
    const known = this.#cluster.operations.get(key);
    // What an agent says of an operation that never reached it names neither framework nor id.
    const framework = this.#cluster.frameworks.get(message.frameworkId?.value ?? known?.frameworkId ?? "");
    if (known === undefined || framework === undefined) {
      // Nobody gave it an id, so nobody else will acknowledge it.
      if (status.uuid !== undefined) this.acknowledgeOperation(status.uuid.value, operationUuid.value, agent);
      return;
    }
    status.operationId ??= create(OperationIDSchema, { value: known.operationId });
    known.operation.latestStatus = status;
    known.operation.statuses.push(status);
    if (status.uuid === undefined) this.#cluster.operations.delete(key);
    this.#cluster.send(framework, { type: Event_Type.UPDATE_OPERATION_STATUS, updateOperationStatus: { status } });
  }
}
