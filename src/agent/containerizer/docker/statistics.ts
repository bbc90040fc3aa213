import { create } from "@bufbuild/protobuf";
import type { ContainerStats } from "../../../docker/engine.ts";
import {
  type Resource,
  type ResourceStatistics,
  ResourceStatisticsSchema,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { limitsOf, type ScalarLimits } from "../../model/limits.ts";
import type { DockerContainerizerOptions } from "./options.ts";
import { scalarOf } from "./resource-settings.ts";
import type { TrackedContainer } from "./tracked-container.ts";

const SECOND = 1e9;
const MEGABYTE = 1024 * 1024;

/** What a running container uses now; undefined: it does not run. Rejects with an EngineError. */
export async function measured(
  { engine, clock }: Pick<DockerContainerizerOptions, "engine" | "clock">,
  { engineId, isOver, resources, limits, orderedMemory }: TrackedContainer,
): Promise<ResourceStatistics | undefined> {
  if (engineId === undefined || isOver) return undefined;
  const statistics = resourceStatistics(await engine.stats(engineId), resources, limits, clock.now());
  if (orderedMemory === undefined) return statistics;
  const bytes = BigInt(orderedMemory);
  return Object.assign(statistics, { memLimitBytes: bytes, memSoftLimitBytes: bytes });
}

/**
 * ResourceStatistics from the Engine's counters, on cgroup v1 and v2. Limits are those of the task, as Mesos reports
 * them. `now`: milliseconds since the epoch, used when the daemon sent no time.
 */
export function resourceStatistics(
  stats: ContainerStats,
  resources: readonly Resource[],
  limits: ScalarLimits,
  now: number,
): ResourceStatistics {
  const read = Date.parse(stats.readAt);
  return create(ResourceStatisticsSchema, {
    timestamp: (Number.isNaN(read) || read <= 0 ? now : read) / 1000,
    cpusUserTimeSecs: stats.cpuUser / SECOND,
    cpusSystemTimeSecs: stats.cpuSystem / SECOND,
    ...(stats.periods === 0
      ? {}
      : {
          cpusNrPeriods: stats.periods,
          cpusNrThrottled: stats.throttledPeriods,
          cpusThrottledTimeSecs: stats.throttledTime / SECOND,
        }),
    ...limitFields(resources, limits),
    ...memoryFields(stats),
    ...(stats.processes === undefined ? {} : { processes: stats.processes }),
    ...networkFields(stats),
  });
}

function limitFields(resources: readonly Resource[], limits: ScalarLimits) {
  const given = limitsOf(limits);
  const cpus = scalarOf(resources, "cpus");
  const cpuLimit = given.cpus ?? cpus;
  const mem = scalarOf(resources, "mem");
  const memLimit = given.bytes ?? (mem === undefined ? undefined : Math.floor(mem * MEGABYTE));
  return {
    ...(cpuLimit === undefined || !Number.isFinite(cpuLimit) ? {} : { cpusLimit: cpuLimit }),
    ...(cpus === undefined ? {} : { cpusSoftLimit: cpus }),
    ...(memLimit === undefined || !Number.isFinite(memLimit) ? {} : { memLimitBytes: BigInt(memLimit) }),
    ...(mem === undefined || limits["mem"] === undefined
      ? {}
      : { memSoftLimitBytes: BigInt(Math.floor(mem * MEGABYTE)) }),
  };
}

/** cgroup v1 counts `rss` and `cache`, v2 `anon` and `file`. */
function memoryFields({ memory, memoryUsage }: ContainerStats) {
  const pick = (...names: string[]): bigint | undefined => {
    const name = names.find((one) => memory[one] !== undefined);
    return name === undefined ? undefined : BigInt(Math.round(memory[name] ?? 0));
  };
  const fields = {
    memRssBytes: pick("total_rss", "rss", "anon"),
    memAnonBytes: pick("total_rss", "rss", "anon"),
    memCacheBytes: pick("total_cache", "cache", "file"),
    memFileBytes: pick("total_cache", "cache", "file"),
    memMappedFileBytes: pick("total_mapped_file", "mapped_file", "file_mapped"),
    memUnevictableBytes: pick("total_unevictable", "unevictable"),
    memSwapBytes: pick("total_swap", "swap"),
    // Podman sends no memory.stat: the usage is the nearest.
    memTotalBytes: memoryUsage === undefined ? undefined : BigInt(Math.round(memoryUsage)),
  };
  const rss = fields.memRssBytes ?? fields.memTotalBytes;
  return Object.fromEntries(
    Object.entries({ ...fields, memRssBytes: rss }).filter(([, value]) => value !== undefined),
  ) as Record<keyof typeof fields, bigint>;
}

function networkFields({ networks }: ContainerStats) {
  const interfaces = Object.values(networks);
  if (interfaces.length === 0) return {};
  const sum = (name: string): bigint => BigInt(interfaces.reduce((total, one) => total + (one[name] ?? 0), 0));
  return {
    netRxBytes: sum("rx_bytes"),
    netRxPackets: sum("rx_packets"),
    netRxErrors: sum("rx_errors"),
    netRxDropped: sum("rx_dropped"),
    netTxBytes: sum("tx_bytes"),
    netTxPackets: sum("tx_packets"),
    netTxErrors: sum("tx_errors"),
    netTxDropped: sum("tx_dropped"),
  };
}
