import type {
  AgentInfo,
  ContainerStatus,
  DrainConfig,
  Operation,
  ResourceStatistics,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Resources } from "../../mesos/resources.ts";
import type { FrameworkRecord } from "../model/records.ts";

/** What the pages show of the agent at one moment. Records are the agent's own and are only read. */
export interface AgentSnapshot {
  readonly phase: "RECOVERING" | "DISCONNECTED" | "RUNNING" | "TERMINATING";
  /** Its id is unset until the first registration. */
  readonly info: AgentInfo;
  /** `slave(1)@10.0.0.1:5051` */
  readonly pid: string;
  /** Milliseconds since the epoch. */
  readonly startTime: number;
  /** Names of the capabilities that masters are told. */
  readonly capabilities: readonly string[];
  /** Everything, checkpointed reservations and volumes included. */
  readonly total: Resources;
  readonly masterHostname: string | undefined;
  /** Where the leading master's pages are: `master-1:5050`. */
  readonly masterAddress: string | undefined;
  readonly drain:
    | { readonly config: DrainConfig /** Milliseconds since the epoch. */; readonly since: number }
    | undefined;
  /** Arrays: a page goes through them more than once, which an iterator does not survive. */
  readonly frameworks: readonly FrameworkRecord[];
  readonly completedFrameworks: readonly FrameworkRecord[];
  readonly operations: readonly Operation[];
}

/** One running container and what it uses. */
export interface ContainerUsage {
  readonly frameworkId: string;
  readonly executorId: string;
  readonly executorName: string;
  readonly source: string;
  readonly containerId: string;
  /** undefined: it could not be measured. */
  readonly statistics: ResourceStatistics | undefined;
  readonly status: ContainerStatus | undefined;
}

/** The switch of verbose log lines. */
export interface LogSwitch {
  verbosity: number;
}

/** What a build knows of itself. */
export interface BuildFacts {
  /** The Mesos release whose behaviour is followed. */
  readonly version: string;
  /** This project's own version. */
  readonly release?: string;
  /** Milliseconds since the epoch. */
  readonly buildTime: number;
  readonly buildUser: string;
  /** The commit and the tag of that Mesos release. */
  readonly gitSha?: string;
  readonly gitTag?: string;
}

/** The agent as its pages see it. */
export interface AgentView {
  snapshot(): AgentSnapshot;
  /** Every running container, measured now. Bounded in time by whoever measures. */
  usage(): Promise<readonly ContainerUsage[]>;
  /** Flags as `shownFlags` gives them, secrets masked. */
  readonly flags: ReadonlyMap<string, string>;
  readonly build: BuildFacts;
  readonly logDir: string | undefined;
  readonly externalLogFile: string | undefined;
  /** Metrics by name; what is not known within the timeout (milliseconds) is left out. */
  metrics(timeout: number | undefined): Promise<ReadonlyMap<string, number>>;
  /** The same in Prometheus' text format. */
  prometheus(): Promise<string>;
  /** What is wrong with parts of the agent, by part: a Docker daemon that hangs, a full disk. Empty: nothing. */
  troubles(): ReadonlyMap<string, string>;
  readonly log: LogSwitch;
  /** Ids of libprocess processes on this port. */
  readonly processes: () => readonly string[];
  readonly system: () => SystemFacts;
}

interface SystemFacts {
  /** 1, 5 and 15 minutes. */
  readonly load: readonly [number, number, number];
  readonly cpus: number;
  readonly memoryTotal: number;
  readonly memoryFree: number;
}
