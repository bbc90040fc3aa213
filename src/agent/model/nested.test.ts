import { describe, expect, it } from "vitest";
import { chainOf, containerIdOf, keyOf } from "./nested.ts";

describe("keys of containers", () => {
  it("join plain ids by dots", () => {
    expect(keyOf(["a", "b-1", "C_2"])).toBe("a.b-1.C_2");
  });

  it("have no character that would mean something elsewhere, and are one for each chain", () => {
    const chains = [
      ["a", "b c"],
      ["a", "b:c"],
      ["a", "\u00e9"],
      ["a", "x".repeat(242)],
      ["a", "b", "c"],
      ["a", "b_c"],
    ] as const;
    const keys = chains.map((chain) => keyOf(chain));
    for (const key of keys) expect(key).toMatch(/^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}$/);
    expect(new Set(keys).size).toBe(chains.length);
  });

  it("of an id that looks like another's hash is its own", () => {
    for (const [id, ...rest] of [["b:c"], ["b".repeat(64), "c".repeat(64), "d".repeat(64), "e".repeat(64)]] as [
      string,
      ...string[],
    ][]) {
      const forged = keyOf(["a", id, ...rest]).slice("a.".length);
      expect(forged).toMatch(/^h-/);
      expect(keyOf(["a", forged])).not.toBe(keyOf(["a", id, ...rest]));
    }
  });

  it("are bounded for a chain of any depth, and still differ", () => {
    const uuid = "1b4e28ba-2fa1-11d2-883f-0016d3cca427";
    const deep = Array.from({ length: 40 }, () => uuid);
    const keys = [keyOf(["root", ...deep]), keyOf(["root", ...deep, "x"]), keyOf(["root", ...deep, "y"])];
    expect(new Set(keys).size).toBe(3);
    for (const key of keys) expect(key.length).toBeLessThanOrEqual(200);
    expect(keys.every((key) => key.startsWith("root."))).toBe(true);
  });
});

it("chains are read from messages and written into them", () => {
  const chain = ["a", "b", "c"] as const;
  const id = containerIdOf(chain);
  expect([id.value, id.parent?.value, id.parent?.parent?.value]).toEqual(["c", "b", "a"]);
  expect(chainOf(id)).toEqual(chain);
});
