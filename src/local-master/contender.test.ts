import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { settle, TestClock } from "../../test/support/test-clock.ts";
import { silentLogger } from "../base/log.ts";
import { MasterInfoSchema } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { type SessionEvents, ZooKeeperError } from "../zookeeper/session.ts";
import { Contender } from "./contender.ts";

/** A server that answers, or not, as the test says; `nodes` are the paths that exist. */
function fixture() {
  const clock = new TestClock();
  const nodes: string[] = [];
  const warnings: string[] = [];
  const sessions: { events: SessionEvents; closed: boolean; kicks: number }[] = [];
  let answering = true;
  let cutOff: (() => void)[] = [];
  const answer = async <T>(value: () => T): Promise<T> => {
    if (answering) return value();
    return new Promise((_resolve, reject) => {
      cutOff.push(() => reject(new ZooKeeperError("disconnected", "CONNECTION_LOSS")));
    });
  };
  const contender = new Contender("zk://a:1,b:2/mesos", create(MasterInfoSchema, { id: "M" }), {
    clock,
    log: { ...silentLogger, warn: (line) => warnings.push(line) },
    open: (_options, events) => {
      const session = { events, closed: false, kicks: 0 };
      sessions.push(session);
      return {
        children: () => Promise.reject(new Error("not asked for")),
        data: (path) =>
          answer(() => {
            if (!nodes.includes(path)) throw new ZooKeeperError("no-node", "NO_NODE");
            return Buffer.from("");
          }),
        join: (path, label) =>
          answer(() => {
            nodes.push(`${path}/${label}_${sessions.length}`);
            return `${path}/${label}_${sessions.length}`;
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
  contender.start();
  return {
    nodes,
    warnings,
    sessions,
    contender,
    setAnswering: (value: boolean) => {
      answering = value;
    },
    /** The connection ends, and what was asked with it. */
    async disconnect() {
      sessions.at(-1)?.events.disconnected();
      for (const cut of cutOff) cut();
      cutOff = [];
      await settle();
    },
    pass: (milliseconds: number) => clock.advance(milliseconds),
  };
}

it("leaves a server that takes the connection and says nothing, again and again, and says so once", async () => {
  const { sessions, pass, disconnect, warnings, nodes, contender } = fixture();
  await pass(3_332);
  expect(sessions[0]?.kicks).toBe(0);
  await pass(1);
  expect(sessions[0]?.kicks).toBe(1);
  await disconnect();
  await pass(3_333);
  expect(sessions[0]?.kicks).toBe(2);
  expect(warnings).toEqual([expect.stringMatching(/^ZooKeeper \(a:1,b:2\) does not answer; trying on\. /)]);
  sessions[0]?.events.connected(10_000);
  await contender.joined;
  expect(nodes).toEqual(["/mesos/json.info_1"]);
  await pass(60_000);
  expect([sessions.length, sessions[0]?.kicks, warnings.length]).toEqual([1, 2, 1]);
});

it("leaves one that falls silent later, and keeps its child when the session lives on", async () => {
  const { sessions, pass, disconnect, nodes, setAnswering } = fixture();
  sessions[0]?.events.connected(10_000);
  await settle();
  setAnswering(false);
  await pass(3_333);
  expect(sessions[0]?.kicks).toBe(0);
  await pass(3_333);
  expect(sessions[0]?.kicks).toBe(1);
  setAnswering(true);
  await disconnect();
  sessions[0]?.events.connected(10_000);
  await pass(20_000);
  expect([sessions.length, sessions[0]?.kicks]).toEqual([1, 1]);
  expect(nodes).toEqual(["/mesos/json.info_1"]);
});

it("joins again when the connection ends before the server said that the child is there", async () => {
  const { sessions, pass, disconnect, nodes, setAnswering } = fixture();
  setAnswering(false);
  sessions[0]?.events.connected(10_000);
  await settle();
  await disconnect();
  expect(sessions[0]?.closed).toBe(true);
  setAnswering(true);
  await pass(2_000);
  sessions[1]?.events.connected(10_000);
  await settle();
  expect(nodes).toEqual(["/mesos/json.info_2"]);
});

it.each(["expired session", "child removed"])("joins again, in a session of its own: %s", async (why) => {
  const { sessions, pass, nodes } = fixture();
  sessions[0]?.events.connected(10_000);
  await settle();
  nodes.length = 0;
  if (why === "expired session") sessions[0]?.events.ended("expired");
  else await pass(3_333);
  expect(sessions[0]?.closed).toBe(true);
  await pass(2_000);
  sessions[1]?.events.connected(10_000);
  await settle();
  expect(nodes).toEqual(["/mesos/json.info_2"]);
});

it("does nothing any more once it is stopped", async () => {
  const { sessions, pass, contender } = fixture();
  sessions[0]?.events.connected(10_000);
  contender.stop();
  await pass(60_000);
  expect(sessions).toEqual([{ events: expect.anything(), closed: true, kicks: 0 }]);
});
