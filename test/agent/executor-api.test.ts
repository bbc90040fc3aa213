import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  FrameworkToExecutorMessageSchema,
  ShutdownExecutorMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { Call_Type, Event_Type } from "../../src/mesos/gen/mesos/v1/executor/executor_pb.ts";
import { TaskState, TaskStatus_Reason, TaskStatus_Source } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest, EXECUTOR, executorTask, FRAMEWORK } from "../support/agent-under-test.ts";
import type { HttpExecutor } from "../support/scripted-http-executor.ts";
import { until } from "../support/scripted-master.ts";
import { uuidOf } from "../support/updates.ts";

const { TASK_RUNNING, TASK_FINISHED, TASK_FAILED, TASK_STAGING } = TaskState;
const { SUBSCRIBED, LAUNCH, ACKNOWLEDGED, KILL, MESSAGE, SHUTDOWN, HEARTBEAT } = Event_Type;
const ids = { frameworkId: { value: FRAMEWORK }, executorId: { value: EXECUTOR } };

let test: AgentUnderTest;

beforeEach(async () => {
  test = await AgentUnderTest.registered();
});
afterEach(() => test.close());

const event = (executor: HttpExecutor, type: Event_Type) =>
  until(`event ${type} (has ${executor.types})`, () => executor.events.find((one) => one.type === type));

async function launched(): Promise<HttpExecutor> {
  test.run(executorTask("one"));
  await until("container", () => test.machine.containerOf(EXECUTOR));
  return test.httpExecutor();
}

async function running(): Promise<HttpExecutor> {
  const executor = await launched();
  expect(await executor.subscribeOnce()).toBe(200);
  await event(executor, LAUNCH);
  expect(await executor.update("one", TASK_RUNNING, 1)).toBe(202);
  await event(executor, ACKNOWLEDGED);
  await test.master.status("one", TASK_RUNNING);
  return executor;
}

it("an executor subscribes, gets its task, reports, and is acknowledged", async () => {
  const executor = await running();
  expect(executor.types).toEqual([SUBSCRIBED, LAUNCH, ACKNOWLEDGED]);
  const container = test.machine.containerOf(EXECUTOR);
  expect(executor.events[0]?.subscribed).toMatchObject({
    executorInfo: { executorId: { value: EXECUTOR } },
    frameworkInfo: { id: { value: FRAMEWORK } },
    agentInfo: { id: { value: "S0" } },
    containerId: { value: container?.spec.containerId },
  });
  expect(executor.events[1]?.launch?.task?.taskId?.value).toBe("one");
  expect(test.has("meta", "slaves", "S0", "frameworks", "F", "executors", EXECUTOR, "runs", "*", "http.marker")).toBe(
    true,
  );
});

it("it must subscribe first", async () => {
  const executor = await launched();
  expect(await executor.update("one", TASK_RUNNING, 1)).toBe(403);
  await test.master.quiet();
  expect(test.master.updates).toEqual([]);
});

it("it has a minute for that", async () => {
  await launched();
  await test.clock.advance(60_000);
  expect(await test.master.status("one", TASK_FAILED)).toMatchObject({
    reason: TaskStatus_Reason.EXECUTOR_REGISTRATION_TIMEOUT,
  });
});

describe("a call that is refused", () => {
  const status = (more: object) => ({
    taskId: { value: "one" },
    state: TASK_RUNNING,
    uuid: uuidOf(1),
    source: TaskStatus_Source.EXECUTOR,
    ...more,
  });

  it.each([
    ["of an unknown framework", 400, { frameworkId: { value: "other" } }],
    ["of an unknown executor", 400, { executorId: { value: "other" } }],
    ["without a uuid of 16 bytes", 400, { update: { status: status({ uuid: new Uint8Array(3) }) } }],
    ["in the agent's name", 400, { update: { status: status({ source: TaskStatus_Source.AGENT }) } }],
    ["of TASK_STAGING", 400, { update: { status: status({ state: TASK_STAGING }) } }],
    ["in another executor's name", 400, { update: { status: status({ executorId: { value: "other" } }) } }],
  ])("an update %s", async (_name, code, more) => {
    const executor = await running();
    expect(await executor.call({ type: Call_Type.UPDATE, update: { status: status({}) }, ...more } as never)).toBe(
      code,
    );
    await test.master.quiet();
    expect(test.master.statesOf("one")).toEqual([TASK_RUNNING]);
  });
});

it("a kill, a message and a shutdown are events", async () => {
  const executor = await running();
  test.killTask("one");
  expect((await event(executor, KILL)).kill?.taskId?.value).toBe("one");
  test.master.send(FrameworkToExecutorMessageSchema, { agentId: { value: "S0" }, ...ids, data: new Uint8Array([5]) });
  expect([...((await event(executor, MESSAGE)).message?.data ?? [])]).toEqual([5]);
  test.master.send(ShutdownExecutorMessageSchema, ids);
  await event(executor, SHUTDOWN);
  expect(test.machine.running).toBe(1);
  await test.clock.advance(5_000);
  await until("the end of the container", () => test.machine.running === 0);
});

it("a message to the framework goes by way of the master", async () => {
  const executor = await running();
  expect(await executor.call({ type: Call_Type.MESSAGE, message: { data: new Uint8Array([6]) } })).toBe(202);
  await until("message", () => test.master.messages.length === 1);
  expect([...(test.master.messages[0]?.data ?? [])]).toEqual([6]);
});

it("a heartbeat comes every half hour", async () => {
  const executor = await running();
  await test.clock.advance(30 * 60_000 - 1);
  await test.master.quiet();
  expect(executor.types).not.toContain(HEARTBEAT);
  await test.clock.advance(1);
  await event(executor, HEARTBEAT);
});

describe("a connection that broke", () => {
  it("is made again: what was not acknowledged is taken, what waited meanwhile is handed over", async () => {
    const executor = await running();
    await executor.leave();
    await test.master.quiet();
    test.run(executorTask("two"), { launchExecutor: false });
    await test.master.quiet();
    const again = test.httpExecutor();
    const { EXECUTOR: source } = TaskStatus_Source;
    const update = { status: { taskId: { value: "one" }, state: TASK_FINISHED, source, uuid: uuidOf(2) } };
    expect(await again.subscribeOnce({ unacknowledgedUpdates: [update] })).toBe(200);
    await test.master.status("one", TASK_FINISHED);
    expect((await event(again, LAUNCH)).launch?.task?.taskId?.value).toBe("two");
  });

  it("does not end the executor", async () => {
    const executor = await running();
    await executor.leave();
    await test.clock.advance(600_000);
    expect(test.machine.running).toBe(1);
  });
});

it("a subscription of an executor that is being shut down is told so at once", async () => {
  const executor = await running();
  test.master.send(ShutdownExecutorMessageSchema, ids);
  await event(executor, SHUTDOWN);
  const again = test.httpExecutor();
  expect(await again.subscribeOnce()).toBe(200);
  await event(again, SHUTDOWN);
  expect(again.types).toEqual([SHUTDOWN]);
});
