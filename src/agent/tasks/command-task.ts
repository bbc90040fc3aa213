import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type { Timer } from "../../base/clock.ts";
import {
  CheckInfo_Type,
  type CheckStatusInfo,
  CheckStatusInfoSchema,
  TaskState,
  type TaskStatus,
  TaskStatusSchema,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { frameworkCan } from "../../mesos/states.ts";
import type { ExecutorRecord, FrameworkRecord, TaskRecord } from "../model/records.ts";

/** Why a task's end was asked for. */
export type EndCause = "kill" | "unhealthy" | "overdue" | "shutdown";

/**
 * A command task on its way:
 *
 *   preparing ──▶ running ──▶ killing ──▶ ended
 *       │            └──────────────────────▲
 *       └── failed, or killed before it ran ─┘
 */
export type CommandTaskState =
  | { readonly kind: "preparing"; readonly abort: AbortController }
  /** `stopChecks` ends its checks; `deadline`: max_completion_time. */
  | { readonly kind: "running"; readonly stopChecks: () => void; readonly deadline: Timer | undefined }
  | { readonly kind: "killing"; readonly cause: EndCause }
  | { readonly kind: "ended" };

const MOVES: Readonly<Record<CommandTaskState["kind"], readonly CommandTaskState["kind"][]>> = {
  preparing: ["running", "ended"],
  running: ["killing", "ended"],
  killing: ["ended"],
  ended: [],
};

export type StatusInit = Omit<MessageInitShape<typeof TaskStatusSchema>, "$typeName" | "$unknown">;

/** One command task, and what is known of it: every status carries all of that. */
export class CommandTask {
  readonly framework: FrameworkRecord;
  readonly executor: ExecutorRecord;
  readonly task: TaskRecord;
  #state: CommandTaskState;
  #healthy: boolean | undefined;
  #checkStatus: CheckStatusInfo | undefined;
  #labels: StatusInit["labels"];

  constructor(
    framework: FrameworkRecord,
    executor: ExecutorRecord,
    task: TaskRecord,
    state: CommandTaskState = { kind: "preparing", abort: new AbortController() },
  ) {
    this.framework = framework;
    this.executor = executor;
    this.task = task;
    this.#state = state;
    this.#checkStatus = emptyCheckStatus(task.info?.check?.type);
    // The newest status of each state is kept, in the order they came.
    for (const status of task.task.statuses) this.#learn(status);
  }

  get state(): CommandTaskState {
    return this.#state;
  }

  /** A move that the table does not have is a defect of ours. */
  move(to: CommandTaskState): void {
    if (!MOVES[this.#state.kind].includes(to.kind))
      throw new Error(`task ${this.task.taskId} cannot go from ${this.#state.kind} to ${to.kind}`);
    this.leave();
    this.#state = to;
  }

  /** Its checks and its deadline are nobody's any more. */
  leave(): void {
    if (this.#state.kind !== "running") return;
    this.#state.stopChecks();
    this.#state.deadline?.cancel();
  }

  /** What the checks said last; undefined: nothing yet, or there are none. */
  get known(): { readonly healthy: boolean | undefined; readonly checkStatus: CheckStatusInfo | undefined } {
    return { healthy: this.#healthy, checkStatus: this.#checkStatus };
  }

  /**
   * Whether TASK_KILLING is told before an end: to those who understand it, once, also when the agent restarts meanwhile. C++
   * says nothing either when the time is over: the next update is the last one.
   */
  tellsKilling(cause: EndCause): boolean {
    const isTold = this.task.task.state === TaskState.TASK_KILLING;
    return cause !== "overdue" && !isTold && frameworkCan(this.framework.info, "TASK_KILLING_STATE");
  }

  #learn(status: Partial<Pick<TaskStatus, "healthy" | "checkStatus" | "labels">>): void {
    if (Object.hasOwn(status, "healthy")) this.#healthy = status.healthy;
    this.#checkStatus = status.checkStatus ?? this.#checkStatus;
    this.#labels = status.labels ?? this.#labels;
  }

  /**
   * `status` with everything else that is known of the task. A check's status is there, of its type, from TASK_STARTING on
   * (as in C++); so is what the health check said last, which C++ leaves out where a check's update comes in between.
   */
  complete(status: StatusInit): StatusInit {
    // Most say nothing of these: each status of a burst would be made twice.
    if (Object.hasOwn(status, "healthy") || status.checkStatus !== undefined || status.labels !== undefined)
      this.#learn(create(TaskStatusSchema, status));
    return {
      ...(this.#healthy !== undefined && { healthy: this.#healthy }),
      ...(this.#checkStatus && { checkStatus: this.#checkStatus }),
      ...(this.#labels && { labels: this.#labels }),
      ...status,
    };
  }
}

function emptyCheckStatus(type: CheckInfo_Type | undefined): CheckStatusInfo | undefined {
  switch (type) {
    case CheckInfo_Type.COMMAND:
      return create(CheckStatusInfoSchema, { type, command: {} });
    case CheckInfo_Type.HTTP:
      return create(CheckStatusInfoSchema, { type, http: {} });
    case CheckInfo_Type.TCP:
      return create(CheckStatusInfoSchema, { type, tcp: {} });
    default:
      return undefined;
  }
}
