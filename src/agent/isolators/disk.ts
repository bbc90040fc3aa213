import { execFile } from "node:child_process";
import { realpath } from "node:fs/promises";
import { create } from "@bufbuild/protobuf";
import { formatBytes } from "../../base/bytes.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { type Resource, ResourceSchema, TaskStatus_Reason, Value_Type } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerSpec } from "../model/container.ts";
import type { Isolator, Limitation } from "../model/isolation.ts";
import { type MountPoint, readMounts } from "../model/mount-table.ts";
import type { IsolationContext } from "./context.ts";

export interface DiskOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** `--container_disk_watch_interval`, milliseconds between the end of one round and the next. */
  readonly interval: number;
  /** `--enforce_container_disk_quota` */
  readonly enforce: boolean;
  /** Bytes that count for a container; what its sandbox holds, unless given. */
  readonly measure?: (sandbox: string, containerId: string) => Promise<number>;
}

interface Watched {
  readonly sandbox: string;
  quota: number | undefined;
  used: number | undefined;
  readonly limited: (limitation: Limitation) => void;
}

const MEGABYTE = 1024 * 1024;
/** Milliseconds: a sandbox with millions of files takes its time, but not for ever. */
const TIMEOUT = 600_000;

/**
 * A path as a pattern of du(1) that means nothing else. Arguments are text: a byte that is not UTF-8 is any one (in the C
 * locale, where each byte is a character).
 */
const literally = (path: string): string => path.replaceAll(/[\\*?[]/g, "\\$&").replaceAll(/[\uD800-\uDFFF]/gu, "?");
const ENVIRONMENT = { LC_ALL: "C", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };

/**
 * What du(1) is told to measure `folder`, a real path, without what is mounted below it. Its own `-x` goes by device
 * numbers, and a bind mount of the same file system has no other: what a task of root bound into its sandbox would count
 * as its own, and be walked at every round.
 */
export function duArguments(folder: string, mounts: readonly MountPoint[]): string[] {
  const outermost: string[] = [];
  for (const path of mounts.map((mount) => mount.path).toSorted()) {
    const isInside = path === outermost.at(-1) || path.startsWith(`${outermost.at(-1)}/`);
    if (path.startsWith(`${folder}/`) && !isInside) outermost.push(path);
  }
  return ["-k", "-s", "-x", ...outermost.map((path) => `--exclude=${literally(path)}`), "--", folder];
}

/**
 * Bytes below `folder` on its mount, as du(1) counts them: blocks, links not followed. In a process of its own, however
 * many files there are. Rejects when it cannot be measured.
 */
export async function diskUsage(folder: string): Promise<number> {
  const argv = duArguments(await realpath(folder), await readMounts());
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  execFile("du", argv, { timeout: TIMEOUT, env: ENVIRONMENT }, (error, stdout) => {
    // Files that vanish meanwhile make du exit with 1, and still it has a sum.
    const kilobytes = /^(\d+)\s/.exec(stdout)?.[1];
    if (kilobytes === undefined) reject(error ?? new Error(`du said '${stdout}'`));
    else resolve(Number(kilobytes) * 1024);
  });
  return await promise;
}

/** The disk quota in bytes: ordinary disk only, persistent volumes are not in the sandbox. */
export function diskQuota(resources: readonly Resource[]): number | undefined {
  const found = resources.filter(({ name, disk }) => name === "disk" && disk?.persistence === undefined);
  if (found.length === 0) return undefined;
  return Math.floor(found.reduce((sum, { scalar }) => sum + (scalar?.value ?? 0), 0) * MEGABYTE);
}

/** The limitation of a container that uses more than its quota (§7.11). */
function diskLimitation(used: number, quota: number): Limitation {
  return {
    reason: TaskStatus_Reason.CONTAINER_LIMITATION_DISK,
    message: `Disk usage (${formatBytes(used)}) exceeds quota (${formatBytes(quota)})`,
    resources: [
      create(ResourceSchema, { name: "disk", type: Value_Type.SCALAR, scalar: { value: used / MEGABYTE }, role: "*" }),
    ],
  };
}

/** posix/disk: measures sandboxes one after the other, round after round, and tells of those above their quota. */
export class DiskWatch implements Isolator {
  readonly #options: DiskOptions;
  readonly #watched = new Map<string, Watched>();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: DiskOptions) {
    this.#options = options;
    this.#next();
  }

  prepare(
    { containerId, sandbox, resources }: Pick<ContainerSpec, "containerId" | "sandbox" | "resources">,
    limited: (limitation: Limitation) => void,
  ): void {
    this.#watched.set(containerId, { sandbox, quota: diskQuota(resources), used: undefined, limited });
  }

  recover(container: Parameters<DiskWatch["prepare"]>[0], limited: (limitation: Limitation) => void): void {
    this.prepare(container, limited);
  }

  update(id: string, resources: readonly Resource[]): void {
    const watched = this.#watched.get(id);
    if (watched !== undefined) watched.quota = diskQuota(resources);
  }

  cleanup(id: string): void {
    this.#watched.delete(id);
  }

  usage(id: string): { diskUsedBytes?: bigint; diskLimitBytes?: bigint } {
    const { used, quota } = this.#watched.get(id) ?? {};
    return {
      ...(used === undefined ? {} : { diskUsedBytes: BigInt(used) }),
      ...(quota === undefined ? {} : { diskLimitBytes: BigInt(quota) }),
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  /** One round over all containers. */
  async look(): Promise<void> {
    for (const [id, watched] of [...this.#watched]) {
      if (this.#isClosed || this.#watched.get(id) !== watched) continue;
      try {
        watched.used = await (this.#options.measure ?? diskUsage)(watched.sandbox, id);
      } catch (error) {
        // One that ended meanwhile is nobody's concern.
        if (!this.#isClosed && this.#watched.get(id) === watched)
          this.#options.log.warn(`Measuring the disk usage of container ${id}: ${messageOf(error)}`);
        continue;
      }
      const { used, quota } = watched;
      if (this.#options.enforce && quota !== undefined && used > quota && this.#watched.has(id)) {
        watched.limited(diskLimitation(used, quota));
      }
    }
  }

  #next(): void {
    if (this.#isClosed) return;
    this.#timer = this.#options.clock.after(this.#options.interval, () => void this.look().finally(() => this.#next()));
  }
}

/** posix/disk and disk/du as the agent's flags ask for them. */
export const openDiskWatch = ({ flags, clock, log }: IsolationContext): DiskWatch =>
  new DiskWatch({
    clock,
    log,
    interval: flags.container_disk_watch_interval,
    enforce: flags.enforce_container_disk_quota,
  });
