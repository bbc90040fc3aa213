import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { containerSpec } from "../support/container-spec.ts";
import { openContainerizer } from "../support/containerizer.ts";

// Pages, not time: the same on every machine, busy or not. What a launch costs, and what a task holds beyond itself, is how many
// pages of the launcher its shim writes to (docs/decisions/0090-memory.md). A kernel with larger pages has fewer.
const TASKS = 21;
const folder = mkdtempSync(join(tmpdir(), "launcher-cost-"));
const containerizer = openContainerizer(folder);
const specs = Array.from({ length: TASKS }, () => containerSpec(folder, randomUUID(), { value: "exec sleep 1000" }));
const shims: number[] = [];

beforeAll(async () => {
  for (const spec of specs) {
    const { pid } = await containerizer.launch(spec, new AbortController().signal);
    shims.push(Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]));
  }
});

afterAll(async () => {
  for (const { containerId } of specs) await containerizer.stop(containerId, 0);
  await Promise.all(specs.map(({ containerId }) => containerizer.wait(containerId)));
  await containerizer.close();
  rmSync(folder, { recursive: true });
});

const middle = (numbers: number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;

it("a shim touches few pages", () => {
  const faults = shims.map((pid) => Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[7]));
  console.log(`figure: ${middle(faults)} page faults of a shim`);
  expect(middle(faults)).toBeLessThan(90);
});

it("and holds few of its own", () => {
  const kilobytes = (path: string, name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(path, "utf8"))?.[1]);
  const page = kilobytes("/proc/self/smaps", "KernelPageSize");
  const held = shims.map((pid) => kilobytes(`/proc/${pid}/smaps_rollup`, "Private_Dirty") / page);
  console.log(`figure: ${middle(held)} pages of ${page} KB of its own in a shim`);
  expect(middle(held)).toBeLessThan(46);
});
