import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Engine, UpdateRequest } from "../../../docker/engine.ts";
import { ResourceSchema, Value_Type } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { followTasks, limitMemory } from "./limits.ts";
import { StateFiles } from "./state-files.ts";
import type { TrackedContainer } from "./tracked-container.ts";

const MB = 1024 * 1024;
const scalar = (name: string, value: number) =>
  create(ResourceSchema, { name, type: Value_Type.SCALAR, scalar: { value } });

let folder: string;
let state: StateFiles;
let requests: UpdateRequest[];
let isRunning: boolean;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "limits-"));
  state = new StateFiles(folder);
  requests = [];
  isRunning = true;
});
afterEach(() => rmSync(folder, { recursive: true }));

const engine = {
  inspect: async () => ({ memory: 128 * MB, memorySwap: 256 * MB, state: { running: isRunning } }),
  update: async (_id: string, request: UpdateRequest) => void requests.push(request),
} as unknown as Engine;
const trackedAs = (more: object = {}) =>
  ({
    subject: { containerId: "c" },
    engineId: "e",
    isOver: false,
    resources: [],
    limits: {},
    ...more,
  }) as unknown as TrackedContainer;

it("an ordered limit is kept for the next agent, and what tasks have does not change it any more", async () => {
  const tracked = trackedAs();
  expect(await limitMemory({ engine }, state, tracked, 64 * MB)).toBe(true);
  expect([await state.memory("c"), tracked.orderedMemory]).toEqual([64 * MB, 64 * MB]);
  expect(requests.splice(0)).toEqual([{ Memory: 64 * MB, MemorySwap: 128 * MB, MemoryReservation: 64 * MB }]);
  const resources = [scalar("cpus", 1), scalar("mem", 512)];
  expect(await followTasks({ engine }, tracked, resources, {})).toBe(true);
  expect(requests.splice(0)).toEqual([{ CpuShares: 1024 }]);
  await followTasks({ engine }, trackedAs(), resources, {});
  expect(requests).toEqual([{ CpuShares: 1024, Memory: 512 * MB, MemorySwap: 1024 * MB }]);
});

it("one that does not run is held to nothing", async () => {
  isRunning = false;
  for (const tracked of [undefined, trackedAs({ engineId: undefined }), trackedAs({ isOver: true }), trackedAs()])
    expect(await limitMemory({ engine }, state, tracked, 64 * MB)).toBe(false);
  expect([requests, await state.memory("c")]).toEqual([[], undefined]);
});
