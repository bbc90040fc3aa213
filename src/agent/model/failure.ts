import { type Resource, TaskState, TaskStatus_Reason } from "../../mesos/gen/mesos/v1/mesos_pb.ts";

/** What runs containers does not answer now; later it may. The message says what. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}

/**
 * Why a task could not be run or go on: it maps one to one on the terminal TaskStatus, so nobody matches strings.
 * Source is always SOURCE_AGENT.
 */
export class TaskFailure extends Error {
  readonly state: TaskState;
  readonly reason: TaskStatus_Reason | undefined;
  readonly limitation: readonly Resource[] | undefined;

  constructor(
    state: TaskState,
    reason: TaskStatus_Reason | undefined,
    message: string,
    options: ErrorOptions & { limitation?: readonly Resource[] } = {},
  ) {
    super(message, options);
    this.name = "TaskFailure";
    this.state = state;
    this.reason = reason;
    this.limitation = options.limitation;
  }

  /** The container could not be started: TASK_FAILED, REASON_CONTAINER_LAUNCH_FAILED. */
  static launch(message: string, options?: ErrorOptions): TaskFailure {
    return new TaskFailure(TaskState.TASK_FAILED, TaskStatus_Reason.CONTAINER_LAUNCH_FAILED, message, options);
  }
}
