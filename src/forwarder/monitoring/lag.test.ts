import { describe, expect, it } from "vitest";
import { BEGINNING, type Source } from "../model/source.ts";
import { Lag } from "./lag.ts";

const sourceOf = (more: Partial<Source> = {}): Source => ({ ...BEGINNING, name: "a", ...more }) as Source;

describe("the lag of a source", () => {
  it("is the age of its oldest byte that is not acknowledged, while it is written all the time", () => {
    const lag = new Lag();
    const source = sourceOf({ size: 100, acked: 100, read: 100 });
    lag.observe([source], 0);
    for (let second = 1; second <= 10; second++) {
      source.size += 100;
      source.modified = second * 1000;
      lag.observe([source], second * 1000);
    }
    expect(lag.ageOf(source, source.size, 10_000)).toBe(9000);
    source.acked = 600;
    expect(lag.ageOf(source, source.size, 10_000), "bytes 600 to 700 came at second 6").toBe(4000);
    source.acked = 650;
    expect(lag.ageOf(source, source.size, 10_000)).toBe(4000);
    source.acked = source.size;
    expect(lag.ageOf(source, source.size, 10_000)).toBe(0);
    expect(lag.ageOf(source, source.size + 1, 11_000), "what came this moment").toBe(1000);
  });

  it("is at least the age of the last change when it is seen for the first time", () => {
    expect(new Lag().ageOf(sourceOf({ size: 10, modified: 3000 }), 10, 10_000)).toBe(7000);
  });

  it("is bounded in memory, and never too small for it", () => {
    const lag = new Lag();
    const source = sourceOf();
    for (let second = 1; second <= 5000; second++) {
      source.size = second;
      lag.observe([source], second * 1000);
    }
    source.acked = 4000;
    const age = lag.ageOf(source, 5000, 5_000_000);
    expect(age).toBeGreaterThanOrEqual(999_000);
    expect(age).toBeLessThan(1_200_000);
  });

  it("is forgotten when everything is acknowledged: what comes then is as old as the file says", () => {
    const lag = new Lag();
    const source = sourceOf({ size: 100, read: 100 });
    lag.observe([source], 1000);
    source.acked = 100;
    lag.settle(source);
    Object.assign(source, { size: 200, modified: 5000 });
    lag.observe([source], 9000);
    expect(lag.ageOf(source, source.size, 10_000)).toBe(5000);
  });
});
