import type { Clock } from "../../../base/clock.ts";
import type { Logger } from "../../../base/log.ts";
import type { Engine } from "../../../docker/engine.ts";
import type { AskHelper } from "../../../docker/registry-auth.ts";
import type { DiskOptions } from "../../isolators/disk.ts";
import type { ProcessTable } from "../mesos/process-table.ts";
import type { NameScheme } from "./identity.ts";
import type { ImageCollection } from "./image-collection.ts";
import type { ContainerDns } from "./networks.ts";
import type { Rotation } from "./output-file.ts";

/** What the Docker containerizer needs of the world. */
export interface DockerContainerizerOptions {
  /** Ours from now on: closed with the containerizer. */
  readonly engine: Engine;
  /** `--work_dir`: must have the same path for the daemon. */
  readonly workDir: string;
  /** A folder of our own that outlives the agent and its container: below work_dir. */
  readonly stateDirectory: string;
  /** Who the containers belong to. */
  readonly agent: { readonly id: string };
  readonly clock: Clock;
  readonly log: Logger;
  /** `--switch_user`, and the agent is root: the user that a session's command names counts. Default: it does not. */
  readonly switchesUser?: boolean;
  /** Default: the kernel's own. */
  readonly processTable?: ProcessTable;

  /** `--sandbox_directory`; default /mnt/mesos/sandbox. */
  readonly sandboxDirectory?: string;
  /** Default `container` (Mesos 1.4 on). */
  readonly nameScheme?: NameScheme;
  /** `--docker_stop_timeout` in milliseconds; default: the agent's own grace. */
  readonly stopTimeout?: number;
  /** `--cgroups_enable_cfs` */
  readonly cfs?: boolean;
  /** The docker part of `--default_container_dns`. */
  readonly dns?: ContainerDns;
  /** `--docker_kill_orphans`; default true. Only ever this agent's own. */
  readonly killOrphans?: boolean;
  /** `--docker_remove_delay` in milliseconds; default 6 hours. */
  readonly removeDelay?: number;
  /** `--docker_config`, its JSON text. */
  readonly dockerConfig?: string | undefined;
  /** The agent's home folder, for credentials baked into its image. */
  readonly home?: string | undefined;
  /** Default: no credential helpers. */
  readonly askHelper?: AskHelper;
  /** Of the sandbox's stdout and stderr; default: none. */
  readonly rotation?: Rotation;
  /** `--enforce_container_disk_quota` and the isolator disk/du; default: nobody looks. */
  readonly diskQuota?: Pick<DiskOptions, "interval" | "enforce"> | undefined;
  /** Default: images are never removed. */
  readonly imageCollection?: ImageCollection | undefined;
  /** The container that the agent itself runs in: never touched. */
  readonly ownContainerId?: string | undefined;
  /** How long a launch waits for a daemon that is away (restarting), in milliseconds; default 60 s. */
  readonly patience?: number;
}

export const defaults = {
  sandboxDirectory: "/mnt/mesos/sandbox",
  nameScheme: "container",
  cfs: false,
  dns: [],
  killOrphans: true,
  removeDelay: 6 * 3_600_000,
  rotation: { maximum: Number.POSITIVE_INFINITY, keep: 0 },
  patience: 60_000,
} as const satisfies Partial<DockerContainerizerOptions>;
