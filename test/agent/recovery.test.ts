import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkpointFiles } from "../../src/agent/model/files.ts";
import { ShutdownExecutorMessageSchema } from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { Event_Type } from "../../src/mesos/gen/mesos/v1/executor/executor_pb.ts";
import { FrameworkInfo_Capability_Type, TaskState, TaskStatus_Reason } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import {
  AgentUnderTest,
  commandTask,
  EXECUTOR,
  executorTask,
  FRAMEWORK,
  framework,
} from "../support/agent-under-test.ts";
import type { ScriptedDriver } from "../support/scripted-driver.ts";
import { until } from "../support/scripted-master.ts";

const { TASK_STARTING, TASK_RUNNING, TASK_FINISHED, TASK_KILLED, TASK_LOST, TASK_GONE, TASK_DROPPED } = TaskState;
const aware = () => framework({ capabilities: [FrameworkInfo_Capability_Type.PARTITION_AWARE] });

let test: AgentUnderTest;

beforeEach(async () => {
  test = await AgentUnderTest.registered();
});
afterEach(() => test.close());

const heard = (driver: ScriptedDriver, what: string): Promise<unknown> =>
  until(`'${what}' at the driver (has ${driver.received})`, () => driver.received.includes(what));

async function runningDriver(options = {}): Promise<ScriptedDriver> {
  const driver = await test.driver();
  test.run(executorTask("one"), options);
  await until("container", () => test.machine.containerOf(EXECUTOR));
  driver.register();
  await heard(driver, "run one");
  driver.update("one", TASK_RUNNING, "S0");
  await heard(driver, "acknowledged one");
  await test.master.status("one", TASK_RUNNING);
  await test.master.quiet();
  return driver;
}

describe("a command task over the agent's restart", () => {
  it("runs on, is told to the master, and ends as it would have", async () => {
    await test.running("one", TASK_RUNNING);
    await test.master.quiet();
    await test.restart();
    expect(test.master.reregistrations).toMatchObject([
      { agent: { id: { value: "S0" } }, tasks: [{ taskId: { value: "one" }, state: TASK_RUNNING }] },
    ]);
    test.machine.containerOf("one")?.end(0);
    await test.master.status("one", TASK_FINISHED);
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_FINISHED]);
    expect(test.machine.started).toEqual(["one"]);
  });

  it("that ended meanwhile ends as it did", async () => {
    await test.running("one", TASK_RUNNING);
    await test.master.quiet();
    await test.kill();
    test.machine.containerOf("one")?.end(0);
    await test.start();
    await test.register();
    await test.master.status("one", TASK_FINISHED);
  });

  it("can be killed afterwards", async () => {
    await test.running("one", TASK_RUNNING);
    await test.master.quiet();
    await test.restart();
    test.killTask("one");
    await test.master.status("one", TASK_KILLED);
    expect(test.machine.asked).toContain("stop one 3000");
  });

  it("whose kill was under way is killed on, and reported as killed", async () => {
    test.machine.obeys = false;
    await test.running("one", TASK_RUNNING);
    test.killTask("one", 60_000);
    await until("stop", () => test.machine.asked.includes("stop one 60000"));
    await test.restart();
    expect(test.machine.asked.filter((what) => what === "stop one 60000")).toHaveLength(2);
    test.machine.containerOf("one")?.end(0);
    await test.master.status("one", TASK_KILLED);
  });

  it.each([
    ["TASK_LOST", framework, TASK_LOST],
    ["TASK_GONE where it is understood", aware, TASK_GONE],
  ])("of which nothing is left is %s", async (_name, kind, state) => {
    await test.running("one", TASK_RUNNING, { framework: kind() });
    await test.master.quiet();
    await test.kill();
    test.machine.containers.clear();
    await test.start();
    await test.register();
    expect(await test.master.status("one", state)).toMatchObject({ reason: TaskStatus_Reason.AGENT_RESTARTED });
  });

  it("that never started is not started now", async () => {
    test.machine.pull = new Promise(() => undefined);
    test.run(commandTask("one"), { framework: aware() });
    await test.master.quiet();
    await test.restart();
    expect(await test.master.status("one", TASK_DROPPED)).toMatchObject({
      reason: TaskStatus_Reason.AGENT_RESTARTED,
      message: "Task launched during agent restart",
    });
    expect(test.machine.started).toEqual([]);
  });

  it("that started in the moment before says so now", async () => {
    const append = async (path: string, data: Uint8Array, durable: boolean): Promise<void> => {
      if (path.endsWith("task.updates")) await new Promise(() => undefined);
      await checkpointFiles.append(path, data, durable);
    };
    await test.restart({ files: { ...checkpointFiles, append } });
    test.run(commandTask("one"));
    await until("container", () => test.machine.running === 1);
    await test.master.quiet();
    expect(test.master.updates).toEqual([]);
    await test.restart();
    await test.master.status("one", TASK_RUNNING);
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING, TASK_RUNNING]);
  });

  it("of a framework that does not checkpoint is ended by the next agent", async () => {
    await test.running("one", TASK_RUNNING, { framework: framework({ checkpoint: false }) });
    await test.restart();
    expect(test.machine.running).toBe(0);
    expect(test.master.reregistrations[0]?.tasks).toEqual([]);
  });

  it("keeps what was not acknowledged, in its order", async () => {
    test.master.acknowledges = () => false;
    await test.running("one", TASK_STARTING);
    test.machine.containerOf("one")?.end(0);
    await test.master.quiet();
    test.master.acknowledges = () => true;
    await test.restart();
    await test.master.status("one", TASK_FINISHED);
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_FINISHED]);
    await until("garbage", () => [...test.node.garbage.scheduled].some((path) => path.endsWith(FRAMEWORK)));
  });

  it("does not send again what was acknowledged", async () => {
    await test.running("one", TASK_RUNNING);
    await test.master.quiet();
    const before = test.master.countOf("one");
    await test.restart();
    expect(test.master.countOf("one")).toBe(before);
  });

  it("has no more than its max_completion_time where the clock was set back meanwhile", async () => {
    const limited = commandTask("one", { maxCompletionTime: { nanoseconds: 60_000_000_000n } });
    await test.running("one", TASK_RUNNING, {}, limited);
    await test.master.quiet();
    test.clock.set(-3_600_000);
    await test.restart();
    await test.clock.advance(60_000);
    await test.master.status("one", TaskState.TASK_FAILED);
  });

  it("does not have its max_completion_time anew", async () => {
    const limited = commandTask("one", { maxCompletionTime: { nanoseconds: 60_000_000_000n } });
    await test.running("one", TASK_RUNNING, {}, limited);
    await test.master.quiet();
    await test.clock.advance(40_000);
    await test.restart();
    await test.clock.advance(19_000);
    expect(test.machine.running).toBe(1);
    await test.clock.advance(1_000);
    await test.master.status("one", TaskState.TASK_FAILED);
  });
});

describe("an executor's driver over the agent's restart", () => {
  it("is asked to come back before the agent registers, and goes on", async () => {
    const driver = await runningDriver();
    await test.kill();
    driver.update("one", TASK_FINISHED, "S0");
    await test.start();
    expect(driver.received).toContain("reconnect");
    await heard(driver, "reregistered");
    await test.register();
    await test.master.status("one", TASK_FINISHED);
    test.run(executorTask("two"), { launchExecutor: false });
    await heard(driver, "run two");
    expect(test.machine.started).toEqual([EXECUTOR]);
  });

  it.each([
    ["TASK_LOST", framework, TASK_LOST],
    ["TASK_GONE where it is understood", aware, TASK_GONE],
  ])("that stays away for two seconds is ended, its tasks are %s", async (_name, kind, state) => {
    const driver = await runningDriver({ framework: kind() });
    driver.returns = false;
    await test.kill();
    const started = test.start();
    await heard(driver, "reconnect");
    await test.clock.advance(1_999);
    expect(test.machine.running).toBe(1);
    await test.clock.advance(1);
    await started;
    await test.register();
    expect(await test.master.status("one", state)).toMatchObject({
      reason: TaskStatus_Reason.EXECUTOR_REREGISTRATION_TIMEOUT,
      message: expect.stringContaining("Executor did not reregister within 2secs"),
    });
    expect(test.machine.running).toBe(0);
  });

  it("that never got a task says so by what it lists: the task is lost, not launched again", async () => {
    const driver = await runningDriver();
    test.run(executorTask("two"), { launchExecutor: false });
    await heard(driver, "run two");
    driver.forget("two");
    await test.restart();
    await heard(driver, "reregistered");
    expect(await test.master.status("two", TASK_LOST)).toMatchObject({ reason: TaskStatus_Reason.AGENT_RESTARTED });
    expect(driver.received.filter((what) => what === "run two")).toHaveLength(1);
    expect(test.master.statesOf("one")).toEqual([TASK_RUNNING]);
  });

  it("that ended meanwhile takes its tasks with it, and the master gets to know", async () => {
    await runningDriver();
    await test.kill();
    test.machine.containers.clear();
    await test.start();
    await test.register();
    expect(await test.master.status("one", TaskState.TASK_FAILED)).toMatchObject({
      message: "The executor ended while the agent was away",
    });
  });

  it("can be shut down, and ended, afterwards", async () => {
    const driver = await runningDriver();
    await test.restart();
    await heard(driver, "reregistered");
    test.master.send(ShutdownExecutorMessageSchema, {
      frameworkId: { value: FRAMEWORK },
      executorId: { value: EXECUTOR },
    });
    await heard(driver, "shutdown");
    await test.clock.advance(5_000);
    await until("the end of the container", () => test.machine.running === 0);
  });

  it("is told to the master again", async () => {
    await runningDriver();
    await test.restart();
    expect(test.master.reregistrations).toMatchObject([
      { executorInfos: [{ executorId: { value: EXECUTOR } }], tasks: [{ executorId: { value: EXECUTOR } }] },
    ]);
  });

  it("that another agent left and nobody knows is ended", async () => {
    await test.kill();
    test.machine.adopt("stranger", "stranger");
    await test.start();
    expect(test.machine.running).toBe(0);
  });
});

describe("an executor of the HTTP API over the agent's restart", () => {
  it("comes back by itself; a task that it does not list is lost", async () => {
    test.run(executorTask("one"));
    await until("container", () => test.machine.containerOf(EXECUTOR));
    const executor = test.httpExecutor();
    await executor.subscribeOnce();
    await until("launch", () => executor.types.includes(Event_Type.LAUNCH));
    expect(await executor.update("one", TASK_RUNNING, 1)).toBe(202);
    await test.master.status("one", TASK_RUNNING);
    test.run(executorTask("two"), { launchExecutor: false });
    await until("second launch", () => executor.types.filter((type) => type === Event_Type.LAUNCH).length === 2);
    await test.master.quiet();
    await test.kill();
    const started = test.start();
    const again = test.httpExecutor();
    await until("a listening agent", () => test.node !== undefined);
    await again.subscribe({});
    await started;
    await test.register();
    expect(await test.master.status("two", TASK_LOST)).toMatchObject({ reason: TaskStatus_Reason.AGENT_RESTARTED });
    expect(test.master.statesOf("one")).toEqual([TASK_RUNNING]);
    expect(again.types).toEqual([Event_Type.SUBSCRIBED]);
  });

  it("is asked to wait until it is known whether its container is there", async () => {
    test.run(executorTask("one"));
    await until("container", () => test.machine.containerOf(EXECUTOR));
    const executor = test.httpExecutor();
    await executor.subscribeOnce();
    await until("launch", () => executor.types.includes(Event_Type.LAUNCH));
    await test.kill();
    const started = test.start();
    const stranger = test.httpExecutor("other");
    await until("an answer", () => test.node !== undefined);
    expect(await stranger.subscribeOnce()).toBe(503);
    await test.clock.advance(2_000);
    await started;
  });
});

describe("the agent's own identity", () => {
  it("is lost with other resources: it refuses to start as the old one", async () => {
    await test.kill();
    await expect(test.start({ resources: "cpus:4;mem:10000" })).rejects.toThrow(/Incompatible agent info detected/);
  });

  it("bears more resources when that is allowed, and only more", async () => {
    await test.running("one", TASK_RUNNING);
    await test.master.quiet();
    const flags = ["--reconfiguration_policy=additive"];
    await test.restart({ resources: "cpus:16;mem:20000", flags });
    expect(test.master.reregistrations).toMatchObject([{ agent: { id: { value: "S0" } } }]);
    expect(test.machine.running).toBe(1);
    await test.kill();
    await expect(test.start({ resources: "cpus:4;mem:20000", flags })).rejects.toThrow(/Incompatible agent info/);
  });

  it("survives a reboot, its tasks do not", async () => {
    await test.running("one", TASK_RUNNING);
    await test.master.quiet();
    await test.kill();
    test.machine.containers.clear();
    await test.start({ bootId: "another" });
    await test.register();
    expect(test.master.reregistrations).toMatchObject([{ agent: { id: { value: "S0" } } }]);
    await test.master.status("one", TASK_LOST);
  });

  it("is given up after a reboot with other resources", async () => {
    await test.kill();
    await test.start({ bootId: "another", resources: "cpus:4;mem:4000" });
    await test.register();
    expect(test.master.registrations).toHaveLength(2);
  });

  it("ends with --recover=cleanup, and everything that runs with it", async () => {
    await test.running("one", TASK_RUNNING);
    await test.master.quiet();
    await test.kill();
    await test.start({ flags: ["--recover=cleanup"] });
    await test.node.ended;
    expect(test.machine.running).toBe(0);
    expect(test.node.exitCode).toBe(0);
  });
});

it("leaving, the agent leaves everything as it is", async () => {
  await test.running("one", TASK_RUNNING);
  await test.master.quiet();
  const before = test.master.updates.length;
  await test.node.close();
  await until("no timer", () => test.clock.pending === 0);
  expect(test.machine.running).toBe(1);
  expect(test.machine.asked).toEqual([]);
  expect(test.master.updates).toHaveLength(before);
});
