import { describe, expect, it } from "vitest";
import {
  type Figure,
  figuresPage,
  goalText,
  isMet,
  type Results,
  ratioOf,
  saidBy,
  tableOf,
  worseThan,
} from "../../bench/figures.ts";
import { inParts } from "../../bench/parts.ts";

const figure = (more: Partial<Figure>): Figure => ({
  id: "x",
  what: "a thing",
  value: 3,
  unit: "s",
  bound: "disk",
  ...more,
});
const run = (...figures: Figure[]): Results => ({
  machine: "m",
  date: "2026-01-02",
  quick: false,
  figures,
  missing: [],
});

describe("a figure", () => {
  it("is so many times what the machine itself takes; else a share of what it may be", () => {
    expect(ratioOf(figure({ floor: { what: "spawn", value: 2 }, goal: { atMost: 1 } }))).toBe(1.5);
    expect(ratioOf(figure({ goal: { atMost: 6 } }))).toBe(0.5);
    expect(ratioOf(figure({}))).toBeUndefined();
    expect(ratioOf(figure({ floor: { what: "nothing", value: 0 } }))).toBeUndefined();
  });

  it("is met when every goal is", () => {
    const floor = { what: "spawn", value: 2 };
    expect(isMet(figure({}))).toBeUndefined();
    expect(isMet(figure({ floor, goal: { timesFloor: 1.5, atMost: 3 } }))).toBe(true);
    expect(isMet(figure({ floor, goal: { timesFloor: 1.4, atMost: 3 } }))).toBe(false);
    expect(isMet(figure({ floor, goal: { timesFloor: 1.5, atMost: 2.9 } }))).toBe(false);
    // Without its floor nobody knows.
    expect(isMet(figure({ goal: { timesFloor: 100 } }))).toBe(false);
    expect(isMet(figure({ goal: { atLeast: 4 } }))).toBe(false);
    expect(goalText(figure({ goal: { timesFloor: 2, atMost: 1200 } }))).toBe("≤ 2 × floor, ≤ 1,200 s");
  });

  it("is worse than before when its ratio is by more than a quarter, whatever its value", () => {
    const before = run(figure({ floor: { what: "spawn", value: 2 } }));
    // A machine of half the speed.
    expect(worseThan(run(figure({ value: 6, floor: { what: "spawn", value: 4 } })), before)).toEqual([]);
    expect(worseThan(run(figure({ value: 3.7, floor: { what: "spawn", value: 2 } })), before)).toEqual([]);
    expect(worseThan(run(figure({ value: 3.8, floor: { what: "spawn", value: 2 } })), before)).toHaveLength(1);
    expect(worseThan(run(figure({ id: "new", value: 99 })), before)).toEqual([]);
    const many = run(figure({ value: 800, goal: { atLeast: 400 } }));
    expect(worseThan(run(figure({ value: 900, goal: { atLeast: 400 } })), many)).toEqual([]);
    expect(worseThan(run(figure({ value: 600, goal: { atLeast: 400 } })), many)).toHaveLength(1);
  });

  it("stands in one row, beside its floor, its peer and its ratio of before", () => {
    const peer = { what: "C++ agent", value: 7.06 };
    const now = run(figure({ floor: { what: "posix_spawn", value: 1.2 }, goal: { timesFloor: 2 }, peer }));
    const rows = tableOf(now, run(figure({ floor: { what: "posix_spawn", value: 1 } })));
    expect(rows).toHaveLength(3);
    expect(rows[2]).toBe(
      "| a thing | 3 s | 1.2 s (posix_spawn) | 2.5 × | ≤ 2 × floor | NOT MET | 7.06 s (C++ agent) | 3 × | disk |",
    );
    expect(tableOf(now)[0]).not.toContain("earlier");
  });

  it("that could not be measured is said on the page, with why", () => {
    const page = figuresPage({ ...run(figure({})), missing: ["docker: there is no dockerd"] });
    expect(page).toContain("| a thing | 3 s |");
    expect(page).toContain("- docker: there is no dockerd");
  });
});

describe("a bench", () => {
  it("that failed is quoted with its error, not with Node's release below the stack", () => {
    const thrown =
      "Uncaught\nError: it ended with 2 after 7 of 9 lines\n    at follow (run.ts:1:2)\n\nNode.js v24.21.0\n";
    expect(saidBy(thrown)).toBe("Error: it ended with 2 after 7 of 9 lines");
    expect(saidBy("warming up\nlatency: nothing came\n")).toBe("latency: nothing came");
    expect(saidBy("")).toBeUndefined();
  });

  it("goes on with its other parts when one fails", async () => {
    const done: string[] = [];
    const failures = await inParts({
      one: async () => void done.push("one"),
      two: () => Promise.reject(new Error("the receiver ended with 1")),
      three: async () => void done.push("three"),
    });
    expect(done).toEqual(["one", "three"]);
    expect(failures).toEqual(["two: the receiver ended with 1"]);
  });
});
