import { statfsSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { expect, it } from "vitest";
import { measureMachineSize, readSystemFile } from "./machine.ts";

it("a machine is as large as it is, and a disk as the one that a folder will lie on", () => {
  const { blocks, bsize } = statfsSync("/proc");
  const size = measureMachineSize("/proc/none/deeper");
  expect(size).toEqual({ cpus: cpus().length, memory: totalmem(), disk: blocks * bsize });
  expect(size.cpus).toBeGreaterThan(0);
  const root = statfsSync("/");
  expect(measureMachineSize("/none-at-all/work").disk).toBe(root.blocks * root.bsize);
  expect(measureMachineSize("/proc/version/below").disk, "nobody can say").toBeUndefined();
  expect(readSystemFile("/proc/none")).toBeUndefined();
});
