import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { LogSwitch } from "../../base/logging-level.ts";
import type {
  AgentInfo,
  ContainerStatus,
  DrainConfig,
  Operation,
  ResourceStatistics,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Resources } from "../../mesos/resources.ts";
import type { ImagePull } from "../model/container.ts";
import type { ContainerChain, KeptContainers, NestedContainers } from "../model/nested.ts";
import type { ExecutorRecord, FrameworkRecord } from "../model/records.ts";
import type { Sessions } from "../model/session.ts";

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
  /** Whether what is reserved for a role may be seen; absent: all. */
  readonly mayShowRole?: (role: string) => boolean;
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

/** A container that is no executor's own, and what it uses. */
export interface NestedUsage {
  readonly chain: ContainerChain;
  readonly statistics: ResourceStatistics | undefined;
  readonly status: ContainerStatus | undefined;
}

/** Whose a container is. */
interface ContainerOwner {
  readonly framework: FrameworkRecord;
  readonly executor: ExecutorRecord;
}

/** Containers of the operator API. */
export interface ContainersView {
  /** The executor in whose container a chain begins; undefined: no executor's. */
  ownerOf(chain: ContainerChain): ContainerOwner | undefined;
  /** The same, also of executors that are over, as long as they are remembered. */
  everOwnerOf(chain: ContainerChain): ContainerOwner | undefined;
  /** Who runs the containers of a chain; undefined: nobody here can. */
  of(chain: ContainerChain): NestedContainers | undefined;
  /** Who knows the containers of a chain that are there; undefined: nobody. */
  kept(chain: ContainerChain): KeptContainers | undefined;
  /** Sessions in the containers of a chain; undefined: there can be none. */
  sessions(chain: ContainerChain): Sessions | undefined;
  /** Holds a running container that is in no other to so many bytes of memory: see Containerizer. `unheld`: its memory is not limited here. */
  limitMemory(containerId: string, bytes: number): Promise<"done" | "unknown" | "unheld">;
  /** Those that run, measured now. */
  usage(shown: { readonly nested: boolean; readonly standalone: boolean }): Promise<readonly NestedUsage[]>;
}

/** What sessions in running tasks need. */
interface ExecSettings {
  /** `--task_exec` */
  readonly isEnabled: boolean;
  /** `--http_heartbeat_interval`, milliseconds. */
  readonly heartbeat: number;
  readonly clock: Clock;
  readonly log: Logger;
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
  readonly containers: ContainersView;
  readonly exec: ExecSettings;
  /** Images that are being brought now. */
  pulling(): readonly ImagePull[];
  /** Flags as `shownFlags` gives them, secrets masked; undefined: they may not be seen. */
  readonly flags: ReadonlyMap<string, string> | undefined;
  readonly build: BuildFacts;
  readonly logDir: string | undefined;
  readonly externalLogFile: string | undefined;
  /** Metrics by name; what is not known within the timeout (milliseconds) is left out. */
  metrics(timeout: number | undefined): Promise<ReadonlyMap<string, number>>;
  /** What is wrong with parts of the agent, by part: a Docker daemon that hangs, a full disk. Empty: nothing. */
  troubles(): ReadonlyMap<string, string>;
  readonly log: LogSwitch;
  /** Ids of libprocess processes on this port. */
  readonly processes: () => readonly string[];
  readonly system: () => SystemFacts;
  /** How short the machine is of CPU, memory and input or output. */
  readonly shortage: () => ShortageFacts;
  readonly workDir: string;
  /** `v2`, `v1` or `v1 and v2`; undefined where there are none. */
  readonly controlGroups: string | undefined;
  /** What runs containers, each asked within a bound of time. */
  engines(): Promise<readonly EngineFacts[]>;
  /** What runs beside the agent in its container. */
  neighbours(): Promise<NeighbourFacts>;
}

export interface EngineFacts {
  /** As `--containerizers` has it. */
  readonly name: string;
  /** `Docker 27.3.1, API 1.47`; undefined when it has none, or did not answer. */
  readonly version: string | undefined;
  readonly trouble: string | undefined;
}

export interface NeighbourFacts {
  readonly services: readonly {
    readonly name: string;
    /** supervisord's word: RUNNING, FATAL, … */
    readonly state: string;
    /** Seconds since the epoch; 0 when it never started. */
    readonly start: number;
    readonly exitStatus: number;
    /** Why it could not be started; empty when it could. */
    readonly problem: string;
  }[];
  /** Why supervisord could not be asked. */
  readonly servicesProblem?: string;
  /** Why redpill ends the container: exit code and words. */
  readonly verdict?: string;
  readonly forwarder?: ForwarderFacts;
}

/** How far the forwarder is, or why it could not be asked. Bytes and seconds. */
export type ForwarderFacts =
  | { readonly problem: string }
  | {
      /** Shipped; undefined: not all of them may be seen. */
      readonly events: number | undefined;
      readonly lag: { readonly bytes: number; readonly seconds: number };
      readonly servers: readonly { readonly server: string; readonly state: string }[];
      readonly files: readonly { readonly source: string; readonly lagBytes: number; readonly lagSeconds: number }[];
    };

interface ShortageFacts {
  /** Processes that the kernel has killed for want of memory since the machine started; undefined: nobody knows. */
  readonly oomKills: number | undefined;
  /** Per cent of the last minute, of each that the kernel counts. */
  readonly pressure: Readonly<Record<string, number>>;
}

interface SystemFacts {
  /** 1, 5 and 15 minutes. */
  readonly load: readonly [number, number, number];
  readonly cpus: number;
  readonly memoryTotal: number;
  readonly memoryFree: number;
  /** Seconds since the machine started, of all CPUs together. */
  readonly cpuTime: { readonly busy: number; readonly total: number };
}
