import { create } from "@bufbuild/protobuf";
import {
  type Resource,
  type ResourceStatistics,
  ResourceStatisticsSchema,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { TreeUsage } from "./process-table.ts";

const MEGABYTE = 1024 * 1024;

const bytes = (megabytes: number): bigint => BigInt(Math.round(megabytes * MEGABYTE));

function scalarOf(resources: readonly Resource[], name: string): number | undefined {
  const found = resources.filter((resource) => resource.name === name);
  return found.length === 0 ? undefined : found.reduce((sum, { scalar }) => sum + (scalar?.value ?? 0), 0);
}

/** What several trees use together. */
export const sumOf = (trees: readonly TreeUsage[]): TreeUsage =>
  trees.reduce(
    (sum, { processes, threads, userSeconds, systemSeconds, residentBytes }) => ({
      processes: sum.processes + processes,
      threads: sum.threads + threads,
      userSeconds: sum.userSeconds + userSeconds,
      systemSeconds: sum.systemSeconds + systemSeconds,
      residentBytes: sum.residentBytes + residentBytes,
    }),
    { processes: 0, threads: 0, userSeconds: 0, systemSeconds: 0, residentBytes: 0 },
  );

/**
 * What posix/cpu and posix/mem report: the tree's own figures, and what was granted (since 1.10 as soft limits). `now`: epoch milliseconds. `counted`:
 * with the numbers of processes and threads.
 */
export function statisticsOf(
  usage: TreeUsage,
  resources: readonly Resource[],
  now: number,
  counted = true,
): ResourceStatistics {
  const [cpus, mem] = [scalarOf(resources, "cpus"), scalarOf(resources, "mem")];
  return create(ResourceStatisticsSchema, {
    timestamp: now / 1000,
    ...(counted && { processes: usage.processes, threads: usage.threads }),
    cpusUserTimeSecs: usage.userSeconds,
    cpusSystemTimeSecs: usage.systemSeconds,
    memRssBytes: BigInt(usage.residentBytes),
    ...(cpus === undefined ? {} : { cpusLimit: cpus, cpusSoftLimit: cpus }),
    ...(mem === undefined ? {} : { memLimitBytes: bytes(mem), memSoftLimitBytes: bytes(mem) }),
  });
}
