import { describe, expect, it } from "vitest";
import { Launches } from "./launches.ts";

const never = new AbortController().signal;

describe("a launch", () => {
  it("that is asked to end stops early", async () => {
    const launches = new Launches();
    const why = new Error("killed");
    const work = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const running = launches.run("c", never, work, () => undefined);
    expect([launches.has("c"), launches.size]).toEqual([true, 1]);
    launches.end("c", 3000, why);
    await expect(running).rejects.toBe(why);
    expect([launches.has("c"), launches.size]).toEqual([false, 0]);
  });

  it("that has become a running container by then is stopped with the shortest grace asked for", async () => {
    const launches = new Launches();
    const begun = Promise.withResolvers<string>();
    const stops: number[] = [];
    const running = launches.run(
      "c",
      never,
      () => begun.promise,
      (grace) => void stops.push(grace),
    );
    launches.end("c", 3000);
    launches.end("c", 5000);
    launches.end("stranger", 0);
    begun.resolve("it runs");
    expect(await running).toBe("it runs");
    expect(stops).toEqual([3000]);
  });

  it("of a containerizer that leaves goes on if it runs", async () => {
    const launches = new Launches();
    const begun = Promise.withResolvers<void>();
    const stops: number[] = [];
    const running = launches.run(
      "c",
      never,
      () => begun.promise,
      (grace) => void stops.push(grace),
    );
    launches.close();
    begun.resolve();
    await running;
    expect(stops).toEqual([]);
  });
});
