import { describe, expect, it } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import { TimerWindow } from "./timer-window.ts";

const statistics = (window: TimerWindow): Record<string, number> => Object.fromEntries(window.statistics());

describe("what a timer tells", () => {
  it("is nothing before the first value", () => {
    expect(new TimerWindow(new TestClock()).statistics()).toEqual([]);
  });

  it("of one value is that value", () => {
    const window = new TimerWindow(new TestClock());
    window.record(7);
    const all = { "": 7, "/count": 1, "/min": 7, "/max": 7, "/p50": 7, "/p90": 7, "/p95": 7, "/p99": 7 };
    expect(statistics(window)).toEqual({ ...all, "/p999": 7, "/p9999": 7 });
  });

  it("is the last value as it came, and all of them sorted by size, between two of them by their distance", () => {
    const window = new TimerWindow(new TestClock());
    for (const value of [100, 20, 3]) window.record(value);
    expect(statistics(window)).toMatchObject({ "": 3, "/count": 3, "/min": 3, "/max": 100, "/p50": 20, "/p90": 84 });
  });

  it("is of the last hour", async () => {
    const clock = new TestClock();
    const window = new TimerWindow(clock);
    window.record(50);
    await clock.advance(1_800_000);
    window.record(1);
    await clock.advance(1_800_000);
    expect(statistics(window)).toMatchObject({ "/count": 2, "/max": 50 });
    await clock.advance(1);
    expect(statistics(window)).toMatchObject({ "/count": 1, "/max": 1 });
    await clock.advance(1_800_000);
    expect(window.statistics()).toEqual([]);
  });

  it("is of the last thousand values", () => {
    const window = new TimerWindow(new TestClock());
    for (let value = 1; value <= 1_001; value++) window.record(value);
    expect(statistics(window)).toMatchObject({ "": 1_001, "/count": 1_000, "/min": 2, "/max": 1_001 });
  });
});
