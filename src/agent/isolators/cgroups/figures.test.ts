import { describe, expect, it } from "vitest";
import { cpuFiguresV1, cpuFiguresV2, memoryFiguresV1, memoryFiguresV2, peakMemory } from "./statistics.ts";

const files = (given: Record<string, string>) => (name: string) => given[name];

describe("the CPU times of a container", () => {
  it("on v1 have what a quota held back, once it has counted periods", () => {
    const cpuacct = files({ "cpuacct.stat": "user 150\nsystem 50\n" });
    const throttled = files({ "cpu.stat": "nr_periods 8\nnr_throttled 3\nthrottled_time 2500000000\n" });
    expect(cpuFiguresV1(cpuacct, throttled)).toEqual({
      cpusUserTimeSecs: 1.5,
      cpusSystemTimeSecs: 0.5,
      cpusNrPeriods: 8,
      cpusNrThrottled: 3,
      cpusThrottledTimeSecs: 2.5,
    });
  });

  it("on v2 have none of it without a quota", () => {
    const stat = "user_usec 2000000\nsystem_usec 1000000\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n";
    expect(cpuFiguresV2(files({ "cpu.stat": stat }))).toEqual({ cpusUserTimeSecs: 2, cpusSystemTimeSecs: 1 });
  });

  it("are not there where the kernel does not tell", () => {
    expect(cpuFiguresV1(files({}), files({}))).toEqual({});
    expect(cpuFiguresV2(files({}))).toEqual({});
  });
});

describe("the memory of a container", () => {
  it("on v1 is what each file says", () => {
    const stat = [
      ["total_cache", 1],
      ["total_rss", 2],
      ["total_mapped_file", 3],
      ["total_swap", 4],
      ["total_unevictable", 5],
    ];
    const memory = files({
      "memory.stat": stat.map((line) => `${line.join(" ")}\n`).join(""),
      "memory.usage_in_bytes": "6\n",
      "memory.memsw.usage_in_bytes": "7\n",
      "memory.limit_in_bytes": "8\n",
      "memory.soft_limit_in_bytes": "9\n",
      "memory.kmem.usage_in_bytes": "10\n",
      "memory.kmem.tcp.usage_in_bytes": "11\n",
      "memory.max_usage_in_bytes": "12\n",
    });
    expect(memoryFiguresV1(memory)).toEqual({
      memCacheBytes: 1n,
      memFileBytes: 1n,
      memRssBytes: 2n,
      memAnonBytes: 2n,
      memMappedFileBytes: 3n,
      memSwapBytes: 4n,
      memUnevictableBytes: 5n,
      memTotalBytes: 6n,
      memTotalMemswBytes: 7n,
      memLimitBytes: 8n,
      memSoftLimitBytes: 9n,
      memKmemUsageBytes: 10n,
      memKmemTcpUsageBytes: 11n,
    });
    expect(peakMemory(1, memory)).toBe(12);
  });

  it("on v2 is what each file says, with swap added to what is used", () => {
    const memory = files({
      "memory.stat": "file 1\nanon 2\nfile_mapped 3\nunevictable 5\nkernel 6\nsock 7\n",
      "memory.current": "100\n",
      "memory.swap.current": "30\n",
      "memory.max": "200\n",
      "memory.low": "150\n",
      "memory.peak": "180\n",
      "memory.events": "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n",
    });
    expect(memoryFiguresV2(memory)).toMatchObject({
      memCacheBytes: 1n,
      memFileBytes: 1n,
      memRssBytes: 2n,
      memAnonBytes: 2n,
      memMappedFileBytes: 3n,
      memUnevictableBytes: 5n,
      memKmemUsageBytes: 6n,
      memKmemTcpUsageBytes: 7n,
      memTotalBytes: 100n,
      memSwapBytes: 30n,
      memTotalMemswBytes: 130n,
      memLimitBytes: 200n,
      memSoftLimitBytes: 150n,
      memEvents: { low: 1n, high: 2n, max: 3n, oom: 4n, oomKill: 5n, oomGroupKill: 6n },
    });
    expect(peakMemory(2, memory)).toBe(180);
  });

  it.each([
    ["swap", { "memory.swap.current": "30\n" }],
    ["memory", { "memory.current": "100\n" }],
  ])("on v2 has no sum when only %s is known", (_which, given) => {
    expect(memoryFiguresV2(files(given)).memTotalMemswBytes).toBeUndefined();
  });
});
