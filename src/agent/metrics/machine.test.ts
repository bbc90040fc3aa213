import { describe, expect, it } from "vitest";
import { machineShortage } from "./machine.ts";

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
