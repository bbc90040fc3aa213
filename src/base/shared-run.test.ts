import { expect, it } from "vitest";
import { settle } from "../../test/support/test-clock.ts";
import { SharedRun } from "./shared-run.ts";

it("is begun anew for those who ask while it runs, once for all of them", async () => {
  const runs: PromiseWithResolvers<number>[] = [];
  const shared = new SharedRun(() => {
    const run = Promise.withResolvers<number>();
    runs.push(run);
    return run.promise;
  });
  const first = shared.get();
  const later = [shared.get(), shared.get(), shared.get()];
  expect(runs).toHaveLength(1);
  runs[0]?.resolve(1);
  expect(await first).toBe(1);
  const between = shared.get();
  await settle();
  expect(runs).toHaveLength(2);
  const last = shared.get();
  runs[1]?.resolve(2);
  expect(await Promise.all([...later, between])).toEqual([2, 2, 2, 2]);
  await settle();
  runs[2]?.resolve(3);
  expect(await last).toBe(3);
  expect(runs).toHaveLength(3);
});

it("that failed is told to those who asked for it, and not to the next", async () => {
  let count = 0;
  const shared = new SharedRun(async () => {
    if (++count === 1) throw new Error("broken");
    return count;
  });
  const first = shared.get();
  const second = shared.get();
  await expect(first).rejects.toThrow("broken");
  expect(await second).toBe(2);
  expect(await shared.get()).toBe(3);
});
