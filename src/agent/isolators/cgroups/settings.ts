import { type Resource, type RLimitInfo, RLimitInfo_RLimit_Type } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { limitsOf, type ScalarLimits } from "../../model/limits.ts";
import type { IoOptions } from "./block-io.ts";
import type { Controller } from "./hierarchy.ts";

const MEGABYTE = 1024 * 1024;
const SMALLEST_MEMORY = 32 * MEGABYTE;
const [SMALLEST_SHARES, SHARES_PER_CPU] = [2, 1024];
const [SMALLEST_WEIGHT, LARGEST_WEIGHT, WEIGHT_PER_CPU] = [1, 10_000, 100];
const [PERIOD, SMALLEST_QUOTA] = [100_000, 1_000];

/** What a container may have. */
export interface Allowance {
  readonly cpus: number | undefined;
  /** Bytes. */
  readonly memory: number | undefined;
  /** TaskInfo.limits: Infinity lifts the limit; undefined leaves the rule. */
  readonly cpuLimit: number | undefined;
  /** Bytes. */
  readonly memoryLimit: number | undefined;
}

/** One value for one file of the container's group. */
export interface Setting {
  readonly controller: Controller;
  readonly file: string;
  readonly value: string;
}

export interface SettingOptions {
  /** `--cgroups_enable_cfs` */
  readonly cfs: boolean;
  /** `--cgroups_limit_swap` */
  readonly swap: boolean;
  /** `--cgroups_pids_limit`; 0 or absent: none. */
  readonly pids?: number;
  /** `--cgroups_io_weight` and `--cgroups_io_max` */
  readonly io?: IoOptions;
}

const sum = (resources: readonly Resource[], name: string): number | undefined => {
  const found = resources.filter((resource) => resource.name === name);
  return found.length === 0 ? undefined : found.reduce((total, { scalar }) => total + (scalar?.value ?? 0), 0);
};

export function allowanceOf(resources: readonly Resource[], limits: ScalarLimits): Allowance {
  const megabytes = sum(resources, "mem");
  const { cpus: cpuLimit, bytes: memoryLimit } = limitsOf(limits);
  return {
    cpus: sum(resources, "cpus"),
    memory: megabytes === undefined ? undefined : Math.floor(megabytes * MEGABYTE),
    cpuLimit,
    memoryLimit,
  };
}

/** CPU time per 100 ms, microseconds; undefined without a hard limit. */
function quotaOf({ cpus, cpuLimit }: Allowance, cfs: boolean): number | undefined {
  const limit = cpuLimit ?? (cfs ? cpus : undefined);
  if (limit === undefined || limit === Number.POSITIVE_INFINITY) return undefined;
  return Math.max(Math.floor(limit * PERIOD), SMALLEST_QUOTA);
}

/** cpu.shares and the quota, or cpu.weight and cpu.max (§7.12, §7.15). Nothing without a `cpus` resource. */
export function cpuSettings(allowance: Allowance, version: 1 | 2, { cfs }: SettingOptions): Setting[] {
  const { cpus } = allowance;
  if (cpus === undefined) return [];
  const quota = quotaOf(allowance, cfs);
  const isLimited = cfs || allowance.cpuLimit !== undefined;
  if (version === 1) {
    const shares = Math.max(Math.floor(SHARES_PER_CPU * cpus), SMALLEST_SHARES);
    const settings: Setting[] = [{ controller: "cpu", file: "cpu.shares", value: `${shares}` }];
    if (isLimited) {
      settings.push({ controller: "cpu", file: "cpu.cfs_period_us", value: `${PERIOD}` });
      settings.push({ controller: "cpu", file: "cpu.cfs_quota_us", value: `${quota ?? -1}` });
    }
    return settings;
  }
  // Mesos itself does not clamp, so that more than 100 CPUs make its launches fail.
  const weight = Math.min(Math.max(Math.floor(WEIGHT_PER_CPU * cpus), SMALLEST_WEIGHT), LARGEST_WEIGHT);
  return [
    { controller: "cpu", file: "cpu.weight", value: `${weight}` },
    { controller: "cpu", file: "cpu.max", value: `${quota ?? "max"} ${PERIOD}` },
  ];
}

/** Bytes of the hard limit; Infinity for none. */
export function hardMemoryLimit({ memory, memoryLimit }: Allowance): number | undefined {
  if (memory === undefined && memoryLimit === undefined) return undefined;
  return Math.max(memoryLimit ?? memory ?? 0, SMALLEST_MEMORY);
}

/**
 * The soft limit follows the resources; the hard one is only ever raised (`current`: bytes, undefined for a new group),
 * because lowering it below what is in use would kill the container.
 */
export function memorySettings(
  allowance: Allowance,
  version: 1 | 2,
  { swap }: SettingOptions,
  current: number | undefined,
): Setting[] {
  const hard = hardMemoryLimit(allowance);
  if (hard === undefined) return [];
  const soft = `${Math.max(allowance.memory ?? 0, SMALLEST_MEMORY)}`;
  const isRaised = current === undefined || hard > current;
  const set = (file: string, value: string): Setting => ({ controller: "memory", file, value });
  if (version === 2) {
    const value = hard === Number.POSITIVE_INFINITY ? "max" : `${hard}`;
    const settings = [set("memory.low", soft)];
    if (isRaised) settings.push(set("memory.max", value));
    // v2 limits swap apart from memory: both together hold when no swap is allowed.
    if (current === undefined && swap) settings.push(set("memory.swap.max", "0"));
    return settings;
  }
  const value = hard === Number.POSITIVE_INFINITY ? "-1" : `${hard}`;
  const limits = [set("memory.limit_in_bytes", value)];
  // memory and swap together may never be below memory alone: raised first, lowered last.
  if (swap) limits.splice(current === undefined ? 1 : 0, 0, set("memory.memsw.limit_in_bytes", value));
  return [set("memory.soft_limit_in_bytes", soft), ...(isRaised ? limits : [])];
}

/** Both limits at a number of bytes that somebody ordered, in an order in which the kernel takes each step. `current`: bytes; undefined: no limit. */
export function orderedMemory(
  bytes: number,
  version: 1 | 2,
  { swap }: SettingOptions,
  current: number | undefined,
): Setting[] {
  const value = `${Math.max(bytes, SMALLEST_MEMORY)}`;
  const set = (file: string): Setting => ({ controller: "memory", file, value });
  if (version === 2) return [set("memory.low"), set("memory.max")];
  const limits = [set("memory.limit_in_bytes")];
  const isRaised = current !== undefined && bytes > current;
  if (swap) limits.splice(isRaised ? 0 : 1, 0, set("memory.memsw.limit_in_bytes"));
  // The soft one last: what the kernel refuses has changed nothing then.
  return [...limits, set("memory.soft_limit_in_bytes")];
}

/** The hard limit of before, for an order that the kernel took in part. v2 takes each part of one. */
export function hardLimitAgain(before: number | undefined, version: 1 | 2): Setting[] {
  if (version === 2) return [];
  return [{ controller: "memory", file: "memory.limit_in_bytes", value: `${before ?? -1}` }];
}

/** Linux refuses more (PID_MAX_LIMIT), and RLIM_INFINITY is a number, too. */
const MOST_PIDS = 4_194_304n;

/**
 * How many processes and threads there may be: the hard RLMT_NPROC of the container's rlimit_info, which setrlimit(2) counts
 * per user and root is not held to, else the agent's limit. The file is the same on v1 and v2. A fork above it fails with
 * EAGAIN.
 */
export function pidsSettings(rlimits: RLimitInfo | undefined, { pids = 0 }: SettingOptions): Setting[] {
  const own = rlimits?.rlimits.findLast(({ type }) => type === RLimitInfo_RLimit_Type.RLMT_NPROC);
  const asked = own === undefined ? BigInt(pids) : own.hard;
  return [{ controller: "pids", file: "pids.max", value: asked > 0n && asked <= MOST_PIDS ? `${asked}` : "max" }];
}
