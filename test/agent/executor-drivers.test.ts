import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  FrameworkToExecutorMessageSchema,
  ShutdownExecutorMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import {
  FrameworkInfo_Capability_Type,
  TaskState,
  TaskStatus_Reason,
  TaskStatus_Source,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import {
  AgentUnderTest,
  EXECUTOR,
  executorInfo,
  executorTask,
  FRAMEWORK,
  framework,
} from "../support/agent-under-test.ts";
import type { ScriptedDriver } from "../support/scripted-driver.ts";
import { until } from "../support/scripted-master.ts";

const { TASK_RUNNING, TASK_FINISHED, TASK_FAILED, TASK_KILLED, TASK_LOST, TASK_STAGING } = TaskState;
const ids = { frameworkId: { value: FRAMEWORK }, executorId: { value: EXECUTOR } };

let test: AgentUnderTest;

beforeEach(async () => {
  test = await AgentUnderTest.registered();
});
afterEach(() => test.close());

const heard = (driver: ScriptedDriver, what: string, times = 1): Promise<unknown> =>
  until(
    `'${what}' at the driver (has ${driver.received})`,
    () => driver.received.filter((one) => one === what).length >= times,
  );

async function launched(task = executorTask("one"), options = {}): Promise<ScriptedDriver> {
  const driver = await test.driver();
  test.run(task, options);
  await until("the executor's container", () => test.machine.containerOf(EXECUTOR));
  return driver;
}

/** A driver with a running task. */
async function running(task = executorTask("one")): Promise<ScriptedDriver> {
  const driver = await launched(task);
  driver.register();
  await heard(driver, "run one");
  driver.update("one", TASK_RUNNING, "S0");
  await test.master.status("one", TASK_RUNNING);
  await heard(driver, "acknowledged one");
  return driver;
}

describe("an executor's start", () => {
  it("gives it its tasks when it has registered, not before, in their order", async () => {
    const driver = await launched();
    test.run(executorTask("two"), { launchExecutor: false });
    await test.master.quiet();
    expect(driver.received).toEqual([]);
    driver.register();
    await heard(driver, "run two");
    expect(driver.received).toEqual(["registered", "run one", "run two"]);
    expect(test.machine.started).toEqual([EXECUTOR]);
  });

  it("is given up when it does not register in time, and its tasks with it", async () => {
    await launched();
    await test.clock.advance(59_999);
    expect(test.machine.running).toBe(1);
    await test.clock.advance(1);
    expect(await test.master.status("one", TASK_FAILED)).toMatchObject({
      reason: TaskStatus_Reason.EXECUTOR_REGISTRATION_TIMEOUT,
      source: TaskStatus_Source.AGENT,
      message: expect.stringContaining("Executor did not register within 1mins"),
    });
    expect(test.machine.running).toBe(0);
    await until("ExitedExecutor", () => test.master.exited.length === 1);
  });

  it("has no limit once it has registered", async () => {
    await running();
    await test.clock.advance(120_000);
    expect(test.machine.running).toBe(1);
  });

  it("that fails is undone: the container is ended and forgotten, the tasks and the master are told", async () => {
    test.machine.failure = new Error("no such image");
    test.run(executorTask("one"));
    expect(await test.master.status("one", TASK_FAILED)).toMatchObject({
      reason: TaskStatus_Reason.CONTAINER_LAUNCH_FAILED,
      message: expect.stringContaining("no such image"),
    });
    await until("ExitedExecutor", () => test.master.exited.length === 1);
    expect(test.master.exited[0]).toMatchObject({ ...ids, agentId: { value: "S0" }, status: -1 });
  });

  it("of an executor that nobody launched is refused", async () => {
    const driver = await test.driver("stranger");
    driver.register();
    await heard(driver, "shutdown");
    expect(driver.received).not.toContain("registered");
  });

  it("happens once: a second process that says it is the same executor is sent away", async () => {
    const driver = await running();
    const second = await test.driver();
    second.register();
    await heard(second, "shutdown");
    expect(driver.received).not.toContain("shutdown");
  });
});

describe("an executor's end", () => {
  it("is reported: tasks that run fail, and the master gets the wait status", async () => {
    await running();
    test.machine.containerOf(EXECUTOR)?.end(256);
    expect(await test.master.status("one", TASK_FAILED)).toMatchObject({
      reason: TaskStatus_Reason.EXECUTOR_TERMINATED,
      source: TaskStatus_Source.AGENT,
      message: "Executor terminated",
    });
    await until("ExitedExecutor", () => test.master.exited.length > 0);
    expect(test.master.exited).toMatchObject([{ ...ids, agentId: { value: "S0" }, status: 256 }]);
  });

  it("leaves alone what its tasks had become", async () => {
    const driver = await running();
    driver.update("one", TASK_FINISHED, "S0");
    await test.master.status("one", TASK_FINISHED);
    test.machine.containerOf(EXECUTOR)?.end(0);
    await until("ExitedExecutor", () => test.master.exited.length === 1);
    expect(test.master.statesOf("one")).toEqual([TASK_RUNNING, TASK_FINISHED]);
  });

  it("at an old master is TASK_LOST", async () => {
    const driver = await launched(executorTask("one"), { launchExecutor: undefined });
    driver.register();
    await heard(driver, "run one");
    test.machine.containerOf(EXECUTOR)?.end(9);
    expect(await test.master.status("one", TASK_LOST)).toMatchObject({ reason: TaskStatus_Reason.EXECUTOR_TERMINATED });
  });

  it("by a limit has the containerizer's words", async () => {
    await running();
    test.machine.containerOf(EXECUTOR)?.end({
      status: 9,
      state: TASK_FAILED,
      reason: TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY,
      message: "Memory limit exceeded",
    });
    expect(await test.master.status("one", TASK_FAILED)).toMatchObject({
      reason: TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY,
      message: "Memory limit exceeded",
    });
  });

  it("is followed by its removal once everything is acknowledged, not before", async () => {
    test.master.acknowledges = ({ status }) => status?.state !== TASK_FAILED;
    await running();
    test.machine.containerOf(EXECUTOR)?.end(0);
    await test.master.status("one", TASK_FAILED);
    await test.master.quiet();
    expect([...test.node.garbage.scheduled]).toEqual([]);
    const last = test.master.updates.at(-1)?.update;
    if (last !== undefined) test.master.acknowledge(last);
    await until("garbage", () => test.node.garbage.scheduled.size > 0);
    expect(test.machine.containers.size).toBe(0);
    expect(
      test.has(
        "meta",
        "slaves",
        "S0",
        "frameworks",
        FRAMEWORK,
        "executors",
        EXECUTOR,
        "runs",
        "*",
        "executor.sentinel",
      ),
    ).toBe(true);
  });
});

describe("a shutdown", () => {
  it("asks, waits for the grace, and ends the container of an executor that does not go", async () => {
    const driver = await running();
    test.master.send(ShutdownExecutorMessageSchema, ids);
    await heard(driver, "shutdown");
    await test.clock.advance(4_999);
    expect(test.machine.running).toBe(1);
    await test.clock.advance(1);
    await until("the end of the container", () => test.machine.running === 0);
    await test.master.status("one", TASK_FAILED);
    await until("ExitedExecutor", () => test.master.exited.length === 1);
  });

  it("takes the executor's own grace for the flag's", async () => {
    const own = executorInfo({ shutdownGracePeriod: { nanoseconds: 20_000_000_000n } });
    const driver = await running(executorTask("one", own));
    test.master.send(ShutdownExecutorMessageSchema, ids);
    await heard(driver, "shutdown");
    await test.clock.advance(19_999);
    expect(test.machine.running).toBe(1);
    await test.clock.advance(1);
    await until("the end of the container", () => test.machine.running === 0);
  });

  it("said twice is asked once, and its grace counts from the first", async () => {
    const driver = await running();
    test.master.send(ShutdownExecutorMessageSchema, ids);
    await heard(driver, "shutdown");
    await test.clock.advance(3_000);
    test.master.send(ShutdownExecutorMessageSchema, ids);
    await test.master.quiet();
    await test.clock.advance(2_000);
    await until("the end of the container", () => test.machine.running === 0);
    expect(driver.received.filter((what) => what === "shutdown")).toHaveLength(1);
  });

  it("ends an executor that has not registered at once", async () => {
    await launched();
    test.master.send(ShutdownExecutorMessageSchema, ids);
    await until("the end of the container", () => test.machine.running === 0);
    await test.master.status("one", TASK_FAILED);
  });

  it("lets no task in any more, and no registration", async () => {
    const driver = await running();
    test.master.send(ShutdownExecutorMessageSchema, ids);
    await heard(driver, "shutdown");
    test.run(executorTask("two"), { launchExecutor: false });
    expect(await test.master.status("two", TASK_LOST)).toMatchObject({
      reason: TaskStatus_Reason.EXECUTOR_TERMINATED,
      message: "Executor terminating",
    });
    expect(driver.received).not.toContain("run two");
  });
});

describe("a kill", () => {
  it("goes to the executor, which answers it", async () => {
    const driver = await running();
    test.killTask("one");
    await heard(driver, "kill one");
    expect(test.master.statesOf("one")).toEqual([TASK_RUNNING]);
    driver.update("one", TASK_KILLED, "S0");
    await test.master.status("one", TASK_KILLED);
  });

  it("of a task that still waits takes it off the queue, and ends an executor with nothing else to do", async () => {
    const driver = await launched();
    test.killTask("one");
    expect(await test.master.status("one", TASK_KILLED)).toMatchObject({
      reason: TaskStatus_Reason.TASK_KILLED_DURING_LAUNCH,
      source: TaskStatus_Source.AGENT,
    });
    await until("the end of the container", () => test.machine.running === 0);
    driver.register();
    await heard(driver, "shutdown");
    expect(driver.received).not.toContain("run one");
  });

  it("of one of two waiting tasks leaves the other", async () => {
    const driver = await launched();
    test.run(executorTask("two"), { launchExecutor: false });
    test.killTask("one");
    await test.master.status("one", TASK_KILLED);
    driver.register();
    await heard(driver, "run two");
    expect(driver.received).not.toContain("run one");
    expect(test.machine.running).toBe(1);
  });
});

describe("a status update", () => {
  it("of TASK_STAGING ends the executor: it is not its to send", async () => {
    const driver = await running();
    driver.update("one", TASK_STAGING, "S0");
    await heard(driver, "shutdown");
    expect(test.master.statesOf("one")).toEqual([TASK_RUNNING]);
  });

  it("after the end is acknowledged to the executor and goes no further", async () => {
    const driver = await running();
    driver.update("one", TASK_FINISHED, "S0");
    await heard(driver, "acknowledged one", 2);
    driver.update("one", TASK_RUNNING, "S0");
    await heard(driver, "acknowledged one", 3);
    await test.master.quiet();
    expect(test.master.statesOf("one")).toEqual([TASK_RUNNING, TASK_FINISHED]);
  });

  it("is completed: agent, executor, container, source", async () => {
    await running();
    const container = test.machine.containerOf(EXECUTOR);
    expect(await test.master.status("one", TASK_RUNNING)).toMatchObject({
      agentId: { value: "S0" },
      executorId: { value: EXECUTOR },
      source: TaskStatus_Source.EXECUTOR,
      containerStatus: {
        containerId: { value: container?.spec.containerId },
        networkInfos: [{ ipAddresses: [{ ipAddress: "127.0.0.1" }] }],
      },
    });
  });
});

it("messages go both ways while the executor runs", async () => {
  const driver = await running();
  const agentId = { value: "S0" };
  test.master.send(FrameworkToExecutorMessageSchema, { agentId, ...ids, data: new Uint8Array([1]) });
  await heard(driver, "message 01");
  driver.message(new Uint8Array([2]));
  await until("message", () => test.master.messages.length === 1);
  expect(test.master.messages).toMatchObject([ids]);
  expect([...(test.master.messages[0]?.data ?? [])]).toEqual([2]);
});

describe("a launch that contradicts what runs", () => {
  it("of an executor that exists already is refused and ends it", async () => {
    const driver = await running();
    test.run(executorTask("two"), {
      framework: framework({ capabilities: [FrameworkInfo_Capability_Type.PARTITION_AWARE] }),
    });
    expect(await test.master.status("two", TASK_LOST)).toMatchObject({ reason: TaskStatus_Reason.EXECUTOR_TERMINATED });
    await heard(driver, "shutdown");
    expect(test.master.exited).toEqual([]);
  });

  it("into an executor that is not there is refused", async () => {
    test.run(executorTask("two"), { launchExecutor: false });
    expect(await test.master.status("two", TASK_LOST)).toMatchObject({ reason: TaskStatus_Reason.EXECUTOR_TERMINATED });
    expect(test.machine.started).toEqual([]);
    expect(test.master.exited).toEqual([]);
  });
});
