import type { HostConfig } from "../../../docker/create-request.ts";
import type { ContainerDetails, UpdateRequest } from "../../../docker/engine.ts";
import type { Resource } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { limitsOf, type ScalarLimits } from "../../model/limits.ts";

const SHARES_PER_CPU = 1024;
const LEAST_SHARES = 2;
/** Linux refuses more. */
const MOST_SHARES = 262_144;
const PERIOD = 100_000;
const LEAST_QUOTA = 1_000;
const MEGABYTE = 1024 * 1024;
const LEAST_MEMORY = 32 * MEGABYTE;

/** The sum of all scalars of that name; undefined when there is none. */
export function scalarOf(resources: readonly Resource[], name: string): number | undefined {
  const values = resources.filter((one) => one.name === name && one.scalar !== undefined);
  return values.length === 0 ? undefined : values.reduce((sum, one) => sum + (one.scalar?.value ?? 0), 0);
}

/** All ranges of that name, bounds inclusive. */
export function rangesOf(resources: readonly Resource[], name: string): { begin: number; end: number }[] {
  const ranges = resources.filter((one) => one.name === name).flatMap((one) => one.ranges?.range ?? []);
  return ranges.map(({ begin, end }) => ({ begin: Number(begin), end: Number(end) }));
}

export interface ResourceContext {
  /** `--cgroups_enable_cfs` */
  readonly cfs: boolean;
  /** Bytes of the host, for the OOM score of burstable tasks. */
  readonly hostMemory: number;
}

type Settings = Pick<
  HostConfig,
  "CpuShares" | "CpuPeriod" | "CpuQuota" | "Memory" | "MemoryReservation" | "OomScoreAdj"
>;

/** CPU and memory settings for requests and limits, as `docker run` of Mesos 1.11 gets them (§7.3). */
export function resourceSettings(
  resources: readonly Resource[],
  limits: ScalarLimits,
  context: ResourceContext,
): Settings {
  return { ...cpuSettings(resources, limits, context.cfs), ...memorySettings(resources, limits, context.hostMemory) };
}

function cpuSettings(resources: readonly Resource[], limits: ScalarLimits, cfs: boolean): Settings {
  const cpus = scalarOf(resources, "cpus");
  const limit = limitsOf(limits).cpus ?? (cfs ? cpus : undefined);
  const shares = cpus === undefined ? undefined : Math.floor(SHARES_PER_CPU * cpus);
  return {
    ...(shares === undefined ? {} : { CpuShares: Math.min(Math.max(shares, LEAST_SHARES), MOST_SHARES) }),
    ...(limit === undefined || !Number.isFinite(limit)
      ? {}
      : { CpuPeriod: PERIOD, CpuQuota: Math.max(Math.floor(PERIOD * limit), LEAST_QUOTA) }),
  };
}

function memorySettings(resources: readonly Resource[], limits: ScalarLimits, hostMemory: number): Settings {
  const request = scalarOf(resources, "mem");
  const bytes = (megabytes: number): number => Math.max(Math.floor(megabytes * MEGABYTE), LEAST_MEMORY);
  const { bytes: limit } = limitsOf(limits);
  if (limit === undefined) return request === undefined ? {} : { Memory: bytes(request) };
  const burst = request !== undefined && Math.floor(request * MEGABYTE) < limit;
  return {
    ...(Number.isFinite(limit) ? { Memory: Math.max(limit, LEAST_MEMORY) } : {}),
    ...(request === undefined ? {} : { MemoryReservation: bytes(request) }),
    ...(burst && hostMemory > 0 ? { OomScoreAdj: oomScore(bytes(request), hostMemory) } : {}),
  };
}

/** The less a burstable task asked for, the sooner it goes: 3 to 999, as Mesos 1.11 bounds it. */
function oomScore(request: number, hostMemory: number): number {
  return Math.min(Math.max(Math.floor(1000 - (1000 * request) / hostMemory), 3), 999);
}

/** Memory and swap together for a raised limit; undefined: as they are. The daemon takes no limit above -1 (no bound) unless that is said again. */
function swapAbove(limit: number, { memorySwap }: ContainerDetails): number | undefined {
  if (memorySwap === -1) return -1;
  return memorySwap >= 0 && memorySwap < limit * 2 ? limit * 2 : undefined;
}

/**
 * What `docker update` must say for a memory limit that somebody ordered, in bytes. Both limits become it; as much swap stays
 * beside it as there was, and where that was as much as memory (Docker's own rule), as much as memory.
 */
export function orderedMemory(bytes: number, now: Pick<ContainerDetails, "memory" | "memorySwap">): UpdateRequest {
  const Memory = Math.max(bytes, LEAST_MEMORY);
  const isByRule = now.memorySwap === 2 * now.memory;
  const beside = isByRule ? Memory : now.memorySwap - now.memory;
  const MemorySwap = now.memorySwap <= 0 ? -1 : Memory + Math.max(0, beside);
  return { Memory, MemorySwap, MemoryReservation: Memory };
}

/**
 * What `docker update` must change; undefined when nothing. The memory limit is only ever raised (§7.8). Swap follows
 * a raised limit, since the daemon refuses a limit above it.
 */
export function updateRequest(settings: Settings, now: ContainerDetails): UpdateRequest | undefined {
  const { CpuShares, CpuPeriod, CpuQuota, Memory, MemoryReservation } = settings;
  const raise = Memory !== undefined && now.memory > 0 && Memory > now.memory ? Memory : undefined;
  const swap = raise === undefined ? undefined : swapAbove(raise, now);
  const request: UpdateRequest = {
    ...(CpuShares !== undefined && CpuShares !== now.cpuShares ? { CpuShares } : {}),
    ...(CpuQuota !== undefined && CpuPeriod !== undefined && CpuQuota !== now.cpuQuota ? { CpuPeriod, CpuQuota } : {}),
    ...(raise === undefined ? {} : { Memory: raise }),
    ...(swap === undefined ? {} : { MemorySwap: swap }),
    ...(MemoryReservation === undefined ? {} : { MemoryReservation }),
  };
  return Object.keys(request).length === 0 ? undefined : request;
}
