import { expect, it } from "vitest";
import { Column } from "./column.ts";

it("keeps numbers at their index, over the bounds of its chunks, and none that it was not given", () => {
  for (const [column, values] of [
    [Column.ofCounts(), [0, 1, 2 ** 32 - 1]],
    [Column.ofNumbers(), [-1.5, 1.8e12, Number.POSITIVE_INFINITY]],
  ] as const) {
    const indexes = [0, 4095, 4096, 100_000];
    for (const value of values) {
      for (const index of indexes) column.set(index, value);
      expect(indexes.map((index) => column.get(index))).toEqual(indexes.map(() => value));
    }
    expect([column.get(1), column.get(200_000)]).toEqual([0, undefined]);
    column.clear();
    expect(column.get(0)).toBeUndefined();
  }
});
