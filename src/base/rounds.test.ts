import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { Pace } from "./pace.ts";
import { Rounds } from "./rounds.ts";

it("goes round in turns, one round at a time, and again after one that failed", async () => {
  const failed: unknown[] = [];
  const pace = new Pace(10);
  const rounds = new Rounds(pace, (error) => failed.push(error));
  let [looks, begun] = [0, 0];
  const round = (many: number, bad = false) =>
    function* () {
      begun++;
      for (let look = 0; look < many; look++) {
        looks++;
        yield;
      }
      if (bad) throw new Error("bad");
    };
  rounds.begin(round(3));
  expect(looks).toBe(3);
  await turn();
  rounds.begin(round(45, true));
  expect(looks).toBeLessThan(20);
  rounds.begin(round(45));
  for (let count = 0; count < 10; count++) await turn();
  expect([looks, begun]).toEqual([48, 2]);
  expect(failed).toEqual([new Error("bad")]);
  rounds.begin(round(1));
  expect(looks).toBe(49);
});
