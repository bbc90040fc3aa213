import type {
  CommandInfo,
  ContainerInfo,
  ContainerStatus,
  ExecutorInfo,
  FrameworkInfo,
  Resource,
  ResourceStatistics,
  TaskInfo,
  TaskState,
  TaskStatus_Reason,
  Value_Scalar,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { KeptContainers, NestedContainers } from "./nested.ts";
import type { Reach } from "./reach.ts";
import type { Sessions } from "./session.ts";

/**
 * One container as the agent asks for it: a command task (the agent is its executor; `task` is set) or an executor
 * process (`task` is unset).
 */
export interface ContainerSpec {
  /** A uuid in text form. */
  readonly containerId: string;
  readonly framework: FrameworkInfo;
  /** For a command task the generated one (mesos-agent-behaviour §5.4). */
  readonly executor: ExecutorInfo;
  readonly task: TaskInfo | undefined;
  /** What to run: the task's command, or the executor's. Its environment is already in `environment`. */
  readonly command: CommandInfo;
  readonly container: ContainerInfo | undefined;
  /** Absolute path on the host; exists and belongs to `user` when launch is called. stdout and stderr go in here. */
  readonly sandbox: string;
  /** The user to run as; undefined = the agent's own (no switch_user, or not root). */
  readonly user: string | undefined;
  /** The complete environment of the process, the user's own variables included. */
  readonly environment: Readonly<Record<string, string>>;
  readonly resources: readonly Resource[];
  /** TaskInfo.limits (1.10+): scalar per resource name, Infinity allowed. */
  readonly limits: Readonly<Record<string, Value_Scalar>>;
  /** FrameworkInfo.checkpoint: whether the container outlives this agent process and is picked up again. */
  readonly checkpoint: boolean;
  /** Of a nested container: the outermost sandbox, in which its own lies. */
  readonly within?: string;
  /** Of a nested container: its parent's sandbox. */
  readonly parentSandbox?: string;
  /** The container whose control groups it runs in; absent: it has groups of its own. */
  readonly sharesGroupsOf?: string;
  /** It has no process of its own, only a sandbox, limits, and the containers in it. */
  readonly processless?: boolean;
}

/** What is known of a container after a restart of the agent, from the agent's own checkpoints. */
export type CheckpointedContainer = Omit<ContainerSpec, "environment"> & {
  /** From `pids/forked.pid`: the process that a C++ agent (or we) checkpointed. */
  readonly pid: number | undefined;
};

/** A started container. */
export interface StartedContainer {
  /** Process id on the agent's side of pid namespaces, when there is one. Checkpointed as `pids/forked.pid`. */
  readonly pid: number | undefined;
  /** Goes into TASK_RUNNING's container_status. */
  readonly status: ContainerStatus;
  /** Goes into TASK_RUNNING's `data` (docker: the inspect JSON that Marathon and mesos-dns read). */
  readonly data: Uint8Array | undefined;
  /** Goes into TASK_RUNNING's labels (docker: `Docker.NetworkSettings.IPAddress`, which mesos-dns reads). */
  readonly labels?: Readonly<Record<string, string>>;
}

/** How a container ended. */
export interface ContainerTermination {
  /** Raw wait(2) status; undefined when nobody could know it. */
  readonly status: number | undefined;
  /** Set when the containerizer ended it (limits), or knows better than the exit status. */
  readonly state?: TaskState;
  readonly reason?: TaskStatus_Reason;
  readonly message?: string;
  readonly limitation?: readonly Resource[];
}

/** An image on its way, and how far it is. */
export interface ImagePull {
  readonly reference: string;
  readonly progress:
    | { readonly layers: number; readonly done: number; readonly bytes: number; readonly totalBytes: number }
    | undefined;
}

/** How far the stage of a launch is that brings files. */
export interface FetchProgress {
  /** Without passwords. */
  readonly uri: string;
  /** The first is 1. */
  readonly number: number;
  readonly count: number;
  readonly bytes: number;
  /** undefined: the server does not say. */
  readonly totalBytes: number | undefined;
}

/** Which bytes are wanted of each stream: `length` from `offset` on. */
export type LogWindows = Readonly<Record<"stdout" | "stderr", { readonly offset: number; readonly length: number }>>;

/** Those bytes, and how many there are of the whole stream. */
export type LogParts = Readonly<Record<"stdout" | "stderr", { readonly size: number; readonly data: Uint8Array }>>;

/** The result of a command run inside a container (health checks). */
export interface CommandResult {
  /** 0 to 255; 128 + n when a signal ended it. */
  readonly exitCode: number;
}

/**
 * Runs containers. Implementations keep what they need to find a container again (runtime directory, labels), so that
 * `recover` works after the agent, or its own container, was replaced. Every call ends within a deadline of its own.
 */
export interface Containerizer {
  /** As `--containerizers` names it. */
  readonly name: string;
  /** Milliseconds from SIGTERM to SIGKILL for tasks that ask for none (`--docker_stop_timeout`); undefined: the agent's own. */
  readonly killGrace: number | undefined;
  /** Which limits of a task are held: Docker holds all, the mesos containerizer those of its control groups. */
  readonly enforces: { readonly cpus: boolean; readonly mem: boolean };

  /** Whether this containerizer is the one for `container` (undefined: a task without ContainerInfo). */
  accepts(container: ContainerInfo | undefined): boolean;

  /**
   * Whether it can run such a container, before anything is done for it. Throws or rejects with the TaskFailure to report.
   * The spec's environment is not there yet.
   */
  check(spec: ContainerSpec): void | Promise<void>;

  /**
   * Pulls images, isolates, starts. Resolves when the process runs. Rejects with a TaskFailure, having
   * cleaned up; an aborted `signal` makes it stop early (kill during launch). A container that runs by then is returned:
   * the caller ends it with the grace that it owes to anything that runs.
   */
  launch(spec: ContainerSpec, signal: AbortSignal): Promise<StartedContainer>;

  /**
   * Picks up what still runs or ended meanwhile; `wait` then works for every id that it returns. Containers of this
   * agent that are not expected (orphans) are ended. Never touches anybody else's.
   */
  recover(expected: readonly CheckpointedContainer[]): Promise<ReadonlySet<string>>;

  /** Changes limits of a running container. */
  update(
    containerId: string,
    resources: readonly Resource[],
    limits: Readonly<Record<string, Value_Scalar>>,
  ): Promise<void>;

  /**
   * Holds a running container to so many bytes of memory, whatever its resources say, until it ends or is told another number;
   * over restarts of the agent, too. False: no such container runs. Rejects when it cannot be held to that.
   */
  limitMemory(containerId: string, bytes: number): Promise<boolean>;

  /**
   * Asks the container to end (SIGTERM, docker stop) and ends it after `graceMilliseconds`. Resolves once asked. Called
   * again with a shorter grace, the shorter one holds, counted from the first call.
   */
  stop(containerId: string, graceMilliseconds: number): Promise<void>;

  /** Ends it at once. Resolves when asked; `wait` tells the end. Unknown ids are ignored. */
  destroy(containerId: string): Promise<void>;

  /** Resolves when the container has ended and its output is complete. Rejects for an unknown id. */
  wait(containerId: string): Promise<ContainerTermination>;

  usage(containerId: string): Promise<ResourceStatistics | undefined>;

  status(containerId: string): Promise<ContainerStatus>;

  /** Runs a command inside the container, with the container's environment plus the command's. */
  run(containerId: string, command: CommandInfo, timeoutMilliseconds: number): Promise<CommandResult>;

  /** How HTTP and TCP probes reach what listens on the container's loopback, as it is now. Rejects for an unknown id. */
  reach(containerId: string): Promise<Reach>;

  /** Forgets an ended container: its runtime files go; images and volumes stay. */
  remove(containerId: string): Promise<void>;

  /** Details for /health and metrics: undefined when all is well, else what is wrong. */
  trouble(): string | undefined;

  /** Images that are being brought, for what a task waits for; absent where none ever are. */
  pulling?(): readonly ImagePull[];

  /** What runs the containers, for people: `Docker 27.3.1, API 1.47`. Rejects, or is undefined, while nobody knows. */
  engineName?(): Promise<string | undefined>;

  /** The containers within its own, and those that stand alone; absent where there can be none. */
  readonly nested?: NestedContainers;

  /** Processes in its containers that clients speak with; absent where there can be none. */
  readonly sessions?: Sessions;

  /** Those processes as containers, where `nested` does not have them. */
  readonly kept?: KeptContainers;

  /**
   * Parts of what a container itself has logged, for a sandbox that has none; absent where the sandbox has all there is.
   * Rejects when it cannot be read; undefined: the container is gone.
   */
  ownLog?(containerId: string, wanted: LogWindows): Promise<LogParts | undefined>;

  /** Lets go of everything held here; containers keep running. */
  close(): Promise<void>;
}
