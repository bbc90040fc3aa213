import { describe, expect, it } from "vitest";
import { TestClock } from "../../test/support/test-clock.ts";
import { ConnectionBound } from "./connection-bound.ts";

function setUp(all = 8, perAddress = 4) {
  const clock = new TestClock(0);
  const bound = new ConnectionBound<string>({ all, perAddress }, clock);
  const admit = (address: string, ...names: string[]) =>
    names.map((name) => {
      const result = bound.admit(name, address);
      return result === "refused" ? "refused" : result.victim;
    });
  return { clock, bound, admit };
}

describe("the bound of connections", () => {
  it("takes them in as long as there is room", () => {
    const { admit, bound } = setUp();
    expect(admit("a", "1", "2", "3", "4")).toEqual([undefined, undefined, undefined, undefined]);
    expect(admit("b", "5")).toEqual([undefined]);
    expect(bound.size).toBe(5);
  });

  it("an address over its share gives up its own, the oldest silent one while all are fresh", () => {
    const { admit } = setUp();
    admit("b", "other");
    admit("a", "1", "2", "3", "4");
    expect(admit("a", "5", "6")).toEqual(["1", "2"]);
  });

  it("a link that has long been silent outlives a flood from its own address", async () => {
    const { admit, clock, bound } = setUp();
    admit("a", "link");
    await clock.advance(60_000);
    admit("a", "1", "2", "3");
    await clock.advance(2_000);
    expect(admit("a", "4")).toEqual(["3"]);
    expect(admit("a", "5")).toEqual(["2"]);
    expect(admit("a", "6")).toEqual(["1"]);
    expect(admit("a", "7", "8", "9")).toEqual(["4", "5", "6"]);
    for (const name of ["7", "8", "9"]) bound.remove(name);
    admit("a", "10", "11", "12");
    for (const name of ["10", "11", "12"]) bound.set(name, "kept");
    expect(admit("a", "13")).toEqual(["link"]);
  });

  it("silent ones go before those that said something, those before nobody", () => {
    const { admit, bound } = setUp();
    admit("a", "1", "2", "3", "4");
    bound.set("1", "kept");
    bound.set("2", "idle");
    expect(admit("a", "5")).toEqual(["3"]);
    expect(admit("a", "6")).toEqual(["4"]);
    for (const name of ["5", "6"]) bound.set(name, "kept");
    expect(admit("a", "7")).toEqual(["2"]);
    bound.set("7", "kept");
    expect(admit("a", "8")).toEqual(["refused"]);
    bound.remove("7");
    expect(admit("a", "8")).toEqual([undefined]);
  });

  it("with no room at all, the address that has most silent ones makes it", () => {
    const { admit, bound } = setUp(6, 4);
    admit("a", "1", "2", "3", "4");
    admit("b", "5", "6");
    expect(admit("c", "7")).toEqual(["1"]);
    for (const name of ["2", "3", "4", "5", "6", "7"]) bound.set(name, "kept");
    expect(admit("d", "8")).toEqual(["refused"]);
  });

  it("a connection that is used again and again is not its own victim twice", async () => {
    const { admit, bound, clock } = setUp(4, 2);
    admit("a", "1");
    bound.set("1", "idle");
    await clock.advance(2_000);
    admit("a", "2");
    bound.set("2", "idle");
    bound.set("1", "kept");
    bound.set("1", "idle");
    expect(admit("a", "3")).toEqual(["2"]);
    expect(bound.size).toBe(2);
  });

  it("forgets addresses that are gone", () => {
    const { admit, bound } = setUp();
    for (let count = 0; count < 100; count++) {
      admit(`address ${count}`, `${count}`);
      bound.remove(`${count}`);
    }
    expect(bound.size).toBe(0);
  });
});
