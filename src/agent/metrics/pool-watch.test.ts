import { expect, test } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import { PoolWatch } from "./pool-watch.ts";

test("a pool that stands still is told of, and one that goes on again is not", async () => {
  const clock = new TestClock();
  let answer = (): void => undefined;
  let asked = 0;
  const watch = new PoolWatch(clock, () => {
    asked++;
    return new Promise<void>((resolve) => {
      answer = resolve;
    });
  });
  await clock.advance(5_000);
  expect([asked, watch.trouble]).toEqual([1, undefined]);
  await clock.advance(14_000);
  expect(watch.trouble).toBeUndefined();
  await clock.advance(2_000);
  expect(watch.trouble).toContain("no file operation has ended for 16 s");
  // No question is added to those that wait.
  expect(asked).toBe(1);
  answer();
  await Promise.resolve();
  await Promise.resolve();
  expect(watch.trouble).toBeUndefined();
  await clock.advance(5_000);
  expect(asked).toBe(2);
  watch.close();
});
