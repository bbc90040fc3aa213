import type {
  CgroupInfo,
  Resource,
  ResourceStatistics,
  TaskStatus_Reason,
  Value_Scalar,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { CheckpointedContainer, ContainerSpec } from "./container.ts";

/** A container went over a limit and is to be ended. */
export interface Limitation {
  readonly reason: TaskStatus_Reason;
  readonly message: string;
  /** How much of what was used. */
  readonly resources: readonly Resource[];
}

/** What a process does to itself before it becomes the task. */
export interface Confinement {
  /** cgroup.procs files that it writes itself into, in this order. */
  readonly controlGroups: readonly string[];
  /** What it is shown read-only: see ProcessRequest. */
  readonly readOnly?: readonly string[];
  /** With a cgroup namespace of its own: the group that is then its user's, and where it sees it. */
  readonly ownGroup: { readonly path: string; readonly at: string } | undefined;
}

/** One isolator: holds containers to what they were given, or only measures them. Unknown ids are ignored everywhere. */
export interface Isolator {
  /** Whether a limit that it is to hold (its row's `enforces`) is held here; absent: it is. */
  holds?(limit: "cpus" | "mem"): boolean;
  /**
   * Before the container starts. `limited` is called at most once, later, when the container goes over a limit. May throw:
   * `cleanup` is called then, too.
   */
  prepare(spec: ContainerSpec, limited: (limitation: Limitation) => void): void | Promise<void>;
  /** Takes up a container that a previous agent started. */
  recover(spec: CheckpointedContainer, limited: (limitation: Limitation) => void): void | Promise<void>;
  update(
    containerId: string,
    resources: readonly Resource[],
    limits: Readonly<Record<string, Value_Scalar>>,
  ): void | Promise<void>;
  /** Holds the container to so many bytes of memory from now on: `update` changes that no more. False: it does not hold any. */
  limitMemory?(containerId: string, bytes: number): Promise<boolean>;
  /** cgroup.procs files that a process of the container enters, in this order. */
  members?(containerId: string): readonly string[];
  /** The group that a container with a cgroup namespace sees, and where. */
  ownGroup?(containerId: string): Confinement["ownGroup"];
  /** Fields that override what the process tree shows. */
  usage(containerId: string): Partial<ResourceStatistics> | Promise<Partial<ResourceStatistics>>;
  /** Figures of all containers together, by the names of the metrics. */
  figures?(): Iterable<readonly [string, number]>;
  /** When a container has ended: whether it ended because of a limit. */
  limitation?(containerId: string): Limitation | undefined;
  /** After everything in the container has ended. */
  cleanup(containerId: string): void | Promise<void>;
  /** After recovery: ends and forgets what this agent once isolated and is in none of these containers. */
  sweep?(containerIds: ReadonlySet<string>): Promise<void>;
  /** Containers stay confined. */
  close(): void;
}

/** What the mesos containerizer asks of the isolators, all of them together. */
export interface Isolation {
  /** Which limits of a task are held. */
  readonly enforces: { readonly cpus: boolean; readonly mem: boolean };
  /**
   * Before the container starts. `limited` is called at most once, later, when the container goes over a limit. Rejects
   * with a TaskFailure, having undone what it did.
   */
  prepare(spec: ContainerSpec, limited: (limitation: Limitation) => void): Promise<Confinement>;
  /** Takes up a container that a previous agent started. */
  recover(spec: CheckpointedContainer, limited: (limitation: Limitation) => void): Promise<void>;
  update(
    containerId: string,
    resources: readonly Resource[],
    limits: Readonly<Record<string, Value_Scalar>>,
  ): Promise<void>;
  /** Holds the container to so many bytes of memory from now on: `update` changes that no more. False: nobody holds it. */
  limitMemory(containerId: string, bytes: number): Promise<boolean>;
  /** For a further process of a running container. */
  confinement(containerId: string): Confinement;
  /** Fields that override what the process tree shows. */
  usage(containerId: string): Promise<Partial<ResourceStatistics>>;
  /** Figures of all containers together, by the names of the metrics. */
  figures(): Iterable<readonly [string, number]>;
  status(containerId: string): CgroupInfo | undefined;
  /** When a container has ended: whether it ended because of a limit. */
  limitation(containerId: string): Limitation | undefined;
  /** After everything in the container has ended. Unknown ids are ignored. */
  cleanup(containerId: string): Promise<void>;
  /** After recovery: ends and forgets what this agent once isolated and is in none of these containers. */
  sweep(containerIds: ReadonlySet<string>): Promise<void>;
  /** Ends what the isolators started; containers stay confined. */
  close(): Promise<void>;
}
