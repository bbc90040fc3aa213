import { expect, test } from "vitest";
import { TestClock } from "../../test/support/test-clock.ts";
import { within } from "./deadline.ts";

test("work that is in time decides, and what is late does not keep anybody", async () => {
  const clock = new TestClock();
  expect(await within(clock, 100, Promise.resolve(1), "late")).toBe(1);
  await expect(within(clock, 100, Promise.reject(new Error("no")), "late")).rejects.toThrow("no");
  const late = within(clock, 100, new Promise<never>(() => undefined), "late");
  await clock.advance(100);
  expect(await late).toBe("late");
});
