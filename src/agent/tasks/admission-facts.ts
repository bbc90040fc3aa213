import type { FrameworkInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ExecutorState } from "../model/records.ts";
import type { AgentStatus } from "./executor-control.ts";

/** Everything that decides whether a launch goes on, as plain facts. */
export interface AdmissionFacts {
  readonly framework: FrameworkInfo;
  readonly frameworkTerminating: boolean;
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
