import { describe, expect, it } from "vitest";
import { Barrier } from "./barrier.ts";

const unexpected = (error: unknown) => {
  throw error;
};

describe("a gate", () => {
  it("tells what a job threw, and lets those behind it pass", async () => {
    const told: unknown[] = [];
    const gate = new Barrier((error) => told.push(error));
    const done: string[] = [];
    const fails = () => {
      throw new Error("bad");
    };
    gate.pass(fails);
    gate.hold(Promise.resolve());
    gate.pass(fails);
    gate.pass(() => done.push("after"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual([new Error("bad"), new Error("bad")]);
    expect(done).toEqual(["after"]);
  });

  it("lets jobs pass at once while nothing holds it", () => {
    const gate = new Barrier(unexpected);
    const done: string[] = [];
    gate.pass(() => done.push("one"));
    expect(done).toEqual(["one"]);
  });

  it("keeps their order behind work that is under way, whether it succeeds or fails", async () => {
    const gate = new Barrier(unexpected);
    const done: string[] = [];
    const first = Promise.withResolvers<void>();
    const second = Promise.withResolvers<void>();
    gate.hold(first.promise);
    gate.pass(() => {
      done.push("one");
      gate.hold(second.promise);
    });
    gate.pass(() => done.push("two"));
    expect(done).toEqual([]);
    first.resolve();
    await first.promise;
    await Promise.resolve();
    expect(done).toEqual(["one"]);
    gate.pass(() => done.push("three"));
    second.reject(new Error("no disk"));
    await second.promise.catch(() => undefined);
    await Promise.resolve();
    expect(done).toEqual(["one", "two", "three"]);
  });

  it("stays shut while one of several holds is left", async () => {
    const gate = new Barrier(unexpected);
    const done: string[] = [];
    const slow = Promise.withResolvers<void>();
    gate.hold(Promise.resolve());
    gate.hold(slow.promise);
    gate.pass(() => done.push("one"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).toEqual([]);
    slow.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).toEqual(["one"]);
  });
});
