import { describe, expect, it } from "vitest";
import { settle, TestClock } from "../../test/support/test-clock.ts";
import { silentLogger } from "../base/log.ts";
import type { Engine, EngineEvent } from "./engine.ts";
import { EngineError } from "./errors.ts";
import { ImagePulls } from "./pulls.ts";
import { EngineSupervisor } from "./supervisor.ts";

const die: EngineEvent = { type: "container", action: "die", id: "i", attributes: {} };

/** A daemon at the wire: pings and event streams answer as told. */
class Wire {
  pings: "answer" | "fail" = "answer";
  readonly streams: { push(event: EngineEvent): void; end(): void }[] = [];

  readonly engine = {
    endpoint: "unix:///d",
    ping: async () => {
      if (this.pings === "fail") throw new EngineError("timeout", "did not answer");
    },
    events: async (signal: AbortSignal) => this.#stream(signal),
  } as unknown as Engine;

  async *#stream(signal: AbortSignal): AsyncGenerator<EngineEvent> {
    const queue: (EngineEvent | undefined)[] = [];
    let wake = Promise.withResolvers<void>();
    const put = (event: EngineEvent | undefined): void => {
      queue.push(event);
      wake.resolve();
    };
    this.streams.push({ push: put, end: () => put(undefined) });
    signal.addEventListener("abort", () => put(undefined), { once: true });
    for (;;) {
      while (queue.length > 0) {
        const event = queue.shift();
        if (event === undefined) return;
        yield event;
      }
      wake = Promise.withResolvers();
      await wake.promise;
    }
  }
}

describe("the daemon's supervisor", () => {
  const begin = async () => {
    const wire = new Wire();
    const clock = new TestClock();
    const supervisor = new EngineSupervisor(wire.engine, [], clock, silentLogger);
    const seen: string[] = [];
    supervisor.start({ event: ({ action }) => seen.push(action), healed: () => seen.push("healed") });
    await settle();
    return { wire, clock, supervisor, seen };
  };

  it("knows a daemon that has answered once, also while it is away", async () => {
    const { wire, clock, supervisor } = await begin();
    expect(supervisor.isKnown).toBe(true);
    wire.pings = "fail";
    await clock.advance(5_000);
    expect(supervisor.trouble).toBeDefined();
    expect(supervisor.isKnown).toBe(true);
    supervisor.close();
    const absent = new Wire();
    absent.pings = "fail";
    const other = new EngineSupervisor(absent.engine, [], clock, silentLogger);
    other.start({ event: () => undefined, healed: () => undefined });
    await settle();
    expect(other.isKnown).toBe(false);
    other.close();
  });

  it("passes events on", async () => {
    const { wire, supervisor, seen } = await begin();
    wire.streams[0]?.push(die);
    await settle();
    expect(seen).toEqual(["healed", "die"]);
    expect(supervisor.trouble).toBeUndefined();
    supervisor.close();
    await supervisor.finished;
  });

  it("notices a daemon that hangs, says since when, and heals", async () => {
    const { wire, clock, supervisor, seen } = await begin();
    wire.pings = "fail";
    await clock.advance(5_000);
    expect(supervisor.trouble).toBe("did not answer (for 0 s)");
    await clock.advance(60_000);
    expect(supervisor.trouble).toBe("did not answer (for 60 s)");
    expect(supervisor.breaks).toBe(1);
    wire.pings = "answer";
    await clock.advance(10_000);
    expect(supervisor.trouble).toBeUndefined();
    expect(seen).toEqual(["healed", "healed"]);
    supervisor.close();
    await supervisor.finished;
    expect(clock.pending).toBe(0);
  });

  it("opens the event stream again when it ends", async () => {
    const { wire, clock, supervisor, seen } = await begin();
    wire.streams[0]?.end();
    await settle();
    expect(supervisor.trouble).toMatch(/ended its event stream/);
    await clock.advance(1_000);
    wire.streams[1]?.push(die);
    await settle();
    expect(seen).toEqual(["healed", "healed", "die"]);
    supervisor.close();
    await supervisor.finished;
  });
});

describe("pulls", () => {
  const begin = () => {
    const calls: { reference: string; signal: AbortSignal; finish: PromiseWithResolvers<void> }[] = [];
    const pull: Engine["pull"] = (reference, { signal }) => {
      const finish = Promise.withResolvers<void>();
      if (signal === undefined) throw new Error("a pull needs a signal");
      signal.addEventListener("abort", () => finish.reject(new EngineError("aborted", "given up")));
      calls.push({ reference, signal, finish });
      return finish.promise;
    };
    return { calls, pulls: new ImagePulls({ pull }, new TestClock(), silentLogger) };
  };
  const request = { reference: "a:1", auth: undefined };

  it("of one image are one, other credentials are another", async () => {
    const { calls, pulls } = begin();
    const signal = new AbortController().signal;
    const all = [
      pulls.pull(request, signal),
      pulls.pull(request, signal),
      pulls.pull({ ...request, auth: "x" }, signal),
    ];
    expect(calls).toHaveLength(2);
    expect(pulls.reports.map(({ waiting }) => waiting)).toEqual([2, 1]);
    for (const { finish } of calls) finish.resolve();
    await Promise.all(all);
    expect(pulls.reports).toEqual([]);
  });

  it("go on while somebody waits, and end when nobody does", async () => {
    const { calls, pulls } = begin();
    const [one, two] = [new AbortController(), new AbortController()];
    const first = pulls.pull(request, one.signal);
    const second = pulls.pull(request, two.signal);
    one.abort();
    await expect(first).rejects.toMatchObject({ kind: "aborted" });
    expect(calls[0]?.signal.aborted).toBe(false);
    two.abort();
    await expect(second).rejects.toMatchObject({ kind: "aborted" });
    expect(calls[0]?.signal.aborted).toBe(true);
    expect(pulls.reports).toEqual([]);
  });
});
