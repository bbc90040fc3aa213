import { describe, expect, it } from "vitest";
import { settle, TestClock } from "../../test/support/test-clock.ts";
import { silentLogger } from "../base/log.ts";
import { LeaderWatch } from "./leader-watch.ts";
import { type SessionEvents, ZooKeeperError } from "./session.ts";
import { parseZooKeeperUrl } from "./url.ts";

/** An ensemble of one that does what the test says. */
function fixture() {
  const clock = new TestClock();
  const nodes = new Map<string, string>();
  const reports: (string | undefined)[] = [];
  const sessions: { events: SessionEvents; closed: boolean; kicks: number }[] = [];
  const warnings: string[] = [];
  let answering = true;
  let failure: ZooKeeperError | undefined;
  let watchers: (() => void)[] = [];
  const answer = <T>(value: () => T): Promise<T> => {
    if (!answering) return new Promise(() => undefined);
    return failure === undefined ? Promise.resolve().then(value) : Promise.reject(failure);
  };
  const watch = new LeaderWatch({
    url: parseZooKeeperUrl("zk://a:1,b:2/mesos"),
    sessionTimeout: 9_000,
    clock,
    log: { ...silentLogger, warn: (line) => warnings.push(line) },
    report: (leader) => reports.push(leader?.content.toString()),
    open: (_options, events) => {
      const session = { events, closed: false, kicks: 0 };
      sessions.push(session);
      return {
        children: (_path, changed) =>
          answer(() => {
            watchers.push(changed);
            return [...nodes.keys()];
          }),
        data: (path) =>
          answer(() => {
            const content = nodes.get(path.slice("/mesos/".length));
            if (content === undefined) throw new ZooKeeperError("no-node", "gone");
            return Buffer.from(content);
          }),
        kick: () => {
          session.kicks++;
        },
        close: () => {
          session.closed = true;
        },
      };
    },
  });
  return {
    clock,
    nodes,
    reports,
    sessions,
    warnings,
    watch,
    events: () => sessions.at(-1)?.events,
    setAnswering: (value: boolean) => {
      answering = value;
    },
    setFailure: (value: ZooKeeperError | undefined) => {
      failure = value;
    },
    async change() {
      const told = watchers;
      watchers = [];
      for (const changed of told) changed();
      await settle();
    },
  };
}

async function connected() {
  const it = fixture();
  it.nodes.set("json.info_0000000001", "first");
  it.watch.start();
  it.events()?.connected(9_000);
  await settle();
  expect(it.reports).toEqual(["first"]);
  return it;
}

describe("LeaderWatch", () => {
  it("reports changes of the leader only", async () => {
    const it = await connected();
    it.nodes.set("json.info_0000000002", "second");
    await it.change();
    expect(it.reports).toEqual(["first"]);
    it.nodes.delete("json.info_0000000001");
    await it.change();
    expect(it.reports).toEqual(["first", "second"]);
    it.nodes.clear();
    await it.change();
    expect(it.reports).toEqual(["first", "second", undefined]);
  });

  it("keeps the leader over a short interruption, and reads anew after it", async () => {
    const it = await connected();
    it.events()?.disconnected();
    await it.clock.advance(8_000);
    it.nodes.set("json.info_0000000000", "earlier");
    it.events()?.connected(9_000);
    await settle();
    expect(it.reports).toEqual(["first", "earlier"]);
    expect(it.sessions).toHaveLength(1);
  });

  it("forgets the leader when the session's time is over, in a new session", async () => {
    const it = await connected();
    it.events()?.disconnected();
    await it.clock.advance(9_000);
    expect(it.reports).toEqual(["first", undefined]);
    expect(it.sessions.map(({ closed }) => closed)).toEqual([true, false]);
    expect(it.sessions[0]?.kicks).toBeGreaterThan(0);
    it.events()?.connected(9_000);
    await settle();
    expect(it.reports).toEqual(["first", undefined, "first"]);
  });

  it("ignores what an abandoned session says", async () => {
    const it = await connected();
    const old = it.events();
    old?.disconnected();
    await it.clock.advance(9_000);
    old?.connected(9_000);
    await settle();
    expect(it.reports).toEqual(["first", undefined]);
  });

  it("notices a server that falls silent without closing", async () => {
    const it = await connected();
    it.setAnswering(false);
    await it.clock.advance(6_000);
    expect(it.sessions[0]?.kicks).toBe(1);
    expect(it.reports).toEqual(["first"]);
  });

  it("starts a new session when the ensemble says that this one expired", async () => {
    const it = await connected();
    it.events()?.ended("expired");
    await it.clock.advance(0);
    it.events()?.connected(9_000);
    await settle();
    expect(it.sessions).toHaveLength(2);
    expect(it.reports).toEqual(["first", undefined, "first"]);
  });

  it("waits for an ensemble that is down at start, and says so", async () => {
    const it = fixture();
    it.watch.start();
    await it.clock.advance(30_000);
    expect(it.warnings[0]).toContain("a:1,b:2");
    it.nodes.set("info_0000000004", "late");
    it.events()?.connected(9_000);
    await settle();
    expect(it.reports).toEqual(["late"]);
  });

  it("takes a leader that vanishes between list and read for none, and asks again", async () => {
    const it = await connected();
    it.setFailure(new ZooKeeperError("no-node", "NO_NODE"));
    await it.change();
    expect(it.reports).toEqual(["first", undefined]);
    it.setFailure(undefined);
    await it.clock.advance(2_000);
    expect(it.reports).toEqual(["first", undefined, "first"]);
  });

  it("explains missing permission once", async () => {
    const it = await connected();
    it.setFailure(new ZooKeeperError("no-permission", "NO_AUTH"));
    await it.change();
    await it.clock.advance(10_000);
    expect(it.warnings.filter((line) => line.includes("user:password"))).toHaveLength(1);
  });

  it("leaves no timer and no session behind", async () => {
    const it = await connected();
    it.watch.close();
    expect(it.clock.pending).toBe(0);
    expect(it.sessions.every(({ closed }) => closed)).toBe(true);
  });
});
