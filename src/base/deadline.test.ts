import { expect, test } from "vitest";
import { TestClock } from "../../test/support/test-clock.ts";
import { Deadline, within } from "./deadline.ts";

test("work that is in time decides, and what is late does not keep anybody", async () => {
  const clock = new TestClock();
  expect(await within(clock, 100, Promise.resolve(1), "late")).toBe(1);
  await expect(within(clock, 100, Promise.reject(new Error("no")), "late")).rejects.toThrow("no");
  const late = within(clock, 100, new Promise<never>(() => undefined), "late");
  await clock.advance(100);
  expect(await late).toBe("late");
  expect(clock.pending).toBe(0);
});

test("one deadline holds for many works with one timer, and for those that begin when it is over", async () => {
  const clock = new TestClock();
  const deadline = new Deadline(clock, 100);
  const never = () => new Promise<never>(() => undefined);
  const works = [Promise.resolve(1), never(), never()].map((work) => deadline.within(work, "late"));
  const failing = deadline.within(Promise.reject(new Error("no")), "late");
  await expect(failing).rejects.toThrow("no");
  expect(clock.pending).toBe(1);
  await clock.advance(100);
  expect(await Promise.all(works)).toEqual([1, "late", "late"]);
  expect(await deadline.within(never(), "late")).toBe("late");
  expect(await deadline.within(Promise.reject(new Error("no")), "late")).toBe("late");
});
