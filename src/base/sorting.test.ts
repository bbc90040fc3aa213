import fc from "fast-check";
import { expect, it } from "vitest";
import { Pace } from "./pace.ts";
import { sorting } from "./sorting.ts";

it("sorts as the engine does, however small the pieces", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: "binary", maxLength: 3 }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 9 }),
      async (texts, run) => {
        expect(await new Pace(1000).run(sorting(texts, run))).toEqual([...texts].sort());
      },
    ),
  );
});

it("lets something else come in between", async () => {
  const texts = Array.from({ length: 10_000 }, (_, index) => `/${(index * 7919) % 10_007}`);
  const pace = new Pace(1);
  expect(await pace.run(sorting(texts))).toEqual([...texts].sort());
  expect(pace.turns).toBeGreaterThan(40);
});
