import { readFileSync } from "node:fs";
import { cpus, freemem, loadavg, totalmem } from "node:os";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Metrics } from "./registry.ts";

/** The machine as /system/stats.json and the metrics show it. */
export interface MachineFacts {
  readonly load: readonly [number, number, number];
  readonly cpus: number;
  /** Bytes. */
  readonly memoryTotal: number;
  readonly memoryFree: number;
  /** Seconds since the machine started, of all CPUs together: those that were worked in, and all. */
  readonly cpuTime: { readonly busy: number; readonly total: number };
}

function cpuTime(): MachineFacts["cpuTime"] {
  let [busy, total] = [0, 0];
  for (const { times } of cpus()) {
    const all = Object.values(times).reduce((sum, each) => sum + each, 0);
    total += all / 1000;
    busy += (all - times.idle) / 1000;
  }
  return { busy, total };
}

/** Online CPUs of the machine, whatever share of them this process may use; undefined where /proc does not say. */
export function machineCpus(read: (path: string) => string = (path) => readFileSync(path, "utf8")): number | undefined {
  try {
    return read("/proc/stat").match(/^cpu\d+ /gm)?.length;
  } catch {
    return undefined;
  }
}

/** Which control groups are mounted here: `v2`, `v1`, `v1 and v2`; undefined: none, or /proc does not say. */
export function controlGroupVersions(
  read: (path: string) => string = (path) => readFileSync(path, "utf8"),
): string | undefined {
  try {
    const types = new Set(
      read("/proc/self/mounts")
        .split("\n")
        .map((line) => line.split(" ")[2]),
    );
    const versions = [types.has("cgroup") ? ["v1"] : [], types.has("cgroup2") ? ["v2"] : []].flat();
    return versions.length === 0 ? undefined : versions.join(" and ");
  } catch {
    return undefined;
  }
}

type Read = (path: string) => string | undefined;
const readIfThere: Read = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

/** How short the machine is of something. */
export interface Shortage {
  /** Processes that the kernel has killed for want of memory since the machine started (Linux 4.13 and later). */
  readonly oomKills: number | undefined;
  /** Per cent of the last minute in which something had to wait for it, of `cpu`, `memory` and `io` (Linux 4.20 and later). */
  readonly pressure: Readonly<Record<string, number>>;
}

/** `read` gives the text of a file below /proc, undefined where there is none. */
export function machineShortage(read: Read = readIfThere): Shortage {
  const kills = /^oom_kill (\d+)$/m.exec(read("/proc/vmstat") ?? "")?.[1];
  const pressure = ["cpu", "memory", "io"].flatMap((name) => {
    const share = /^some .*\bavg60=([\d.]+)/m.exec(read(`/proc/pressure/${name}`) ?? "")?.[1];
    return share === undefined ? [] : [[name, Number(share)] as const];
  });
  return { oomKills: kills === undefined ? undefined : Number(kills), pressure: Object.fromEntries(pressure) };
}

export function machineFacts(): MachineFacts {
  const [one = 0, five = 0, fifteen = 0] = loadavg();
  const [memoryTotal, memoryFree] = [totalmem(), freemem()];
  return { load: [one, five, fifteen], cpus: machineCpus() ?? 1, memoryTotal, memoryFree, cpuTime: cpuTime() };
}

/** The gauges of the machine and of this process. The function ends what measures the event loop. */
export function measureMachine(metrics: Metrics): () => void {
  metrics.gauges(() => {
    const { load, cpus, memoryTotal, memoryFree } = machineFacts();
    return [
      ["system/load_1min", load[0]],
      ["system/load_5min", load[1]],
      ["system/load_15min", load[2]],
      ["system/cpus_total", cpus],
      ["system/mem_total_bytes", memoryTotal],
      ["system/mem_free_bytes", memoryFree],
    ];
  });
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  metrics.gauges(() => {
    const { user, system } = process.cpuUsage();
    const p99 = delay.percentile(99) / 1e6;
    delay.reset();
    return [
      ["process/resident_bytes", process.memoryUsage.rss()],
      ["process/cpu_secs", (user + system) / 1e6],
      ["process/event_loop_delay_ms", p99],
    ];
  });
  return () => delay.disable();
}
