import { OperationState, TaskState, TaskStatus_Reason } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { type Call, Event_Type } from "../mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { idOf } from "../mesos/ids.ts";
import { isTerminal } from "../mesos/states.ts";
import type { Cluster } from "./cluster.ts";
import type { Framework } from "./model.ts";

/** What a scheduler is told when it asks what became of its tasks and operations. */
export class Reconciliation {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Tells about the tasks asked for, or about all. */
  tasks(framework: Framework, call: Call): void {
    const asked = call.reconcile?.tasks ?? [];
    for (const { taskId, agentId } of asked) this.answer(framework, idOf(taskId), agentId?.value);
    if (asked.length > 0) return;
    for (const taskId of [...framework.tasks.keys(), ...framework.unreachable.keys()]) this.answer(framework, taskId);
  }

  /** Tells what is known of a task. */
  answer(framework: Framework, taskId: string, asked?: string): void {
    const entry = framework.tasks.get(taskId) ?? framework.unreachable.get(taskId);
    const reason = TaskStatus_Reason.RECONCILIATION;
    if (entry !== undefined) {
      const { task, agentId } = entry;
      const state =
        Object.hasOwn(task, "statusUpdateState") && !isTerminal(task.state) ? task.statusUpdateState : task.state;
      const message = "Reconciliation: Latest task state";
      this.#cluster.tell(framework, { taskId, agentId, executorId: task.executorId?.value, state, reason, message });
      return;
    }
    const [state, message] = this.#unknown(asked);
    this.#cluster.tell(framework, { taskId, agentId: asked, state, reason, message: `Reconciliation: ${message}` });
  }

  #unknown(agentId: string | undefined): [TaskState, string] {
    if (agentId !== undefined && this.#cluster.agents.has(agentId))
      return [TaskState.TASK_GONE, "Task is gone: its agent does not know it"];
    if (agentId !== undefined && this.#cluster.unreachable.has(agentId))
      return [TaskState.TASK_UNREACHABLE, "Task is unreachable: its agent does not answer"];
    return [TaskState.TASK_UNKNOWN, "Task is unknown"];
  }

  /** Tells about the operations asked for. */
  operations(framework: Framework, call: Call): void {
    for (const { operationId, agentId } of call.reconcileOperations?.operations ?? []) {
      const known = [...this.#cluster.operations.values()].some(
        (operation) => operation.frameworkId === framework.id && operation.operationId === operationId?.value,
      );
      const state = known ? OperationState.OPERATION_PENDING : OperationState.OPERATION_UNKNOWN;
      const status = { state, ...(operationId && { operationId }), ...(agentId && { agentId }) };
      this.#cluster.send(framework, { type: Event_Type.UPDATE_OPERATION_STATUS, updateOperationStatus: { status } });
    }
  }
}
