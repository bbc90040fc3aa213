import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { Pace } from "./pace.ts";

it("lets so many pieces be done in a turn, of all who ask, in their order", async () => {
  const pace = new Pace(3);
  const done: string[] = [];
  const work = async (name: string) => {
    for (let piece = 0; piece < 3; piece++) {
      const wait = pace.take();
      if (wait !== undefined) await wait;
      done.push(name);
    }
  };
  const all = Promise.all(["a", "b", "c"].map(work));
  expect(done).toEqual(["a", "a", "a"]);
  await turn();
  expect(done.length).toBeLessThanOrEqual(6);
  await all;
  expect(done.toSorted()).toEqual(["a", "a", "a", "b", "b", "b", "c", "c", "c"]);
  expect(pace.turns).toBeGreaterThanOrEqual(3);
});

it("does short work at once, and tells what it threw", async () => {
  const pace = new Pace(10);
  let done = 0;
  const work = function* (pieces: number) {
    for (; done < pieces; done++) yield;
    if (pieces === 40) throw new Error("bad");
    return "over";
  };
  const short = pace.run(work(5));
  expect(done).toBe(5);
  expect(await short).toBe("over");
  const long = pace.run(work(40));
  expect(done).toBeLessThan(40);
  await expect(long).rejects.toThrow("bad");
});

it("begins at once again after a turn without work", async () => {
  const pace = new Pace(2);
  for (let round = 0; round < 3; round++) {
    expect([pace.take(), pace.take()]).toEqual([undefined, undefined]);
    await turn();
    await turn();
  }
});

it("begins no further piece in a turn that has lasted long enough, and always one", async () => {
  let now = 0;
  const pace = new Pace(1000, { milliseconds: 10, now: () => now });
  const done: number[] = [];
  const work = function* (cost: number, pieces: number) {
    for (let piece = 0; piece < pieces; piece++) {
      now += cost;
      done.push(pace.turns);
      yield;
    }
  };
  // Pieces of 4 ms: three a turn. Of 25 ms: one a turn.
  await pace.run(work(4, 6));
  expect(done).toEqual([1, 1, 1, 2, 2, 2]);
  done.length = 0;
  await turn();
  await pace.run(work(25, 3));
  expect(new Set(done).size).toBe(3);
});

it("counts what those who waited took, before it lets the next of them go", async () => {
  let now = 0;
  const pace = new Pace(1000, { milliseconds: 10, now: () => now });
  const turns: number[] = [];
  const heavy = async () => {
    const wait = pace.take();
    if (wait !== undefined) await wait;
    now += 30;
    turns.push(pace.turns);
  };
  // However many ask at once: each has a turn of his own.
  await Promise.all(Array.from({ length: 5 }, heavy));
  expect(new Set(turns).size).toBe(5);
});
