import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeMessage } from "../../src/libprocess/framing.ts";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import {
  DrainSlaveMessageSchema,
  ExecutorToFrameworkMessageSchema,
  KillTaskMessageSchema,
  PingSlaveMessageSchema,
  RegisterExecutorMessageSchema,
  ReregisterExecutorMessageSchema,
  RunTaskMessageSchema,
  ShutdownExecutorMessageSchema,
  ShutdownFrameworkMessageSchema,
  ShutdownMessageSchema,
  SlaveRegisteredMessageSchema,
  StatusUpdateMessageSchema,
  UpdateFrameworkMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { ExecutorIDSchema, TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { makeStatus, makeStatusUpdate } from "../../src/mesos/status.ts";
import { sendAs, shoot, upid } from "../support/forged.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

/** A stranger on the network, without any credential, and a node that runs a task: nothing that he sends changes anything. */
const STRANGER = "stranger(1)@127.0.0.1:9";

let master: LocalMaster;
let agent: AgentProcess;
let scheduler: TestScheduler;
let self: string;

beforeAll(async () => {
  master = new LocalMaster({ port: 0 });
  await master.start();
  agent = new AgentProcess({
    master: master.address,
    port: await freePort(),
    flags: ["--resources=cpus:4;mem:4000;disk:1000"],
  });
  agent.start();
  self = `slave(1)@127.0.0.1:${agent.port}`;
  scheduler = new TestScheduler({ master: master.address, checkpoint: true, failoverTimeout: 600 });
  await scheduler.subscribe();
  await scheduler.launch([commandTask("one", "sleep 1000")]);
  await scheduler.until("one to run", () => scheduler.statesOf("one").includes(TaskState.TASK_RUNNING));
});

afterAll(async () => {
  scheduler.close();
  await agent.destroy();
  await master.stop();
});

async function status(path: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${agent.port}${path}`, { signal: AbortSignal.timeout(20_000) });
  await answer.arrayBuffer();
  return answer.status;
}

/** Milliseconds until /health answers. */
async function healthy(): Promise<number> {
  const start = performance.now();
  expect(await status("/health")).toBe(200);
  return performance.now() - start;
}

/** The one task runs, nothing was reported of it since, and the agent takes another one. */
async function expectUntouched(next: string): Promise<void> {
  await healthy();
  await scheduler.launch([commandTask(next, "true")]);
  const end = await scheduler.until(`the end of ${next}`, () => scheduler.terminalOf(next));
  expect(end.state).toBe(TaskState.TASK_FINISHED);
  expect(scheduler.terminalOf("one")).toBeUndefined();
  expect(agent.log).not.toMatch(/Draining|Shutting down: |registering again/);
}

const ids = () => ({ frameworkId: { value: scheduler.frameworkId ?? "" }, executorId: { value: "one" } });

describe("a stranger's messages", () => {
  it("that only a master sends change nothing", async () => {
    const framework = { user: "root", name: "x", id: ids().frameworkId };
    const task = { name: "x", taskId: { value: "x" }, agentId: scheduler.updates[0]?.agentId ?? { value: "" } };
    for (const from of [STRANGER, "master@127.0.0.1:9", `slave-observer(1)@127.0.0.1:9`]) {
      await sendAs(from, self, DrainSlaveMessageSchema, { config: {} });
      await sendAs(from, self, ShutdownMessageSchema, { message: "die" });
      await sendAs(from, self, UpdateFrameworkMessageSchema, { ...ids(), pid: STRANGER, frameworkInfo: framework });
      await sendAs(from, self, ShutdownFrameworkMessageSchema, ids());
      await sendAs(from, self, ShutdownExecutorMessageSchema, ids());
      await sendAs(from, self, KillTaskMessageSchema, { ...ids(), taskId: { value: "one" } });
      await sendAs(from, self, RunTaskMessageSchema, { framework, task, pid: "" });
      await sendAs(from, self, SlaveRegisteredMessageSchema, { agentId: { value: "another" } });
      await sendAs(from, self, PingSlaveMessageSchema, { connected: false });
      await sendAs(from, self, PingSlaveMessageSchema, { connected: false }, "PING");
    }
    await expectUntouched("after-orders");
  });

  it("about a command task are not believed: only the agent itself tells of those", async () => {
    const agentId = scheduler.updates[0]?.agentId ?? { value: "" };
    for (const executorId of ["one", "", "another"]) {
      const made = makeStatus(Date.now(), { taskId: { value: "one" }, agentId, state: TaskState.TASK_FAILED });
      const update = makeStatusUpdate(scheduler.frameworkId ?? "", made, TaskState.TASK_FAILED);
      update.uuid = new Uint8Array(randomBytes(16));
      update.executorId = create(ExecutorIDSchema, { value: executorId });
      await sendAs(STRANGER, self, StatusUpdateMessageSchema, { update, pid: STRANGER });
    }
    await sendAs(STRANGER, self, RegisterExecutorMessageSchema, ids());
    await sendAs(STRANGER, self, ReregisterExecutorMessageSchema, { ...ids(), tasks: [], updates: [] });
    const data = new Uint8Array(10);
    await sendAs(STRANGER, self, ExecutorToFrameworkMessageSchema, { ...ids(), agentId, data });
    await expectUntouched("after-updates");
  });

  it("cost him more than they cost the agent", async () => {
    const to = upid(self);
    const flood = Buffer.alloc(16_000_000, Buffer.from([0x78, 0x00]));
    const small = gzipSync(Buffer.alloc(63_000_000, Buffer.from([0x78, 0x00])));
    const gzip = (name: string): Buffer =>
      Buffer.concat([
        Buffer.from(
          `POST /slave(1)/${name} HTTP/1.1\r\nLibprocess-From: ${STRANGER}\r\nContent-Encoding: gzip\r\n` +
            `Content-Length: ${small.length}\r\n\r\n`,
        ),
        small,
      ]);
    const bodies = [
      ...[
        PingSlaveMessageSchema,
        RegisterExecutorMessageSchema,
        StatusUpdateMessageSchema,
        RunTaskMessageSchema,
      ].flatMap(({ typeName }) => [encodeMessage(to, upid(STRANGER), typeName, flood), gzip(typeName)]),
    ];
    const shots = Promise.all(bodies.map((bytes) => shoot(agent.port, bytes)));
    let worst = 0;
    for (let count = 0; count < 20; count++) worst = Math.max(worst, await healthy());
    await shots;
    expect(worst).toBeLessThan(3_000);
    await expectUntouched("after-floods");
  });

  it("with host names for senders do not keep the agent from looking anything up", async () => {
    const to = upid(self);
    const named = (index: number) =>
      encodeMessage(
        to,
        { id: "x", ip: `h${index}.strangers.example`, port: 9 },
        PingSlaveMessageSchema.typeName,
        Buffer.from([0x08, 0x01]),
      );
    await Promise.all(Array.from({ length: 400 }, (_, index) => shoot(agent.port, named(index))));
    expect(await healthy()).toBeLessThan(3_000);
    await expectUntouched("after-names");
  });
});
