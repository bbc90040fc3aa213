import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeMessage } from "../../src/libprocess/framing.ts";
import { parseUPID } from "../../src/libprocess/upid.ts";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { encode } from "../../src/mesos/codec.ts";
import * as messages from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

const SHOTS = 10_000;
const AT_ONCE = 50;
/** Growth of the resident set that a flood may leave behind: the heap's own slack, not the flood's content. */
const SLACK = 150 * 1024 * 1024;

/** Names that the agent listens to, and some that it does not. */
const names = [
  ...Object.values(messages).flatMap((schema) =>
    "kind" in schema && schema.kind === "message" ? [schema.typeName] : [],
  ),
  "PING",
  "PONG",
  "mesos.internal.NoSuchMessage",
  "..%2f..",
];
const paths = [
  "/",
  "/state",
  "/slave(1)/state.json",
  "/files/read?path=/etc/passwd",
  "/files/browse?path=%2e%2e%2f",
  "/api/v1",
];

/** A launch that is valid but for what is random in it. */
const launch = encode(
  messages.RunTaskMessageSchema,
  create(messages.RunTaskMessageSchema, {
    framework: { user: "root", name: "x", id: { value: "F" } },
    task: { name: "t", taskId: { value: "t" }, agentId: { value: "S" }, command: { value: "true" } },
  }),
);

const flipped = fc.tuple(fc.nat(launch.length - 1), fc.nat(255)).map(([at, to]) => {
  const bytes = Buffer.from(launch);
  bytes[at] = to;
  return bytes;
});
const body = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  flipped,
);

/** What is written to the port: messages with any name and body, requests with any path, bytes. */
function shot(to: ReturnType<typeof parseUPID>, from: ReturnType<typeof parseUPID>): fc.Arbitrary<Buffer> {
  if (to === undefined || from === undefined) throw new Error("no address");
  return fc.oneof(
    fc.tuple(fc.constantFrom(...names), body).map(([name, bytes]) => encodeMessage(to, from, name, bytes)),
    fc
      .tuple(fc.constantFrom("GET", "POST", "PUT", "BREW"), fc.constantFrom(...paths), fc.string({ maxLength: 50 }))
      .map(([method, path, text]) =>
        Buffer.from(
          `${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
        ),
      ),
    fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
  );
}

describe("garbage at the agent's port", () => {
  let master: LocalMaster;
  let agent: AgentProcess;

  beforeEach(async () => {
    master = new LocalMaster({ port: 0 });
    await master.start();
    agent = new AgentProcess({ master: master.url.replace("http://", ""), port: await freePort() });
    agent.start();
  });

  afterEach(async () => {
    await agent.destroy();
    await master.stop();
  });

  const resident = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${agent.pid}/status`, "utf8"))?.[1]) * 1024;

  function shoot(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => {
      const socket = connect(agent.port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.on("close", () => resolve());
      socket.resume();
      socket.setTimeout(2_000, () => socket.destroy());
      socket.end(bytes);
    });
  }

  it("leaves it serving, with its task, and its memory flat", async () => {
    const scheduler = new TestScheduler({ master: master.url.replace("http://", "") });
    await scheduler.subscribe();
    await scheduler.launch([commandTask("survivor", "sleep 1000")]);
    await scheduler.until("RUNNING", () => scheduler.statesOf("survivor").includes(TaskState.TASK_RUNNING));
    const from = parseUPID(`master@${master.url.replace("http://", "")}`);
    const shots = fc.sample(shot(parseUPID(`slave(1)@127.0.0.1:${agent.port}`), from), {
      numRuns: SHOTS,
      seed: 20_151_101,
    });
    // A shutdown that comes from the master's address is the master's, and would be obeyed.
    const harmless = shots.filter((bytes) => !bytes.includes("ShutdownMessage"));
    const before = resident();
    for (let index = 0; index < harmless.length; index += AT_ONCE) {
      await Promise.all(harmless.slice(index, index + AT_ONCE).map(shoot));
    }
    const health = await fetch(`http://127.0.0.1:${agent.port}/health`);
    expect(health.status).toBe(200);
    expect(resident() - before).toBeLessThan(SLACK);
    await scheduler.until("the kill to be taken", () => {
      void scheduler.kill("survivor");
      return scheduler.terminalOf("survivor");
    });
    expect(scheduler.terminalOf("survivor")?.state).toBe(TaskState.TASK_KILLED);
    scheduler.close();
  });
});
