import { describe, expect, it } from "vitest";
import { Depth } from "./depth.ts";
import { Dialect } from "./dialect.ts";

describe("the windows in flight", () => {
  it("are several after three pairs were acknowledged", () => {
    const depth = new Depth();
    const seen = [0, 1, 2].map(() => {
      const before = depth.at(0);
      depth.pairLanded();
      return before;
    });
    expect([...seen, depth.at(0)]).toEqual(["untried", "untried", "untried", "proven"]);
  });

  it("are one after a pair was mixed up, tried again after a minute, then after two, then after four", () => {
    const depth = new Depth();
    expect(depth.trouble(0)).toBe(true);
    expect([depth.at(59_999), depth.at(60_000)]).toEqual(["single", "untried"]);
    expect(depth.trouble(60_000)).toBe(true);
    expect([depth.at(179_999), depth.at(180_000)]).toEqual(["single", "untried"]);
    depth.pairLanded();
    expect(depth.trouble(180_000)).toBe(true);
    expect([depth.at(419_999), depth.at(420_000)]).toEqual(["single", "untried"]);
  });

  it("are found out anew when a receiver that took several restarts, without a rest", () => {
    const depth = new Depth();
    for (let pair = 0; pair < 3; pair++) depth.pairLanded();
    expect(depth.trouble(0)).toBe(false);
    expect(depth.at(0)).toBe("untried");
  });
});

describe("the version", () => {
  it("stays when a connection ends, and changes after three refusals at once in a row", () => {
    const dialect = new Dialect("auto", 1);
    expect([dialect.hungUp(10), dialect.hungUp(10)]).toEqual([false, false]);
    expect(dialect.hungUp(60_000), "that was no refusal").toBe(false);
    expect(dialect.hold).toBeGreaterThan(0);
    expect(dialect.hungUp(10)).toBe(true);
    expect(dialect.version).toBe(2);
    expect(dialect.hungUp(10), "nor does it take the other").toBe(true);
    expect(dialect.version).toBe(1);
  });

  it("stays for ever once it was acknowledged, and where it is configured", () => {
    const [known, configured] = [new Dialect("auto", 1), new Dialect(1, 1)];
    known.answered();
    for (let time = 0; time < 20; time++) expect([known.hungUp(1), configured.hungUp(1)]).toEqual([false, false]);
    expect([known.version, known.hold, configured.hold]).toEqual([1, 0, 0]);
  });
});
