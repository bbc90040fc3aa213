import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { PacedQueue } from "./paced-queue.ts";

const unexpected = (error: unknown) => {
  throw error;
};

/** A queue for which each look at the clock is a millisecond later than the one before, one look a turn and one a job. */
function queueWith(budget: number, failed: (error: unknown) => void = unexpected): PacedQueue {
  let now = 0;
  return new PacedQueue({ clock: { monotonic: () => now++ }, failed, budget });
}

describe("turns", () => {
  it("tells what a job threw, and runs those behind it", async () => {
    const told: unknown[] = [];
    const turns = queueWith(1, (error) => told.push(error));
    const ran: string[] = [];
    for (const name of ["a", "b", "c"]) {
      turns.take(() => {
        if (name !== "c") throw new Error(name);
        ran.push(name);
      });
    }
    await turn();
    await turn();
    expect(told).toEqual([new Error("a"), new Error("b")]);
    expect(ran).toEqual(["c"]);
  });

  it("runs the first at once, and one more in each turn, in order", async () => {
    const turns = queueWith(1);
    const ran: string[] = [];
    for (const name of ["a", "b", "c"]) turns.take(() => ran.push(name));
    expect(ran).toEqual(["a"]);
    await turn();
    expect(ran).toEqual(["a", "b"]);
    // A newcomer does not overtake.
    turns.take(() => ran.push("d"));
    await turn();
    await turn();
    expect(ran).toEqual(["a", "b", "c", "d"]);
    await turn();
    turns.take(() => ran.push("e"));
    expect(ran).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("runs on in a turn while its time lasts, but for the first, which is alone in its turn", async () => {
    const turns = queueWith(3);
    const ran: number[] = [];
    for (let number = 0; number < 8; number++) turns.take(() => ran.push(number));
    expect(ran).toEqual([0]);
    await turn();
    expect(ran).toEqual([0, 1, 2, 3]);
    await turn();
    expect(ran).toEqual([0, 1, 2, 3, 4, 5, 6]);
    await turn();
    expect(ran).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it("runs nothing more once it is closed", async () => {
    const turns = queueWith(1);
    const ran: string[] = [];
    for (const name of ["a", "b"]) turns.take(() => ran.push(name));
    turns.close();
    turns.take(() => ran.push("c"));
    await turn();
    await turn();
    expect(ran).toEqual(["a"]);
  });

  it("lets what was started go on in between", async () => {
    const turns = queueWith(1);
    const order: string[] = [];
    for (let number = 0; number < 3; number++) {
      turns.take(() => {
        order.push(`begin ${number}`);
        void Promise.resolve().then(() => order.push(`go on ${number}`));
      });
    }
    await turn();
    await turn();
    await turn();
    expect(order).toEqual(["begin 0", "go on 0", "begin 1", "go on 1", "begin 2", "go on 2"]);
  });
});
