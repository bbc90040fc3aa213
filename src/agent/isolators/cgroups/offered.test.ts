import { expect, it } from "vitest";
import { offered } from "./offered.ts";
import type { SettingOptions } from "./settings.ts";

const swap: SettingOptions = { cfs: false, swap: true };
const io = { ...swap, swap: false, io: { limits: [{ device: "8:0" }], weight: 100 } } as unknown as SettingOptions;
const having =
  (...files: readonly string[]) =>
  (_controller: string, file: string) =>
    files.includes(file);

it.each([
  [1, "memory.memsw.limit_in_bytes"],
  [2, "memory.swap.max"],
] as const)("swap is limited where v%d counts it, and is not asked for where it does not", (memory, file) => {
  const none = { memory, io: undefined };
  expect(offered(swap, none, having(file))).toEqual({ settings: swap, weightFile: undefined, lacking: [] });
  const without = offered(swap, none, having());
  expect(without.settings.swap).toBe(false);
  expect(without.lacking).toEqual([expect.stringContaining("--cgroups_limit_swap")]);
});

it("nothing is asked of memory that is not isolated, and nothing lacks that was not asked for", () => {
  expect(offered(swap, { memory: undefined, io: undefined }, having()).lacking).toEqual([]);
  const plain = { ...swap, swap: false };
  const all = { memory: 2, io: 2 } as const;
  expect(offered(plain, all, having())).toEqual({ settings: plain, weightFile: undefined, lacking: [] });
});

it("block I/O has its limits and its weight where the kernel has files for them, each without the other", () => {
  const v2 = { memory: 2, io: 2 } as const;
  const whole = offered(io, v2, having("io.max", "io.weight"));
  expect(whole).toEqual({ settings: io, weightFile: "io.weight", lacking: [] });
  const weightless = offered(io, v2, having("io.max"));
  expect(weightless.settings.io?.limits).toHaveLength(1);
  expect(weightless.lacking).toEqual([expect.stringContaining("--cgroups_io_weight")]);
  const limitless = offered(io, v2, having("io.bfq.weight"));
  expect([limitless.settings.io?.limits, limitless.weightFile]).toEqual([[], "io.bfq.weight"]);
  expect(limitless.lacking).toEqual([expect.stringContaining("--cgroups_io_max")]);
  expect(offered(io, { memory: 2, io: undefined }, having()).lacking, "block I/O is not isolated").toEqual([]);
});

it("both at once are kept apart", () => {
  const both = { ...io, swap: true };
  const found = offered(both, { memory: 1, io: 2 }, having("io.max", "io.weight"));
  expect([found.settings.swap, found.settings.io?.limits.length, found.lacking.length]).toEqual([false, 1, 1]);
  const files = having("io.max", "io.weight", "memory.memsw.limit_in_bytes");
  expect(offered(both, { memory: 1, io: 2 }, files).settings.swap).toBe(true);
});
