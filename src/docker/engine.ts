import type { Duplex } from "node:stream";
import type { CreateRequest } from "./create-request.ts";
import type { LogFrame } from "./log-frames.ts";

export interface EngineVersion {
  /** Product version, for example `20.10.24`. */
  readonly version: string;
  /** The API version spoken. */
  readonly api: string;
  readonly os: string;
  readonly architecture: string;
}

export interface EngineInfo {
  readonly cgroupVersion: 1 | 2;
  readonly cgroupDriver: string;
  /** Where images and containers live, on the daemon's host. */
  readonly rootDirectory: string;
  readonly liveRestore: boolean;
  /** Bytes of memory of the daemon's host. */
  readonly memory: number;
}

export interface ContainerState {
  readonly status: string;
  /** True while it runs, is paused, or waits for a restart by its policy. */
  readonly running: boolean;
  readonly restarting: boolean;
  readonly oomKilled: boolean;
  readonly pid: number | undefined;
  readonly exitCode: number;
  /** The daemon's words when it could not start. */
  readonly error: string;
  /** Undefined: never. */
  readonly startedAt: string | undefined;
  readonly finishedAt: string | undefined;
}

export interface ContainerDetails {
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  /** `sha256:…` */
  readonly image: string;
  readonly createdAt: string;
  readonly state: ContainerState;
  readonly labels: Readonly<Record<string, string>>;
  readonly tty: boolean;
  /** Its process reads what is written to it (`--interactive`). */
  readonly readsInput: boolean;
  readonly stopSignal: string | undefined;
  readonly networkMode: string;
  readonly memory: number;
  readonly memorySwap: number;
  readonly cpuShares: number;
  readonly cpuQuota: number;
  readonly mounts: readonly { readonly source: string; readonly destination: string }[];
  readonly addresses: ContainerAddresses;
  /** The daemon's own JSON text. */
  readonly raw: string;
}

export interface ContainerAddresses {
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
}

export interface ContainerSummary {
  readonly id: string;
  readonly names: readonly string[];
  readonly imageId: string;
  /** created, running, paused, restarting, removing, exited or dead. */
  readonly state: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ImageSummary {
  readonly id: string;
  readonly tags: readonly string[];
  /** Seconds since the epoch. */
  readonly created: number;
  readonly bytes: number;
}

export interface EngineEvent {
  /** `container`, `image`, … */
  readonly type: string;
  /** `die`, `oom`, `destroy`, … */
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A container's counters, one shape for cgroup v1 and v2. Times are nanoseconds, sizes bytes. */
export interface ContainerStats {
  readonly readAt: string;
  readonly cpuUser: number;
  readonly cpuSystem: number;
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttledTime: number;
  readonly memoryUsage: number | undefined;
  readonly memoryLimit: number | undefined;
  /** memory.stat of either version. */
  readonly memory: Readonly<Record<string, number>>;
  readonly processes: number | undefined;
  readonly networks: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export interface PullProgress {
  /** Layers known and layers done. */
  readonly layers: number;
  readonly done: number;
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface PullOptions {
  /** `X-Registry-Auth`: base64url of the JSON. */
  readonly auth?: string | undefined;
  readonly platform?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds without a line of progress after which the pull fails. */
  readonly stall: number;
  readonly onProgress?: (progress: PullProgress) => void;
}

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  /** Seconds since the epoch, with nanoseconds; inclusive. */
  readonly since?: string | undefined;
  readonly tty: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface ExecOptions {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly user?: string | undefined;
  readonly timeout: number;
  readonly signal?: AbortSignal | undefined;
}

/** Of a terminal, in characters; 0: not said. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** A command inside a container that somebody speaks with. */
export interface InteractiveExec {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** undefined: the container's own. */
  readonly user: string | undefined;
  /** With a terminal of this size; undefined: with pipes. */
  readonly terminal: TerminalSize | undefined;
}

export interface ExecState {
  readonly running: boolean;
  /** undefined: it has not ended. */
  readonly exitCode: number | undefined;
  /** In the daemon's pid namespace; undefined: it was never started, or (Podman) is over. */
  readonly pid: number | undefined;
}

export interface UpdateRequest {
  readonly CpuShares?: number;
  readonly CpuPeriod?: number;
  readonly CpuQuota?: number;
  readonly Memory?: number;
  readonly MemoryReservation?: number;
  readonly MemorySwap?: number;
}

/**
 * The part of Docker's Engine API that an agent needs. Every call has a deadline of its own and rejects with an
 * EngineError; answers are bounded and checked.
 */
export interface Engine {
  /** For texts: `unix:///var/run/docker.sock`. */
  readonly endpoint: string;
  ping(): Promise<void>;
  version(): Promise<EngineVersion>;
  info(): Promise<EngineInfo>;

  /** The new container's id. */
  create(name: string, request: CreateRequest, platform?: string): Promise<{ id: string; warnings: readonly string[] }>;
  /** Starting a started one is no error. */
  start(id: string): Promise<void>;
  inspect(idOrName: string): Promise<ContainerDetails>;
  /** Bytes that a container wrote into its own layer: the daemon walks it for this. Volumes do not count. */
  layerBytes(id: string): Promise<number>;
  /** All containers, running or not, that carry every given label (`key` or `key=value`). */
  list(labels?: readonly string[]): Promise<ContainerSummary[]>;
  /** Sends a signal. Resolves also when the container does not run. */
  kill(id: string, signal: string): Promise<void>;
  /** Removes container and anonymous volumes; one that is gone is no error. */
  remove(id: string, options?: { readonly force?: boolean }): Promise<void>;
  update(id: string, request: UpdateRequest): Promise<void>;
  stats(id: string): Promise<ContainerStats>;
  /** Whether a path exists inside the container, running or not. */
  pathExists(id: string, path: string): Promise<boolean>;
  logs(id: string, options: LogOptions): Promise<AsyncGenerator<LogFrame[]>>;
  /** Output of a running container from now on, for log drivers that cannot be read. */
  attach(id: string, tty: boolean, signal: AbortSignal): Promise<AsyncGenerator<LogFrame[]>>;
  /** Runs a command inside; its output is dropped. `undefined`: not ended within the timeout. */
  exec(id: string, options: ExecOptions): Promise<{ exitCode: number | undefined; pid: number | undefined }>;
  /**
   * Starts a command inside. The connection is its stdin and, as `outputsOf` takes them apart, its outputs. That it could not be
   * started is said in its output, and by a state without a pid.
   */
  openExec(id: string, request: InteractiveExec): Promise<{ id: string; connection: Duplex }>;
  execState(execId: string): Promise<ExecState>;
  resizeExec(execId: string, size: TerminalSize): Promise<void>;
  /** A connection with a container's own process, from now on: what it reads, or what it says. */
  connect(id: string, direction: "input" | "output"): Promise<Duplex>;
  /** Of the container's own terminal. */
  resize(id: string, size: TerminalSize): Promise<void>;

  /** The id of a local image, undefined when there is none. */
  imageId(reference: string): Promise<string | undefined>;
  images(): Promise<ImageSummary[]>;
  pull(reference: string, options: PullOptions): Promise<void>;
  removeImage(id: string): Promise<void>;

  /** Container events from now on (or from `since`, seconds), until `signal`. Ends when the daemon goes away. */
  events(signal: AbortSignal, labels: readonly string[], since?: string): Promise<AsyncGenerator<EngineEvent>>;
  close(): Promise<void>;
}
