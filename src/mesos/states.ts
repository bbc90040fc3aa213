import { enumName } from "./codec.ts";
import {
  type FrameworkInfo,
  FrameworkInfo_Capability_Type,
  TaskState,
  TaskStateSchema,
} from "./gen/mesos/v1/mesos_pb.ts";
import { atLeast } from "./version.ts";

const TERMINAL: ReadonlySet<TaskState> = new Set([
  TaskState.TASK_FINISHED,
  TaskState.TASK_FAILED,
  TaskState.TASK_KILLED,
  TaskState.TASK_ERROR,
  TaskState.TASK_LOST,
  TaskState.TASK_DROPPED,
  TaskState.TASK_GONE,
  TaskState.TASK_GONE_BY_OPERATOR,
]);

/** The states that only PARTITION_AWARE frameworks know; others are told TASK_LOST. */
const PARTITION: ReadonlySet<TaskState> = new Set([
  TaskState.TASK_DROPPED,
  TaskState.TASK_UNREACHABLE,
  TaskState.TASK_GONE,
  TaskState.TASK_GONE_BY_OPERATOR,
  TaskState.TASK_UNKNOWN,
]);

/** Whether a task in this state has ended for good. UNREACHABLE and UNKNOWN have not. */
export const isTerminal = (state: TaskState): boolean => TERMINAL.has(state);

/** `TASK_RUNNING` */
export const stateName = (state: TaskState): string => enumName(TaskStateSchema, state);

type Capability = keyof typeof FrameworkInfo_Capability_Type;

/** Whether a framework declared the capability. */
export function frameworkCan(framework: Pick<FrameworkInfo, "capabilities">, capability: Capability): boolean {
  const type = FrameworkInfo_Capability_Type[capability];
  return framework.capabilities.some((declared) => declared.type === type);
}

/** `state` (TASK_DROPPED, TASK_GONE) for those who tell it from TASK_LOST (1.1 and later). */
export const unlessLost = (framework: Pick<FrameworkInfo, "capabilities">, state: TaskState): TaskState =>
  frameworkCan(framework, "PARTITION_AWARE") ? state : TaskState.TASK_LOST;

/**
 * The state to tell a framework's scheduler: TASK_LOST for the partition states unless it is PARTITION_AWARE,
 * TASK_RUNNING for TASK_KILLING unless it declared TASK_KILLING_STATE.
 *
 * A capability that reached us came through the master, which drops frameworks that declare what it does not know
 * (`Capability.type` was required before 1.0): so this mapping also keeps states from masters too old for them, except
 * the partition states from 1.0 masters; see stateForMaster.
 */
export function stateForFramework(state: TaskState, framework: Pick<FrameworkInfo, "capabilities">): TaskState {
  if (PARTITION.has(state)) return frameworkCan(framework, "PARTITION_AWARE") ? state : TaskState.TASK_LOST;
  if (state === TaskState.TASK_KILLING)
    return frameworkCan(framework, "TASK_KILLING_STATE") ? state : TaskState.TASK_RUNNING;
  return state;
}

/**
 * The state to put into a required field of a message for a master of this version: an unknown number there drops the
 * whole message, for a re-registration without a trace. `version` undefined: it is not known, nothing is changed.
 */
export function stateForMaster(state: TaskState, version: string | undefined): TaskState {
  if (version === undefined) return state;
  if (PARTITION.has(state)) return atLeast(version, "1.1.0") ? state : TaskState.TASK_LOST;
  if (state === TaskState.TASK_KILLING) return atLeast(version, "0.28.0") ? state : TaskState.TASK_RUNNING;
  return state;
}
