import { beforeEach, describe, expect, it } from "vitest";
import { FakeEngine } from "../../../../../test/support/fake-engine.ts";
import { FakeProcesses } from "../../../../../test/support/process-table.ts";
import { TestClock } from "../../../../../test/support/test-clock.ts";
import { silentLogger } from "../../../../base/log.ts";
import { MARK, MarkedProcesses } from "./marked-processes.ts";

const ENGINE_ID = "e".repeat(64);
let table: FakeProcesses;
let daemon: FakeEngine;
let clock: TestClock;
let lines: string[];
let processes: MarkedProcesses;
const place = { engineId: ENGINE_ID, pid: 10, user: "nobody" };

/** A process in the container, or (`group`) elsewhere; with a mark or without. */
function add(pid: number, parent: number, mark?: string, group = `0::/docker/${ENGINE_ID}\n`, since = "1"): void {
  table.add(pid, parent, pid, since);
  table.groups.set(pid, group);
  table.environments.set(pid, { PATH: "/bin", ...(mark !== undefined && { [MARK]: mark }) });
}

/** Works on until it is done: each look again takes its time. */
async function done(work: Promise<void>): Promise<void> {
  let isDone = false;
  void work.finally(() => {
    isDone = true;
  });
  for (let turn = 0; !isDone && turn < 400; turn++) await clock.advance(20);
  await work;
}

beforeEach(() => {
  table = new FakeProcesses();
  table.onSignal = (pid) => void queueMicrotask(() => table.end(pid));
  daemon = new FakeEngine();
  clock = new TestClock();
  lines = [];
  const log = { ...silentLogger, info: (line: string) => void lines.push(line) };
  processes = new MarkedProcesses({ table, engine: daemon.engine, clock, log });
  add(10, 1);
});

describe("the processes of a session", () => {
  it("are those with its mark in its container, and their descendants; nobody else is signalled", async () => {
    add(20, 10, "c1.one");
    add(21, 20);
    add(22, 21);
    add(23, 1, "c1.one");
    add(30, 10, "c1.other");
    add(31, 10);
    add(40, 1, "c1.one", "0::/docker/another\n");
    await done(processes.end(place, "c1.one"));
    expect(table.sent.toSorted()).toEqual(["SIGKILL 20", "SIGKILL 21", "SIGKILL 22", "SIGKILL 23"]);
    expect(daemon.asked).toEqual([]);
  });

  it("are looked for until none is left: what forks while it is looked at ends too", async () => {
    add(20, 10, "c1.one");
    let next = 100;
    table.onSignal = (pid) => {
      table.end(pid);
      if (next < 105) add(next++, 1, "c1.one");
    };
    await done(processes.end(place, "c1.one"));
    expect(table.sent).toHaveLength(6);
  });

  it("begin with one that has no mark yet: it is known by its pid and its start", async () => {
    add(20, 10, undefined, undefined, "7");
    add(21, 20);
    add(30, 10, undefined, undefined, "9");
    const first = processes.firstOf(place, 20);
    expect(first).toEqual({ pid: 20, since: "7" });
    await processes.signal(place, "c1.one", 2, first);
    await done(processes.end(place, "c1.one", { pid: 30, since: "8" }));
    expect(table.sent).toEqual(["2 20"]);
    add(20, 10, undefined, undefined, "7");
    await done(processes.end(place, "c1.one", first));
    expect(table.sent.slice(1).toSorted()).toEqual(["SIGKILL 20", "SIGKILL 21"]);
    add(40, 1, undefined, "0::/docker/another\n");
    expect([processes.firstOf(place, 40), processes.firstOf(place, 41)]).toEqual([undefined, undefined]);
  });

  it("of an agent before this one have the container's id in their mark", async () => {
    add(20, 10, "c1.one");
    add(21, 10, "c1.two");
    add(22, 10, "c2.three");
    await done(processes.end(place, "c1."));
    expect(table.sent.toSorted()).toEqual(["SIGKILL 20", "SIGKILL 21"]);
  });

  it("take a signal by the first of them", async () => {
    add(25, 20, "c1.one", undefined, "30");
    add(31, 10, "c1.one", undefined, "20");
    await processes.signal(place, "c1.one", 2);
    expect(table.sent).toEqual(["2 31"]);
  });
});

describe("where they are not seen", () => {
  it.each([
    ["the pid is another's here", () => table.groups.set(10, "0::/user.slice\n")],
    ["nothing has that pid here", () => table.groups.delete(10)],
  ])("as when %s, a command inside ends them, as the session's user; told once", async (_why, change) => {
    change();
    add(20, 10, "c1.one", "0::/user.slice\n");
    await processes.end(place, "c1.one");
    await processes.signal(place, "c1.one", 15);
    expect(table.sent).toEqual([]);
    expect(daemon.asked).toEqual([
      `exec ${ENGINE_ID} nobody ${MARK}=c1.one KILL all`,
      `exec ${ENGINE_ID} nobody ${MARK}=c1.one 15 first`,
    ]);
    expect(lines.filter((line) => line.includes("not seen from here"))).toHaveLength(1);
  });

  it("so it is for those whose environment may not be read from here", async () => {
    add(20, 10, "c1.one");
    add(21, 10);
    table.environments.delete(21);
    await done(processes.end(place, "c1.one"));
    await processes.signal(place, "c1.one", 15);
    expect(table.sent).toEqual(["SIGKILL 20"]);
    expect(daemon.asked).toEqual([
      `exec ${ENGINE_ID} nobody ${MARK}=c1.one KILL all`,
      `exec ${ENGINE_ID} nobody ${MARK}=c1.one 15 first`,
    ]);
  });

  it("so it is for those that may not be signalled from here", async () => {
    add(20, 10, "c1.one");
    table.signal = () => false;
    await done(processes.end(place, "c1.one"));
    expect(daemon.asked).toEqual([`exec ${ENGINE_ID} nobody ${MARK}=c1.one KILL all`]);
  });
});
