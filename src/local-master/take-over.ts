import { create } from "@bufbuild/protobuf";
import {
  type ReconcileOperationsMessage,
  ReconcileOperationsMessageSchema,
  type ReconcileTasksMessage,
  ReconcileTasksMessageSchema,
  type ReregisterSlaveMessage,
  type UpdateSlaveMessage,
} from "../mesos/gen/mesos/internal/messages_pb.ts";
import { TaskStatus_Reason, TaskStatus_Source } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf, uuidText } from "../mesos/ids.ts";
import { Resources } from "../mesos/resources.ts";
import { isTerminal } from "../mesos/states.ts";
import { makeUnacknowledgedStatus } from "../mesos/status.ts";
import type { Cluster } from "./cluster.ts";
import { type Agent, executorKey, type TaskEntry } from "./model.ts";

/** Takes over what only the agent knows; what only we know goes back as reconciliations. */
export function takeOver(cluster: Cluster, agent: Agent, message: ReregisterSlaveMessage): ReconcileTasksMessage[] {
  for (const executor of message.executorInfos) {
    const frameworkId = idOf(executor.frameworkId);
    const key = executorKey(frameworkId, idOf(executor.executorId));
    if (agent.executors.has(key)) continue;
    const resources = Resources.of(executor.resources).unallocated();
    agent.executors.set(key, { info: executor, frameworkId, resources });
    agent.used = agent.used.add(resources);
  }
  const reported = new Set<string>();
  for (const task of message.tasks) {
    const frameworkId = idOf(task.frameworkId);
    const key = executorKey(frameworkId, idOf(task.taskId));
    reported.add(key);
    if (agent.tasks.has(key)) continue;
    const resources = Resources.of(task.resources).unallocated();
    const released = isTerminal(task.state);
    const entry = { task, frameworkId, agentId: agent.id, resources, released, killed: false };
    cluster.addTask(agent, cluster.frameworks.get(frameworkId), entry);
  }
  const lost = new Map<string, TaskEntry[]>();
  for (const [key, entry] of agent.tasks)
    if (!reported.has(key)) lost.set(entry.frameworkId, [...(lost.get(entry.frameworkId) ?? []), entry]);
  return [...lost].map(([frameworkId, entries]) => reconciliation(cluster, frameworkId, entries));
}

/** An agent that was unreachable is back: its frameworks hear what their tasks are, as masters since 1.5 tell them. */
export function tellReturned(cluster: Cluster, agent: Agent): void {
  for (const { task, frameworkId } of agent.tasks.values()) {
    const framework = cluster.frameworks.get(frameworkId);
    if (framework === undefined) continue;
    cluster.tell(framework, {
      taskId: idOf(task.taskId),
      agentId: agent.id,
      executorId: task.executorId?.value,
      state: task.state,
      reason: TaskStatus_Reason.AGENT_REREGISTERED,
      message: "Unreachable agent re-registered",
    });
  }
}

/** Takes over operations that only the agent knows, and asks about those that it should know and does not. */
export function takeOperations(
  cluster: Cluster,
  agentId: string,
  { operations }: UpdateSlaveMessage,
): ReconcileOperationsMessage {
  const reported = new Set<string>();
  for (const operation of operations?.operations ?? []) {
    const { uuid, info, frameworkId } = operation;
    const bytes = uuid?.value ?? new Uint8Array();
    reported.add(uuidText(bytes));
    const operationId = info?.id?.value;
    if (operationId === undefined || frameworkId === undefined) continue;
    cluster.operations.set(uuidText(bytes), {
      frameworkId: frameworkId.value,
      operationId,
      agentId,
      uuid: bytes,
      operation,
    });
  }
  const missing = [...cluster.operations].filter(([key, entry]) => entry.agentId === agentId && !reported.has(key));
  return create(ReconcileOperationsMessageSchema, {
    operations: missing.map(([, { uuid }]) => ({ operationUuid: { value: uuid } })),
  });
}

function reconciliation(cluster: Cluster, frameworkId: string, entries: readonly TaskEntry[]): ReconcileTasksMessage {
  const framework = cluster.frameworks.get(frameworkId);
  const now = cluster.context.clock.now();
  return create(ReconcileTasksMessageSchema, {
    frameworkId: { value: frameworkId },
    statuses: entries.map(({ task, agentId }) =>
      makeUnacknowledgedStatus(now, {
        taskId: { value: idOf(task.taskId) },
        agentId: { value: agentId },
        state: task.state,
        source: TaskStatus_Source.MASTER,
        reason: TaskStatus_Reason.RECONCILIATION,
        message: "Reconciliation",
      }),
    ),
    ...(framework && { framework: framework.info }),
  });
}
