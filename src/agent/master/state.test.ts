import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Action, decide, INITIAL_STATE, type RegistrationEvent, type RegistrationState } from "./state.ts";

const master = { id: "master", ip: "10.0.0.1", port: 5050 };
const other = { id: "master", ip: "10.0.0.2", port: 5050 };
const settings = { factor: 1_000, hasCredential: false, random: () => 1 };

function run(events: RegistrationEvent[], hasCredential = false): { state: RegistrationState; actions: Action[][] } {
  let state = INITIAL_STATE;
  const actions: Action[][] = [];
  for (const event of events) {
    const [next, todo] = decide(state, event, { ...settings, hasCredential });
    state = next;
    actions.push([...todo]);
  }
  return { state, actions };
}

const detected = { kind: "detected", master } as const;
const due = { kind: "due" } as const;
const answered = { kind: "answered", from: master, id: "S1", known: undefined } as const;
const running = [detected, due, answered];
const waits = (actions: Action[][]): number[] =>
  actions.flat().flatMap((action) => (action.do === "wait" ? [action.milliseconds] : []));
const names = (actions: Action[] | undefined): string[] => (actions ?? []).map((action) => action.do);

describe("registration", () => {
  it("waits, links, registers, runs", () => {
    const { state, actions } = run(running);
    expect(state.phase).toBe("running");
    expect(actions.map(names)).toEqual([
      ["cancel", "unlink", "wait"],
      ["register", "wait"],
      ["cancel", "expect-pings", "announce"],
    ]);
  });

  it("doubles the wait from twice the factor up to a minute", () => {
    const { actions } = run([detected, ...Array.from({ length: 9 }, () => due)]);
    expect(waits(actions)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000]);
  });

  it("resets the wait for every detector event", () => {
    expect(waits(run([detected, due, due, due, { kind: "detected", master: other }]).actions).at(-1)).toBe(1_000);
  });

  it("authenticates first, anew for each master, and registers at once when that is done", () => {
    const { state, actions } = run([detected, due, { kind: "authenticated" }, due, detected, due], true);
    expect(actions.map(names)[1]).toEqual(["authenticate"]);
    expect(actions.map(names)[2]).toEqual(["register", "wait"]);
    expect(actions.map(names)[3]).toEqual(["register", "wait"]);
    expect(state.phase).toBe("authenticating");
  });

  it("gives up on a refused credential until another master leads", () => {
    const { state, actions } = run([detected, due, { kind: "credential-refused" }, due, answered], true);
    expect(state.phase).toBe("refused");
    expect(actions[2]).toContainEqual({ do: "refuse", refusal: "credential" });
    expect(decide(state, { kind: "detected", master: other }, settings)[0].phase).toBe("delayed");
  });

  it("ignores answers and shutdowns from anybody but the current master", () => {
    for (const from of [other, undefined]) {
      const { state, actions } = run([detected, due, { ...answered, from }, { kind: "shutdown", from }]);
      expect(state.phase).toBe("registering");
      expect(actions.slice(-2).map(names)).toEqual([["ignore"], ["ignore"]]);
    }
  });

  it("announces duplicates, and refuses another id", () => {
    const { state, actions } = run([...running, { ...answered, known: "S1" }]);
    expect(actions.at(-1)).toEqual([{ do: "announce", duplicate: true }]);
    const [next, todo] = decide(state, { ...answered, id: "S2", known: "S1" }, settings);
    expect(next.phase).toBe("refused");
    expect(names([...todo])).toEqual(["cancel", "disconnected", "refuse"]);
  });

  it.each<[string, RegistrationEvent]>([
    ["a broken link", { kind: "link-broken", master, lived: 5 }],
    ["a ping timeout", { kind: "ping-timeout" }],
    ["a ping that says disconnected", { kind: "ping", connected: false }],
    ["another leader", { kind: "detected", master: other }],
  ])("starts over at once after %s", (_name, event) => {
    const { state, actions } = run([...running, event]);
    expect(state.phase).toBe("delayed");
    expect(names(actions.at(-1))).toEqual(["cancel", "unlink", "disconnected", "wait"]);
    expect(waits(actions).at(-1)).toBe(1_000);
  });

  it("asks at least every five seconds while nobody listens, and does not circle when a listener hangs up at once", () => {
    const refused = { kind: "link-broken", master, lived: undefined } as const;
    const attempt = [due, refused];
    expect(waits(run([detected, ...attempt, ...attempt, ...attempt, ...attempt, ...attempt]).actions)).toEqual([
      1_000, 2_000, 2_000, 4_000, 4_000, 8_000, 5_000, 16_000, 5_000, 16_000, 5_000,
    ]);
    const hungUp = { kind: "link-broken", master, lived: 3 } as const;
    expect(waits(run([detected, due, hungUp, due, hungUp]).actions)).toEqual([1_000, 2_000, 2_000, 4_000, 4_000]);
    const restarted = { kind: "link-broken", master, lived: 60_000 } as const;
    expect(waits(run([detected, due, due, due, restarted]).actions).at(-1)).toBe(1_000);
  });

  it("begins anew with a link that ends in whatever it was about, once it was a real one", () => {
    const lived = { kind: "link-broken", master, lived: 60_000 } as const;
    const before: [string, readonly RegistrationEvent[], boolean][] = [
      ["delayed", [detected], false],
      ["authenticating", [detected, due], true],
      ["registering", [detected, due], false],
      ["running", running, false],
    ];
    for (const [phase, events, hasCredential] of before) {
      const start = run([...events], hasCredential);
      expect(start.state.phase).toBe(phase);
      const [state, actions] = decide(start.state, lived, { ...settings, hasCredential });
      expect([state.phase, state.attempts, names([...actions]).at(-1)], phase).toEqual(["delayed", 0, "wait"]);
    }
    const { state } = run([...running, { kind: "terminate" }]);
    expect(decide(state, lived, settings)).toEqual([state, []]);
  });

  it("ignores the end of an earlier master's link", () => {
    const { state } = run([...running, { kind: "link-broken", master: other, lived: 5 }]);
    expect(state.phase).toBe("running");
  });

  it("renews the wait for pings only while running", () => {
    expect(names(run([...running, { kind: "ping", connected: true }]).actions.at(-1))).toEqual(["expect-pings"]);
    expect(run([detected, { kind: "ping", connected: false }]).actions.at(-1)).toEqual([]);
  });

  it("explains silence after 3, 6, 12 attempts", () => {
    const { actions } = run([detected, ...Array.from({ length: 13 }, () => due)]);
    expect(actions.flat().flatMap((action) => (action.do === "explain" ? [action.attempts] : []))).toEqual([3, 6, 12]);
  });

  it("never leaves terminating, never keeps a timer there, and runs only for the current master", () => {
    const event = fc.oneof(
      fc.constantFrom<RegistrationEvent>(
        detected,
        { kind: "detected", master: undefined },
        { kind: "detected", master: other },
        due,
        answered,
        { ...answered, from: other },
        { kind: "authenticated" },
        { kind: "credential-refused" },
        { kind: "ping", connected: false },
        { kind: "ping-timeout" },
        { kind: "link-broken", master, lived: 1 },
        { kind: "shutdown", from: master },
        { kind: "terminate" },
      ),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), fc.boolean(), (events, hasCredential) => {
        let state = INITIAL_STATE;
        let timer = false;
        for (const each of events) {
          const [next, actions] = decide(state, each, { ...settings, hasCredential });
          for (const action of actions) {
            if (action.do === "cancel") timer = false;
            if (action.do === "wait") timer = true;
            if (action.do === "register") expect(!hasCredential || next.authenticated).toBe(true);
          }
          if (state.phase === "terminating") expect(next.phase).toBe("terminating");
          if (next.phase === "terminating" || next.phase === "running" || next.phase === "idle")
            expect(timer).toBe(false);
          // Whoever waits for a master's answer has a timer that goes on.
          if (next.phase === "delayed" || next.phase === "registering") expect(timer).toBe(true);
          if (next.phase === "running") expect(next.master).toBeDefined();
          state = next;
        }
      }),
      { numRuns: 500 },
    );
  });
});
