import { type FrameworkInfo, TaskState, TaskStatus_Reason } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { unlessLost } from "../../mesos/states.ts";
import type { ExecutorState } from "../model/records.ts";
import type { AgentStatus } from "./executor-control.ts";

/** Everything that decides whether a launch goes on, as plain facts. */
export interface AdmissionFacts {
  readonly framework: FrameworkInfo;
  readonly frameworkTerminating: boolean;
  /** Why the framework may not launch its tasks as their users, if it may not. */
  readonly unauthorized: string | undefined;
  readonly isGroup: boolean;
  readonly draining: boolean;
  /** The master computed the offer from another resource version than the agent's (1.5+). */
  readonly staleResources: boolean;
  readonly taskResourcesKnown: boolean;
  readonly executorResourcesKnown: boolean;
  /** RunTaskMessage.launch_executor; undefined from masters before 1.5.1. */
  readonly launchExecutor: boolean | undefined;
  readonly isCommandTask: boolean;
  /** Why the task's limits cannot be held, if they cannot. */
  readonly limitsProblem: string | undefined;
  readonly executor: ExecutorState | undefined;
}

export type Verdict =
  | { readonly kind: "launch" }
  | { readonly kind: "use" }
  | {
      readonly kind: "refuse";
      /** undefined: the task vanishes without an update (terminating framework). */
      readonly status: AgentStatus | undefined;
      /** The master counts an executor that will never be: tell it (ExitedExecutorMessage with status -1). */
      readonly exited: boolean;
      readonly shutdownExecutor: boolean;
    };

type Refuse = (
  reason: TaskStatus_Reason,
  message: string,
  more?: { readonly shutdownExecutor?: boolean; readonly state?: TaskState },
) => Verdict;

/** The checks of a launch, in Mesos' order (mesos-wire §3.13). Pure. */
export function judgeLaunch(facts: AdmissionFacts): Verdict {
  const { framework, executor, launchExecutor } = facts;
  const masterTracksExecutors = launchExecutor !== undefined;
  const dropped = unlessLost(framework, TaskState.TASK_DROPPED);
  const refuse: Refuse = (reason, message, more = {}) => ({
    kind: "refuse",
    status: { state: more.state ?? dropped, reason, message },
    exited: launchExecutor === true && (executor === undefined || executor === "TERMINATED") && !facts.isCommandTask,
    shutdownExecutor: more.shutdownExecutor ?? false,
  });
  if (facts.frameworkTerminating) {
    return {
      kind: "refuse",
      status: undefined,
      exited: launchExecutor === true && !facts.isCommandTask,
      shutdownExecutor: false,
    };
  }
  if (facts.unauthorized !== undefined) {
    const { TASK_GROUP_UNAUTHORIZED, TASK_UNAUTHORIZED } = TaskStatus_Reason;
    const reason = facts.isGroup ? TASK_GROUP_UNAUTHORIZED : TASK_UNAUTHORIZED;
    return refuse(reason, facts.unauthorized, { state: TaskState.TASK_ERROR });
  }
  if (facts.draining) return refuse(TaskStatus_Reason.AGENT_DRAINING, "Agent is draining");
  if (facts.staleResources) return refuse(TaskStatus_Reason.INVALID_OFFERS, "Task assumes outdated resource state");
  const where = masterTracksExecutors ? "agent" : "slave";
  if (!facts.taskResourcesKnown) {
    return refuse(
      TaskStatus_Reason.RESOURCES_UNKNOWN,
      `The checkpointed resources being used by the task are unknown to the ${where}`,
    );
  }
  if (!facts.executorResourcesKnown) {
    return refuse(
      TaskStatus_Reason.RESOURCES_UNKNOWN,
      `The checkpointed resources being used by the executor are unknown to the ${where}`,
    );
  }
  // Mesos reports unusable limits with this reason too.
  if (facts.limitsProblem !== undefined) return refuse(TaskStatus_Reason.GC_ERROR, facts.limitsProblem);
  return judgeExecutor(facts, refuse);
}

function judgeExecutor({ executor, launchExecutor, isCommandTask }: AdmissionFacts, refuse: Refuse): Verdict {
  const reason = TaskStatus_Reason.EXECUTOR_TERMINATED;
  if (executor === undefined) {
    if (launchExecutor === false && !isCommandTask) return refuse(reason, "Executor is not running any more");
    return { kind: "launch" };
  }
  if (isCommandTask) return refuse(reason, "A task with this id is known here already");
  if (launchExecutor === true) {
    return refuse(reason, "Executor exists already, but the master wants it launched", {
      shutdownExecutor: executor === "REGISTERING" || executor === "RUNNING",
    });
  }
  if (executor === "TERMINATING") return refuse(reason, "Executor terminating");
  if (executor === "TERMINATED") return refuse(reason, "Executor terminated");
  return { kind: "use" };
}
