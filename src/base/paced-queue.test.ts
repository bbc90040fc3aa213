import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Pace } from "./pace.ts";
import { PacedQueue } from "./paced-queue.ts";

const unexpected = (error: unknown) => {
  throw error;
};

/** One job a turn. */
const oneByOne = (failed: (error: unknown) => void = unexpected): PacedQueue => new PacedQueue(new Pace(1), failed);

describe("turns", () => {
  it("tells what a job threw, and runs those behind it", async () => {
    const told: unknown[] = [];
    const turns = oneByOne((error) => told.push(error));
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
    const turns = oneByOne();
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

  it("runs on in a turn while its pace has room", async () => {
    const turns = new PacedQueue(new Pace(3), unexpected);
    const ran: number[] = [];
    for (let number = 0; number < 8; number++) turns.take(() => ran.push(number));
    expect(ran).toEqual([0, 1, 2]);
    await turn();
    expect(ran).toEqual([0, 1, 2, 3, 4, 5]);
    await turn();
    expect(ran).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it("lets no newcomer overtake, though a turn has room for it", async () => {
    const turns = new PacedQueue(new Pace(2), unexpected);
    const ran: string[] = [];
    for (const name of ["a", "b", "c"])
      turns.take(() => {
        ran.push(name);
        if (name === "c") turns.take(() => ran.push("newcomer"));
      });
    turns.take(() => ran.push("d"));
    for (let count = 0; count < 3; count++) await turn();
    expect(ran).toEqual(["a", "b", "c", "d", "newcomer"]);
  });

  it("runs nothing more once it is closed", async () => {
    const turns = oneByOne();
    const ran: string[] = [];
    for (const name of ["a", "b"]) turns.take(() => ran.push(name));
    turns.close();
    turns.take(() => ran.push("c"));
    await turn();
    await turn();
    expect(ran).toEqual(["a"]);
  });

  it("lets what was started go on in between", async () => {
    const turns = oneByOne();
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
