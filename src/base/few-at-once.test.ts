import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { FewAtOnce } from "./few-at-once.ts";

it("runs so many jobs at once, the others in their order, whatever becomes of each", async () => {
  const few = new FewAtOnce(2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const jobs = Array.from({ length: 5 }, (_, index) =>
    few.run(async () => {
      begun.push(index);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (index === 1) throw new Error("bad");
      return index;
    }),
  );
  const settled = Promise.allSettled(jobs);
  await turn();
  expect(begun).toEqual([0, 1]);
  ends[1]?.();
  await turn();
  expect(begun).toEqual([0, 1, 2]);
  for (let end = 0; end < 5; end++) {
    ends[end]?.();
    await turn();
  }
  expect((await settled).map(({ status }) => status)).toEqual([
    "fulfilled",
    "rejected",
    "fulfilled",
    "fulfilled",
    "fulfilled",
  ]);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  expect(await few.run(async () => "again")).toBe("again");
});
