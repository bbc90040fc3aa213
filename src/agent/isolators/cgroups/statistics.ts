import { create } from "@bufbuild/protobuf";
import {
  type MemoryEvents,
  MemoryEventsSchema,
  type ResourceStatistics,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";

type Figures = Partial<ResourceStatistics>;
/** Reads a file of the container's group; undefined when it is not there. */
export type ReadFile = (name: string) => string | undefined;

/** `key value` lines. */
export function parseKeyed(text: string | undefined): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const line of (text ?? "").split("\n")) {
    const [key = "", value = ""] = line.split(" ");
    if (/^\d+$/.test(value)) found.set(key, Number(value));
  }
  return found;
}

/** A file with one number; undefined for `max`, -1 and v1's "unlimited" (above any memory there is). */
export function parseLimit(text: string | undefined): number | undefined {
  const value = Number(text?.trim() || Number.NaN);
  return Number.isFinite(value) && value >= 0 && value < 2 ** 60 ? value : undefined;
}

const TICKS_PER_SECOND = 100;
const [MICROSECONDS, NANOSECONDS] = [1e6, 1e9];

/** Drops what is undefined, so that it does not override other sources. */
function known(figures: { readonly [Name in keyof Figures]: Figures[Name] | undefined }): Figures {
  return Object.fromEntries(Object.entries(figures).filter(([, value]) => value !== undefined)) as Figures;
}

const over = (value: number | undefined, unit: number): number | undefined =>
  value === undefined ? undefined : value / unit;
const bytes = (value: number | undefined): bigint | undefined => (value === undefined ? undefined : BigInt(value));

/** CPU times of a v1 container: cpuacct.stat in ticks, throttling in cpu.stat when there is a quota. */
export function cpuFiguresV1(cpuacct: ReadFile, cpu: ReadFile): Figures {
  const times = parseKeyed(cpuacct("cpuacct.stat"));
  const throttling = parseKeyed(cpu("cpu.stat"));
  const isLimited = (throttling.get("nr_periods") ?? 0) > 0;
  return known({
    cpusUserTimeSecs: over(times.get("user"), TICKS_PER_SECOND),
    cpusSystemTimeSecs: over(times.get("system"), TICKS_PER_SECOND),
    cpusNrPeriods: isLimited ? throttling.get("nr_periods") : undefined,
    cpusNrThrottled: isLimited ? throttling.get("nr_throttled") : undefined,
    cpusThrottledTimeSecs: isLimited ? over(throttling.get("throttled_time"), NANOSECONDS) : undefined,
  });
}

export function cpuFiguresV2(cpu: ReadFile): Figures {
  const stat = parseKeyed(cpu("cpu.stat"));
  const isLimited = (stat.get("nr_periods") ?? 0) > 0;
  return known({
    cpusUserTimeSecs: over(stat.get("user_usec"), MICROSECONDS),
    cpusSystemTimeSecs: over(stat.get("system_usec"), MICROSECONDS),
    cpusNrPeriods: isLimited ? stat.get("nr_periods") : undefined,
    cpusNrThrottled: isLimited ? stat.get("nr_throttled") : undefined,
    cpusThrottledTimeSecs: isLimited ? over(stat.get("throttled_usec"), MICROSECONDS) : undefined,
  });
}

export function memoryFiguresV1(memory: ReadFile): Figures {
  const stat = parseKeyed(memory("memory.stat"));
  const [cache, rss] = [bytes(stat.get("total_cache")), bytes(stat.get("total_rss"))];
  return known({
    memTotalBytes: bytes(parseLimit(memory("memory.usage_in_bytes"))),
    memTotalMemswBytes: bytes(parseLimit(memory("memory.memsw.usage_in_bytes"))),
    memLimitBytes: bytes(parseLimit(memory("memory.limit_in_bytes"))),
    memSoftLimitBytes: bytes(parseLimit(memory("memory.soft_limit_in_bytes"))),
    memCacheBytes: cache,
    memFileBytes: cache,
    memRssBytes: rss,
    memAnonBytes: rss,
    memMappedFileBytes: bytes(stat.get("total_mapped_file")),
    memSwapBytes: bytes(stat.get("total_swap")),
    memUnevictableBytes: bytes(stat.get("total_unevictable")),
    memKmemUsageBytes: bytes(parseLimit(memory("memory.kmem.usage_in_bytes"))),
    memKmemTcpUsageBytes: bytes(parseLimit(memory("memory.kmem.tcp.usage_in_bytes"))),
  });
}

/** Kernels before 5.18 have no sum of the kernel's memory. */
const KERNEL_PARTS = ["kernel_stack", "pagetables", "sock", "vmalloc", "slab"];

function kernelBytes(stat: ReadonlyMap<string, number>): number | undefined {
  const parts = KERNEL_PARTS.flatMap((name) => stat.get(name) ?? []);
  return stat.get("kernel") ?? (parts.length === 0 ? undefined : parts.reduce((sum, part) => sum + part, 0));
}

export function memoryFiguresV2(memory: ReadFile): Figures {
  const stat = parseKeyed(memory("memory.stat"));
  const [file, anon] = [bytes(stat.get("file")), bytes(stat.get("anon"))];
  const [total, swap] = [parseLimit(memory("memory.current")), parseLimit(memory("memory.swap.current"))];
  return known({
    memTotalBytes: bytes(total),
    memTotalMemswBytes: bytes(total === undefined || swap === undefined ? undefined : total + swap),
    memLimitBytes: bytes(parseLimit(memory("memory.max"))),
    memSoftLimitBytes: bytes(parseLimit(memory("memory.low"))),
    memCacheBytes: file,
    memFileBytes: file,
    memRssBytes: anon,
    memAnonBytes: anon,
    memMappedFileBytes: bytes(stat.get("file_mapped")),
    memSwapBytes: bytes(swap),
    memUnevictableBytes: bytes(stat.get("unevictable")),
    memKmemUsageBytes: bytes(kernelBytes(stat)),
    memKmemTcpUsageBytes: bytes(stat.get("sock")),
    memEvents: memoryEvents(memory),
  });
}

/** What happened to the container and the groups below its own; undefined where the kernel does not count it. */
function memoryEvents(memory: ReadFile): MemoryEvents | undefined {
  const events = parseKeyed(memory("memory.events"));
  if (events.size === 0) return undefined;
  const count = (name: string): bigint => BigInt(events.get(name) ?? 0);
  return create(MemoryEventsSchema, {
    low: count("low"),
    high: count("high"),
    max: count("max"),
    oom: count("oom"),
    oomKill: count("oom_kill"),
    ...(events.has("oom_group_kill") && { oomGroupKill: count("oom_group_kill") }),
  });
}

/**
 * How many processes of the group the kernel has killed because its limit was reached (Linux 4.13 and later). On v2 every
 * kill counts, in each group above the killed process as well: also when the machine ran out, or a group that the container
 * made for itself. Only the group whose limit was reached has `oom` in memory.events.local (Linux 5.2).
 */
export function oomKills(version: 1 | 2, memory: ReadFile): number {
  const kills = parseKeyed(memory(version === 1 ? "memory.oom_control" : "memory.events")).get("oom_kill") ?? 0;
  const local = version === 1 ? undefined : memory("memory.events.local");
  return local !== undefined && parseKeyed(local).get("oom") === 0 ? 0 : kills;
}

/** The most memory that was ever used, bytes. */
export const peakMemory = (version: 1 | 2, memory: ReadFile): number | undefined =>
  parseLimit(memory(version === 1 ? "memory.max_usage_in_bytes" : "memory.peak"));
