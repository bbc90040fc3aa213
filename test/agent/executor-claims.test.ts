import { readdirSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  DrainSlaveMessageSchema,
  FrameworkToExecutorMessageSchema,
  KillTaskMessageSchema,
  RegisterExecutorMessageSchema,
  ReregisterExecutorMessageSchema,
  ShutdownExecutorMessageSchema,
  ShutdownFrameworkMessageSchema,
  StatusUpdateMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { TaskState, TaskStatus_Reason } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import {
  AgentUnderTest,
  commandTask,
  EXECUTOR,
  executorInfo,
  executorTask,
  FRAMEWORK,
  framework,
} from "../support/agent-under-test.ts";
import type { ScriptedDriver } from "../support/scripted-driver.ts";
import { ScriptedMaster, until } from "../support/scripted-master.ts";

const { TASK_RUNNING, TASK_FINISHED, TASK_KILLED, TASK_LOST } = TaskState;
const frameworkId = { value: FRAMEWORK };
const ids = { frameworkId, executorId: { value: EXECUTOR } };

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

/** Wherever the agent has written updates, above its work_dir, too. */
const updateFiles = (): string[] =>
  readdirSync(test.folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".updates"));

/** A driver executor with a running task. */
async function running(task = "one", executorId = EXECUTOR, options = {}): Promise<ScriptedDriver> {
  const driver = await test.driver(executorId);
  test.run(executorTask(task, executorInfo({ executorId: { value: executorId } })), options);
  await until("the executor's container", () => test.machine.containerOf(executorId));
  driver.register();
  await heard(driver, `run ${task}`);
  driver.update(task, TASK_RUNNING, "S0");
  await test.master.status(task, TASK_RUNNING);
  await heard(driver, `acknowledged ${task}`);
  return driver;
}

describe("a status of a task", () => {
  it("that another executor has goes no further, and is not asked for again", async () => {
    const driver = await running();
    const other = await running("two", "other");
    other.update("one", TASK_FINISHED, "S0");
    await heard(other, "acknowledged one");
    await test.master.quiet();
    expect(test.master.statesOf("one")).toEqual([TASK_RUNNING]);
    driver.update("one", TASK_FINISHED, "S0");
    await test.master.status("one", TASK_FINISHED);
  });

  it("that another executor had goes no further either", async () => {
    const driver = await running();
    const other = await running("two", "other");
    driver.update("one", TASK_FINISHED, "S0");
    await test.master.status("one", TASK_FINISHED);
    await test.master.quiet();
    test.machine.containerOf(EXECUTOR)?.end(0);
    await until("ExitedExecutor", () => test.master.exited.length === 1);
    await test.master.quiet();
    other.update("one", TASK_RUNNING, "S0");
    await heard(other, "acknowledged one");
    await test.master.quiet();
    expect(test.master.statesOf("one")).toEqual([TASK_RUNNING, TASK_FINISHED]);
  });

  it.each([
    ["leads out of its folder", `${"../".repeat(10)}out`],
    ["is that of its folder", ".."],
    ["is empty", ""],
    ["has a folder of its own", "a/b"],
    ["is of two lines", "a\nb"],
  ])("whose id %s is written nowhere, and not asked for again", async (_what, id) => {
    const driver = await running();
    const before = updateFiles();
    driver.update(id, TASK_RUNNING, "S0");
    await heard(driver, `acknowledged ${id}`);
    await test.master.quiet();
    expect([updateFiles(), test.master.statusesOf(id)]).toEqual([before, []]);
  });

  it("that nobody knows here is passed on: the framework may", async () => {
    const driver = await running();
    driver.update("unknown", TASK_RUNNING, "S0");
    await test.master.status("unknown", TASK_RUNNING);
    await heard(driver, "acknowledged unknown");
  });

  it("in a framework's shutdown goes no further", async () => {
    const driver = await running();
    test.master.send(ShutdownFrameworkMessageSchema, { frameworkId });
    await heard(driver, "shutdown");
    driver.update("one", TASK_KILLED, "S0");
    await test.master.quiet();
    expect(test.master.statesOf("one")).toEqual([TASK_RUNNING]);
  });

  it("without a uuid of its own is dropped", async () => {
    const driver = await running();
    const update = test.master.updates.at(-1)?.update;
    if (update?.status === undefined) throw new Error("no update");
    const { uuid: _none, ...status } = update.status;
    const finished = { ...update, uuid: new Uint8Array(3), status: { ...status, state: TASK_FINISHED } };
    driver.say(StatusUpdateMessageSchema, { update: finished, pid: driver.pid } as never);
    await test.master.quiet();
    expect(test.master.statesOf("one")).toEqual([TASK_RUNNING]);
  });
});

describe("a registration", () => {
  it("while the agent shuts down is refused", async () => {
    await running();
    const late = await test.driver("late");
    test.run(executorTask("two", executorInfo({ executorId: { value: "late" } })));
    await until("the executor's container", () => test.machine.containerOf("late"));
    test.machine.obeys = false;
    test.node.agent.shutdown("a test");
    late.register();
    await heard(late, "shutdown");
    expect(late.received).not.toContain("registered");
  });

  it("while the framework is being shut down is refused", async () => {
    await running();
    const late = await test.driver("late");
    test.run(executorTask("two", executorInfo({ executorId: { value: "late" } })));
    await until("the executor's container", () => test.machine.containerOf("late"));
    test.master.send(ShutdownFrameworkMessageSchema, { frameworkId });
    await test.master.quiet();
    late.register();
    await heard(late, "shutdown");
    expect(late.received).not.toContain("registered");
  });

  it("of an executor from another executor's address does not end that one", async () => {
    const driver = await running();
    driver.say(RegisterExecutorMessageSchema, { frameworkId, executorId: { value: "stranger" } });
    await test.master.quiet();
    expect(driver.received).not.toContain("shutdown");
  });

  it("of a command task's executor is refused: it has none", async () => {
    await test.running("plain", TASK_RUNNING, {}, commandTask("plain"));
    const driver = await test.driver("plain");
    driver.register();
    await heard(driver, "shutdown");
    expect(test.machine.containerOf("plain")).toBeDefined();
  });

  it("of an executor whose tasks were all killed meanwhile ends it", async () => {
    const driver = await test.driver();
    test.machine.obeys = false;
    test.run(executorTask("one"));
    await until("container", () => test.machine.containerOf(EXECUTOR));
    test.killTask("one");
    await test.master.status("one", TASK_KILLED);
    driver.register();
    await heard(driver, "shutdown");
  });
});

describe("a return after the agent's restart", () => {
  it("of a process that never registered is not heard: its tasks would be believed", async () => {
    const driver = await running();
    const impostor = await test.driver();
    impostor.comeBack();
    await test.master.quiet();
    expect(impostor.received).toEqual([]);
    expect(test.master.statesOf("one")).toEqual([TASK_RUNNING]);
    test.killTask("one");
    await heard(driver, "kill one");
  });

  it("of one executor in another's name, or in nobody's, is not answered; and it does not end the one who says so", async () => {
    const driver = await running();
    const other = await running("two", "other");
    for (const executorId of [EXECUTOR, "stranger"])
      other.say(ReregisterExecutorMessageSchema, { frameworkId, executorId: { value: executorId } });
    await test.master.quiet();
    for (const one of [driver, other]) {
      expect(one.received).not.toContain("reregistered");
      expect(one.received).not.toContain("shutdown");
    }
    test.killTask("one");
    await heard(driver, "kill one");
  });

  it("of one that is being shut down is answered by a shutdown", async () => {
    const driver = await running();
    test.master.send(ShutdownExecutorMessageSchema, ids);
    await heard(driver, "shutdown");
    driver.comeBack();
    await heard(driver, "shutdown", 2);
    expect(driver.received).not.toContain("reregistered");
  });

  it("while the agent shuts down is refused", async () => {
    const driver = await running();
    test.node.agent.shutdown("a test");
    await heard(driver, "shutdown");
    driver.comeBack();
    await test.master.quiet();
    expect(driver.received).not.toContain("reregistered");
  });

  it("lets it go when it lost the one task that it had, and takes what waits for it meanwhile", async () => {
    const driver = await running();
    await test.restart();
    await heard(driver, "reregistered");
    test.run(executorTask("two"), { launchExecutor: false });
    await heard(driver, "run two");
    expect(test.machine.asked.filter((what) => what === `update ${EXECUTOR}`).length).toBeGreaterThan(0);
  });
});

describe("what an executor may use", () => {
  const resized = () => test.machine.resized.get(EXECUTOR) ?? [];
  const cpus = () => resized().map((resources) => resources.get("cpus"));

  it("grows with each task that it gets and shrinks with each that ends", async () => {
    const driver = await running();
    test.run(executorTask("two"), { launchExecutor: false });
    await heard(driver, "run two");
    await test.master.quiet();
    expect(cpus().at(-1)).toBeCloseTo(0.2);
    driver.update("two", TASK_FINISHED, "S0");
    await test.master.status("two", TASK_FINISHED);
    expect(cpus().at(-1)).toBeCloseTo(0.1);
  });
});

describe("a kill", () => {
  it("of a task that waits for its executor, at an old master, has the old reason", async () => {
    test.run(executorTask("one"), { launchExecutor: undefined });
    await until("container", () => test.machine.containerOf(EXECUTOR));
    test.killTask("one");
    expect(await test.master.status("one", TASK_KILLED)).toMatchObject({
      reason: TaskStatus_Reason.EXECUTOR_UNREGISTERED,
      message: "Unregistered executor",
    });
  });

  it("of an executor's task while that is being shut down is not passed on", async () => {
    const driver = await running();
    test.master.send(ShutdownExecutorMessageSchema, ids);
    await heard(driver, "shutdown");
    test.killTask("one");
    await test.master.quiet();
    expect(driver.received).not.toContain("kill one");
  });

  it("while the agent shuts down is not passed on", async () => {
    const driver = await running();
    test.node.agent.shutdown("a test");
    await heard(driver, "shutdown");
    test.master.send(KillTaskMessageSchema, { frameworkId, taskId: { value: "one" } });
    await test.master.quiet();
    expect(driver.received).not.toContain("kill one");
  });

  it("of an ended task is not passed on", async () => {
    const driver = await running();
    test.master.acknowledges = () => false;
    driver.update("one", TASK_FINISHED, "S0");
    await test.master.status("one", TASK_FINISHED);
    test.killTask("one");
    await test.master.quiet();
    expect(driver.received).not.toContain("kill one");
  });

  it("for a drain goes to executors too, and its reason is in the answer", async () => {
    const driver = await running();
    test.master.send(DrainSlaveMessageSchema, { config: {} });
    await heard(driver, "kill one");
    driver.update("one", TASK_KILLED, "S0");
    expect(await test.master.status("one", TASK_KILLED)).toMatchObject({ reason: TaskStatus_Reason.AGENT_DRAINING });
  });
});

describe("a message of a framework", () => {
  const send = (executorId: string, frameworkId = FRAMEWORK) =>
    test.master.send(FrameworkToExecutorMessageSchema, {
      agentId: { value: "S0" },
      frameworkId: { value: frameworkId },
      executorId: { value: executorId },
      data: new Uint8Array([7]),
    });

  it("reaches an executor that runs, and nobody where none does", async () => {
    const driver = await running();
    await test.running("plain", TASK_RUNNING, {}, commandTask("plain"));
    send("none");
    send(EXECUTOR, "none");
    send("plain");
    send(EXECUTOR);
    await heard(driver, "message 07");
    test.master.send(ShutdownExecutorMessageSchema, ids);
    await heard(driver, "shutdown");
    send(EXECUTOR);
    await test.master.quiet();
    expect(driver.received.filter((what) => what === "message 07")).toHaveLength(1);
    expect(test.machine.containerOf("plain")).toBeDefined();
  });

  it("from somebody who is neither its scheduler nor the master does not", async () => {
    const driver = await running();
    const stranger = test.closing(await ScriptedMaster.start(test.port, { id: "scheduler-1" }));
    stranger.send(FrameworkToExecutorMessageSchema, { agentId: { value: "S0" }, ...ids, data: new Uint8Array([7]) });
    await stranger.quiet();
    await test.master.quiet();
    expect(driver.received).not.toContain("message 07");
  });
});

it("an executor of a framework that does not checkpoint leaves no address behind", async () => {
  await running("one", EXECUTOR, { framework: framework({ checkpoint: false }) });
  expect(test.has("meta", "slaves", "S0", "frameworks", FRAMEWORK)).toBe(false);
  await test.restart();
  expect(test.machine.running).toBe(0);
  test.run(executorTask("two"), { launchExecutor: false });
  await test.master.status("two", TASK_LOST);
});
