import type {
  RunTaskMessage,
  StatusUpdate,
  UpdateOperationStatusRecord,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import type {
  AgentInfo,
  DrainConfig,
  ExecutorInfo,
  FrameworkInfo,
  Operation,
  Resource,
  Task,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";

/** What a work_dir says about the agent that used it, ours or a C++ one. */
export interface CheckpointedState {
  readonly bootId: string | undefined;
  readonly resources: readonly Resource[];
  /** Present when a change of resources was interrupted: redo its disk changes, then commit it. */
  readonly resourcesTarget: readonly Resource[] | undefined;
  /** Operations on the agent's resources whose status nobody has acknowledged, or (C++) that were under way. */
  readonly operations: readonly Operation[];
  readonly agent: CheckpointedAgent | undefined;
  /** Items that could not be read and were left out; always empty when strict. */
  readonly errors: number;
}

export interface CheckpointedAgent {
  readonly id: string;
  readonly info: AgentInfo;
  readonly drain: DrainConfig | undefined;
  readonly frameworks: readonly CheckpointedFramework[];
  readonly operationStreams: readonly CheckpointedOperationStream[];
}

/** The updates of one operation, as they were appended. */
export interface CheckpointedOperationStream {
  /** In text form, from the folder's name. */
  readonly uuid: string;
  readonly records: readonly UpdateOperationStatusRecord[];
}

export interface CheckpointedFramework {
  readonly id: string;
  readonly info: FrameworkInfo;
  /** undefined for schedulers without a pid. */
  readonly pid: string | undefined;
  readonly executors: readonly CheckpointedExecutor[];
}

export interface CheckpointedExecutor {
  readonly id: string;
  readonly info: ExecutorInfo;
  /** undefined when the file is missing: agents before 1.10 did not write it. */
  readonly generatedForCommandTask: boolean | undefined;
  /** The newest run. */
  readonly run: CheckpointedRun | undefined;
  /** Container ids of older runs: only to be collected. */
  readonly olderRuns: readonly string[];
}

export interface CheckpointedRun {
  readonly containerId: string;
  readonly completed: boolean;
  readonly forkedPid: number | undefined;
  readonly libprocessPid: string | undefined;
  readonly http: boolean;
  readonly tasks: readonly CheckpointedTask[];
}

export interface CheckpointedTask {
  readonly id: string;
  readonly task: Task;
  readonly launch: RunTaskMessage | undefined;
  /** The ids of the group that it came in. */
  readonly group: readonly string[] | undefined;
  readonly killGrace: number | undefined;
  readonly updates: readonly { readonly update?: StatusUpdate; readonly acknowledged?: Uint8Array }[];
}
