import { describe, expect, it } from "vitest";
import { controlGroupVersions, machineCpus, machineShortage } from "./machine.ts";

const SOME = (share: number): string =>
  `some avg10=9.00 avg60=${share.toFixed(2)} avg300=8.00 total=1\nfull avg10=7.00 avg60=6.00 avg300=5.00 total=1\n`;

describe("how short the machine is", () => {
  it("is what the kernel counts", () => {
    const files: Record<string, string> = {
      "/proc/vmstat": "nr_free_pages 7\noom_kill 25\ndrop_pagecache 1\n",
      "/proc/pressure/cpu": "some avg10=1.00 avg60=12.50 avg300=0.00 total=5\n",
      "/proc/pressure/memory": SOME(0),
      "/proc/pressure/io": SOME(3.25),
    };
    expect(machineShortage((path) => files[path])).toEqual({
      oomKills: 25,
      pressure: { cpu: 12.5, memory: 0, io: 3.25 },
    });
  });

  it("is unknown to kernels that do not count it", () => {
    expect(machineShortage(() => undefined)).toEqual({ oomKills: undefined, pressure: {} });
    expect(machineShortage(() => "nr_free_pages 7\n")).toEqual({ oomKills: undefined, pressure: {} });
  });
});

it("CPUs are counted one by one, not their sum", () => {
  expect(machineCpus(() => "cpu  1 2\ncpu0 1 2\ncpu1 1 2\nintr 5\n")).toBe(2);
  expect(
    machineCpus(() => {
      throw new Error("no /proc");
    }),
  ).toBeUndefined();
});

it.each([
  ["cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", "v2"],
  ["cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n", "v1"],
  ["cgroup2 /a cgroup2 rw 0 0\ncgroup /b cgroup rw,cpu 0 0\n", "v1 and v2"],
  ["tmpfs /cgroup tmpfs rw 0 0\n", undefined],
])("%j is %s", (mounts, versions) => {
  expect(controlGroupVersions(() => mounts)).toBe(versions);
});
