import { describe, expect, it } from "vitest";
import type { ContainerDetails } from "../../../docker/engine.ts";
import { orderedMemory, resourceSettings, updateRequest } from "./resource-settings.ts";

const MB = 1024 * 1024;
const now = (memory: number, memorySwap: number) =>
  ({ memory: memory * MB, memorySwap: memorySwap < 0 ? memorySwap : memorySwap * MB }) as ContainerDetails;
const inMegabytes = (request: object | undefined) =>
  Object.fromEntries(Object.entries(request ?? {}).map(([name, value]) => [name, value < 0 ? value : value / MB]));

describe("a memory limit that somebody ordered", () => {
  it.each([
    ["lowered, with as much swap as memory by Docker's own rule", 64, now(128, 256), 64, 128],
    ["raised", 256, now(128, 256), 256, 512],
    ["without any swap", 256, now(128, 128), 256, 256],
    ["with as much swap beside it as the task asked for", 256, now(128, 1128), 256, 1256],
    ["with swap without a bound, which the daemon must be told again", 256, now(128, -1), 256, -1],
    ["of a container that had none", 64, now(0, 0), 64, -1],
    ["below what there may be", 1, now(128, 256), 32, 64],
  ])("is %s", (_what, megabytes, details, Memory, MemorySwap) => {
    const request = inMegabytes(orderedMemory(megabytes * MB, details));
    expect(request).toEqual({ Memory, MemorySwap, MemoryReservation: Memory });
  });
});

describe("a raised limit", () => {
  it.each([
    ["takes swap along", now(64, 128), { Memory: 128, MemorySwap: 256 }],
    ["leaves more swap as it is", now(64, 1000), { Memory: 128 }],
    ["says again that swap has no bound", now(64, -1), { Memory: 128, MemorySwap: -1 }],
  ])("%s", (_what, details, request) => {
    expect(inMegabytes(updateRequest({ Memory: 128 * MB }, details))).toEqual(request);
  });
});

it("limits that neither JSON's infinity nor the daemon's numbers can say are none", () => {
  const most = { value: Number.MAX_VALUE };
  expect(resourceSettings([], { cpus: most, mem: most }, { cfs: true, hostMemory: 0 })).toEqual({});
  expect(resourceSettings([], { cpus: { value: 2 }, mem: { value: 64 } }, { cfs: true, hostMemory: 0 })).toEqual({
    ...{ CpuPeriod: 100_000, CpuQuota: 200_000, Memory: 64 * MB },
  });
});
