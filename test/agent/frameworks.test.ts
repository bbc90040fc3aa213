import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  DrainSlaveMessageSchema,
  ShutdownFrameworkMessageSchema,
  UpdateFrameworkMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { FrameworkInfo_Capability_Type, TaskState, TaskStatus_Reason } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import {
  AgentUnderTest,
  commandTask,
  EXECUTOR,
  executorTask,
  FRAMEWORK,
  framework,
} from "../support/agent-under-test.ts";
import { ScriptedMaster, until } from "../support/scripted-master.ts";

const { TASK_STARTING, TASK_RUNNING, TASK_FINISHED, TASK_KILLED, TASK_KILLING, TASK_GONE_BY_OPERATOR } = TaskState;

let test: AgentUnderTest;

beforeEach(async () => {
  test = await AgentUnderTest.registered();
});
afterEach(() => test.close());

const frameworkId = { value: FRAMEWORK };
const stops = (): string[] => test.machine.asked.filter((what) => what.startsWith("stop"));

describe("a framework's shutdown", () => {
  it("ends its tasks without a word, and nobody else's", async () => {
    await test.running("one", TASK_RUNNING);
    await test.running("other", TASK_RUNNING, { framework: framework({ id: "G" }) });
    await test.master.quiet();
    const before = test.master.countOf("one");
    test.master.send(ShutdownFrameworkMessageSchema, { frameworkId });
    await until("garbage", () => [...test.node.garbage.scheduled].some((path) => path.endsWith("frameworks/F")));
    await test.master.quiet();
    expect(test.master.countOf("one")).toBe(before);
    expect(test.machine.containerOf("one")).toBeUndefined();
    expect(test.machine.containerOf("other")).toBeDefined();
  });

  it("drops what was not acknowledged", async () => {
    test.master.acknowledges = () => false;
    await test.running("one", TASK_STARTING);
    test.master.send(ShutdownFrameworkMessageSchema, { frameworkId });
    await until("garbage", () => test.node.garbage.scheduled.size > 0);
    await test.clock.advance(60_000);
    await test.master.quiet();
    expect(test.master.countOf("one")).toBe(1);
  });

  it("asks executors, and ends those that do not go", async () => {
    const driver = await test.driver();
    test.run(executorTask("one"));
    await until("container", () => test.machine.containerOf(EXECUTOR));
    driver.register();
    await until("run", () => driver.received.includes("run one"));
    test.master.send(ShutdownFrameworkMessageSchema, { frameworkId });
    await until("shutdown", () => driver.received.includes("shutdown"));
    driver.update("one", TASK_KILLED, "S0");
    await test.clock.advance(5_000);
    await until("the end of the container", () => test.machine.running === 0);
    await test.master.quiet();
    expect(test.master.updates).toEqual([]);
  });

  it("lets nothing in while it lasts", async () => {
    test.machine.obeys = false;
    await test.running("one", TASK_RUNNING);
    test.master.send(ShutdownFrameworkMessageSchema, { frameworkId });
    await until("stop", () => stops().length === 1);
    test.run(commandTask("two"));
    test.run(executorTask("three"));
    test.killTask("one");
    test.killTask("never seen");
    await until("ExitedExecutor", () => test.master.exited.length === 1);
    await test.master.quiet();
    expect(test.machine.started).toEqual(["one"]);
    for (const id of ["two", "never seen"]) expect(test.master.statesOf(id)).toEqual([]);
    expect(stops()).toHaveLength(1);
  });

  it("of a framework that is not here is no news", async () => {
    test.master.send(ShutdownFrameworkMessageSchema, { frameworkId: { value: "other" } });
    await test.running("one", TASK_RUNNING);
  });

  it("waits for the agent to be registered", async () => {
    await test.running("one", TASK_RUNNING);
    await test.master.quiet();
    test.master.answers = false;
    test.lead();
    test.master.send(ShutdownFrameworkMessageSchema, { frameworkId });
    await test.master.quiet();
    expect(test.machine.running).toBe(1);
  });
});

describe("a framework that changed", () => {
  it("is written down anew, with its scheduler's address", async () => {
    const scheduler = test.closing(await ScriptedMaster.start(test.port, { id: "scheduler-1" }));
    const driver = await test.driver();
    test.run(executorTask("one"));
    await until("container", () => test.machine.containerOf(EXECUTOR));
    driver.register();
    await until("run", () => driver.received.includes("run one"));
    test.master.send(UpdateFrameworkMessageSchema, {
      frameworkId,
      pid: scheduler.pid,
      frameworkInfo: { ...framework(), name: "renamed" } as never,
    });
    await test.master.quiet();
    driver.message(new Uint8Array([1]));
    await until("message at the scheduler", () => scheduler.messages.length === 1);
    expect(test.master.messages).toEqual([]);
    driver.update("one", TASK_RUNNING, "S0");
    await test.master.status("one", TASK_RUNNING);
    await test.master.quiet();
    await test.restart();
    expect(test.master.reregistrations).toMatchObject([{ frameworks: [{ name: "renamed" }] }]);
    driver.message(new Uint8Array([2]));
    await until("message at the scheduler, after the restart", () => scheduler.messages.length === 2);
  });

  it("without an address is spoken to by way of the master", async () => {
    const scheduler = test.closing(await ScriptedMaster.start(test.port, { id: "scheduler-1" }));
    const driver = await test.driver();
    test.run(executorTask("one"), { pid: scheduler.pid });
    await until("container", () => test.machine.containerOf(EXECUTOR));
    driver.register();
    await until("run", () => driver.received.includes("run one"));
    driver.message(new Uint8Array([1]));
    await until("message at the scheduler", () => scheduler.messages.length === 1);
    test.master.send(UpdateFrameworkMessageSchema, { frameworkId, pid: "@0.0.0.0:0" });
    await test.master.quiet();
    driver.message(new Uint8Array([2]));
    await until("message at the master", () => test.master.messages.length === 1);
  });
});

describe("a drain", () => {
  const drain = (config: object = {}): void => test.master.send(DrainSlaveMessageSchema, { config } as never);
  const onDisk = () => test.has("meta", "slaves", "S0", "drain.config");

  it("kills everything, says why, and is over with the last task", async () => {
    test.machine.obeys = false;
    await test.running("one", TASK_RUNNING);
    drain();
    await until("stop", () => stops().length === 1);
    expect(onDisk()).toBe(true);
    test.machine.containerOf("one")?.end(15);
    expect(await test.master.status("one", TASK_KILLED)).toMatchObject({ reason: TaskStatus_Reason.AGENT_DRAINING });
    await until("the end of the drain", () => !onDisk());
    await test.running("two", TASK_RUNNING);
  });

  it.each([
    ["a task without a grace", {}, "stop one 1000"],
    ["a task with a longer one", { killPolicy: { gracePeriod: { nanoseconds: 9_000_000_000n } } }, "stop one 1000"],
    ["not a task with a shorter one", { killPolicy: { gracePeriod: { nanoseconds: 500_000_000n } } }, "stop one 500"],
  ])("bounds the grace: %s", async (_name, more, expected) => {
    await test.running("one", TASK_RUNNING, {}, commandTask("one", more));
    drain({ maxGracePeriod: { nanoseconds: 1_000_000_000n } });
    await test.master.status("one", TASK_KILLED);
    expect(stops()).toEqual([expected]);
  });

  it("of an agent that is given up has its own state, where it is understood", async () => {
    const { PARTITION_AWARE, TASK_KILLING_STATE } = FrameworkInfo_Capability_Type;
    await test.running("one", TASK_RUNNING, {
      framework: framework({ capabilities: [PARTITION_AWARE, TASK_KILLING_STATE] }),
    });
    await test.running("two", TASK_RUNNING, { framework: framework({ id: "G" }) });
    drain({ markGone: true });
    await test.master.status("one", TASK_GONE_BY_OPERATOR);
    await test.master.status("two", TASK_KILLED);
    expect(test.master.statesOf("one")).not.toContain(TASK_KILLING);
  });

  it("of an empty agent is nothing to remember", async () => {
    drain();
    await test.master.quiet();
    expect(onDisk()).toBe(false);
    await test.running("one", TASK_RUNNING);
  });

  it("goes on after a restart", async () => {
    test.machine.obeys = false;
    await test.running("one", TASK_RUNNING);
    drain();
    await until("stop", () => stops().length === 1);
    await test.master.quiet();
    await test.restart();
    expect(stops().length).toBeGreaterThan(1);
    test.run(commandTask("two"));
    expect(await test.master.status("two", TaskState.TASK_LOST)).toMatchObject({
      reason: TaskStatus_Reason.AGENT_DRAINING,
    });
    test.machine.containerOf("one")?.end(15);
    expect(await test.master.status("one", TASK_KILLED)).toMatchObject({ reason: TaskStatus_Reason.AGENT_DRAINING });
    await until("the end of the drain", () => !onDisk());
  });
});

it("history: what ended is archived, the newest per framework", async () => {
  await test.running("one", TASK_RUNNING);
  test.machine.containerOf("one")?.end(0);
  await test.master.status("one", TASK_FINISHED);
  await until("garbage", () => test.node.garbage.scheduled.size > 0);
  // The framework comes back: its folders are kept, its history too.
  await test.running("two", TASK_RUNNING);
  expect([...test.node.garbage.scheduled].some((path) => path.endsWith("frameworks/F"))).toBe(false);
  test.loseLeader();
  await test.register();
  expect(test.master.reregistrations[0]?.completedFrameworks).toMatchObject([
    { tasks: [{ taskId: { value: "one" } }] },
  ]);
});
