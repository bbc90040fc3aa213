import { request } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { encode } from "../../src/mesos/codec.ts";
import * as operator from "../../src/mesos/gen/mesos/v1/agent/agent_pb.ts";
import { Call_Type, CallSchema } from "../../src/mesos/gen/mesos/v1/executor/executor_pb.ts";
import { TaskState, TaskStatus_Source, TaskStatusSchema } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { toJson } from "../../src/mesos/json.ts";
import { jsonText } from "../../src/mesos/json-text.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";
import { HttpExecutor } from "../support/scripted-http-executor.ts";
import { withText } from "../support/text-fields.ts";
import { uuidOf } from "../support/updates.ts";

/** As programs make them that cut a text by its length: half of U+1F600. */
const CUT = "\u{1F600}".slice(0, 1);

describe("half a surrogate pair, in every text field", () => {
  let master: LocalMaster;
  let agent: AgentProcess;
  let scheduler: TestScheduler;
  let executor: HttpExecutor;

  beforeEach(async () => {
    master = new LocalMaster({ port: 0 });
    await master.start();
    const flags = ["--resources=cpus:4;mem:4096;disk:4096;ports:[31000-32000]"];
    agent = new AgentProcess({ master: master.address, port: await freePort(), flags });
    agent.start();
    scheduler = new TestScheduler({ master: master.address, checkpoint: true, failoverTimeout: 600 });
    await scheduler.subscribe();
    executor = new HttpExecutor(agent.port, scheduler.frameworkId ?? "");
    const { command: _none, ...rest } = commandTask("one", "") as { command?: unknown };
    const frameworkId = { value: scheduler.frameworkId ?? "" };
    const info = { executorId: { value: "executor" }, frameworkId, command: { value: "exec sleep 1000" } };
    await scheduler.launch([{ ...rest, executor: info } as never]);
    await executor.subscribe();
  });

  afterEach(async () => {
    executor.close();
    scheduler.close();
    await agent.destroy();
    await master.stop();
  });

  /** Resolves to the answer's status; 0 when the connection broke. */
  function post(path: string, type: string, body: string | Uint8Array): Promise<number> {
    return new Promise((resolve) => {
      const headers = { "content-type": type, accept: "application/json" };
      const call = request({ host: "127.0.0.1", port: agent.port, path, method: "POST", headers }, (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode ?? 0));
        response.on("error", () => resolve(response.statusCode ?? 0));
        // SUBSCRIBE never ends.
        if (response.statusCode === 200 && `${body}`.includes("SUBSCRIBE")) response.destroy();
      });
      call.on("error", () => resolve(0));
      call.end(body);
    });
  }

  it("of an executor's updates, as JSON and as bytes: told to the scheduler, and no reason to end", async () => {
    let number = 0;
    for (const { path, message } of withText(TaskStatusSchema, CUT, 3)) {
      const status = Object.assign(message, {
        taskId: { $typeName: "mesos.v1.TaskID", value: "one" },
        state: TaskState.TASK_RUNNING,
        source: TaskStatus_Source.EXECUTOR,
        uuid: uuidOf(++number),
      }) as never;
      if (path.startsWith("task_id") || path.startsWith("executor_id")) continue;
      const tree = { task_status: toJson(TaskStatusSchema, status) };
      const ids = { executor_id: { value: "executor" }, framework_id: { value: scheduler.frameworkId ?? "" } };
      const call = { type: "UPDATE", ...ids, update: { status: tree.task_status } };
      expect(await post("/slave(1)/api/v1/executor", "application/json", jsonText(call)), path).toBe(202);
      // The same with bytes that are no UTF-8 where the text is: ED A0 BD is how half a pair would be written.
      const bytes = Buffer.from(encode(TaskStatusSchema, status)).toString("latin1");
      const broken = Buffer.from(bytes.replaceAll("\xef\xbf\xbd", "\xed\xa0\xbd"), "latin1");
      const update = encode(CallSchema, { ...executorCall(scheduler.frameworkId ?? ""), ...updateOf(broken) } as never);
      expect(await post("/slave(1)/api/v1/executor", "application/x-protobuf", update), path).not.toBe(0);
    }
    expect(number).toBeGreaterThan(15);
    const told = () =>
      scheduler.updates.filter(({ taskId, message }) => taskId?.value === "one" && message === "\uFFFD");
    await scheduler.until("the message", () => told().length > 0);
    expect(agent.log).not.toContain("A defect of the agent");
    // What is on disk is no reason either.
    await agent.end("SIGKILL");
    agent.start();
    await expect.poll(async () => (await fetch(`http://127.0.0.1:${agent.port}/state`)).status).toBe(200);
    const state = await (await fetch(`http://127.0.0.1:${agent.port}/state`)).text();
    expect(state).toContain('"executor_id":"executor"');
  });

  it("of every call of the operator API and of executors", async () => {
    const targets = [
      ["/api/v1", operator.CallSchema],
      ["/slave(1)/api/v1/executor", CallSchema],
    ] as const;
    for (const [target, schema] of targets) {
      for (const { path, message } of withText(schema, CUT, 2)) {
        for (const { name } of schema.fields[0]?.enum?.values ?? []) {
          const body = jsonText({ ...toJson(schema, message as never), type: name });
          expect(await post(target, "application/json", body), `${name} ${path}`).not.toBe(0);
        }
      }
    }
    expect((await fetch(`http://127.0.0.1:${agent.port}/health`)).status).toBe(200);
    expect(agent.log).not.toContain("A defect of the agent");
  });
});

const executorCall = (frameworkId: string) => ({
  $typeName: "mesos.v1.executor.Call" as const,
  type: Call_Type.UPDATE,
  executorId: { $typeName: "mesos.v1.ExecutorID" as const, value: "executor" },
  frameworkId: { $typeName: "mesos.v1.FrameworkID" as const, value: frameworkId },
});

/** `update { status: bytes }` as an unknown field of the call: the bytes go as they are. */
function updateOf(status: Buffer) {
  const length = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...length(value >>> 7)]);
  const inner = Buffer.concat([Buffer.from([0x0a, ...length(status.length)]), status]);
  const field = CallSchema.fields.find(({ name }) => name === "update")?.number ?? 0;
  return { $unknown: [{ no: field, wireType: 2, data: Buffer.concat([Buffer.from(length(inner.length)), inner]) }] };
}
