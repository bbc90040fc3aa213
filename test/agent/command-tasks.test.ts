import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  CheckInfo_Type,
  FrameworkInfo_Capability_Type,
  TaskState,
  TaskStatus_Reason,
  TaskStatus_Source,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest, commandTask, FRAMEWORK, framework } from "../support/agent-under-test.ts";
import { until } from "../support/scripted-master.ts";

const { TASK_STARTING, TASK_RUNNING, TASK_FINISHED, TASK_FAILED, TASK_KILLED, TASK_KILLING } = TaskState;

let test: AgentUnderTest;

beforeEach(async () => {
  test = await AgentUnderTest.registered();
});
afterEach(() => test.close());

const end = (id: string, status: number): void => test.machine.containerOf(id)?.end(status);
const stops = (): string[] => test.machine.asked.filter((what) => what.startsWith("stop"));

describe("a command task", () => {
  it("starts, runs, finishes: as its executor would say it", async () => {
    await test.running("one", TASK_RUNNING);
    end("one", 0);
    await test.master.status("one", TASK_FINISHED);
    const statuses = test.master.statusesOf("one");
    expect(statuses.map(({ state }) => state)).toEqual([TASK_STARTING, TASK_RUNNING, TASK_FINISHED]);
    for (const status of statuses)
      expect(status).toMatchObject({
        source: TaskStatus_Source.EXECUTOR,
        executorId: { value: "one" },
        agentId: { value: "S0" },
        timestamp: test.clock.now() / 1000,
      });
    expect(test.master.exited, "its executor is nobody's business").toEqual([]);
  });

  it("of an old master has no TASK_STARTING", async () => {
    await test.running("one", TASK_RUNNING, { launchExecutor: undefined });
    end("one", 0);
    await test.master.status("one", TASK_FINISHED);
    expect(test.master.statesOf("one")).toEqual([TASK_RUNNING, TASK_FINISHED]);
  });

  it.each([
    [256, "Command exited with status 1"],
    [9, "Command terminated with signal Killed"],
  ])("that ends with wait status %i has failed", async (status, message) => {
    await test.running("one", TASK_RUNNING);
    end("one", status);
    expect((await test.master.status("one", TASK_FAILED)).message).toContain(message);
  });

  it("by a limit has the containerizer's reason", async () => {
    await test.running("one", TASK_RUNNING);
    test.machine.containerOf("one")?.end({
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

  it("that cannot be launched is undone and reported, and its framework goes", async () => {
    test.machine.failure = new Error("no such image");
    test.run(commandTask("one"));
    expect(await test.master.status("one", TASK_FAILED)).toMatchObject({
      reason: TaskStatus_Reason.CONTAINER_LAUNCH_FAILED,
      message: expect.stringContaining("no such image"),
    });
    await until("garbage", () =>
      [...test.node.garbage.scheduled].some((path) => path.endsWith(`frameworks/${FRAMEWORK}`)),
    );
  });

  it("whose container runs, but whose launch fails afterwards, is not left running", async () => {
    // The process id cannot be written down: the container would not be found after a restart.
    const broken = await AgentUnderTest.open();
    try {
      const { checkpointFiles } = await import("../../src/agent/model/files.ts");
      const files = {
        ...checkpointFiles,
        create: (path: string, data: Uint8Array | string) => {
          if (path.endsWith("forked.pid")) throw new Error("no space left on device");
          checkpointFiles.create(path, data);
        },
      };
      await broken.start({ files });
      await broken.register();
      broken.run(commandTask("one"));
      const status = await broken.master.status("one", TASK_FAILED);
      expect(status.message).toContain("no space left on device");
      expect(broken.machine.started).toEqual(["one"]);
      expect(broken.machine.running).toBe(0);
      expect(broken.machine.containers.size).toBe(0);
    } finally {
      await broken.close();
    }
  });

  it("that takes too long to launch has failed", async () => {
    test.machine.pull = new Promise(() => undefined);
    test.run(commandTask("one"));
    await test.master.quiet();
    await test.clock.advance(60_000);
    expect(await test.master.status("one", TASK_FAILED)).toMatchObject({
      reason: TaskStatus_Reason.EXECUTOR_REGISTRATION_TIMEOUT,
    });
    expect(test.machine.started).toEqual([]);
  });

  it("has no more time than its max_completion_time", async () => {
    const limited = commandTask("one", { maxCompletionTime: { nanoseconds: 5_000_000_000n } });
    await test.running("one", TASK_RUNNING, {}, limited);
    await test.clock.advance(4_999);
    expect(test.machine.running).toBe(1);
    await test.clock.advance(1);
    expect(await test.master.status("one", TASK_FAILED)).toMatchObject({
      reason: TaskStatus_Reason.MAX_COMPLETION_TIME_REACHED,
    });
    expect(stops(), "it hears SIGTERM, and has no time to obey").toEqual(["stop one 0"]);
  });

  it("has all the time with a max_completion_time of 0", async () => {
    await test.running("one", TASK_RUNNING, {}, commandTask("one", { maxCompletionTime: { nanoseconds: 0n } }));
    await test.clock.advance(1_000_000);
    expect([test.machine.running, stops()]).toEqual([1, []]);
  });

  it("has its max_completion_time from its first TASK_RUNNING on, over health updates and a restart", async () => {
    const limited = commandTask("one", {
      maxCompletionTime: { nanoseconds: 60_000_000_000n },
      check: {
        type: CheckInfo_Type.COMMAND,
        command: { command: { value: "look" } },
        delaySeconds: 0,
        intervalSeconds: 10,
      },
    });
    let code = 0;
    test.machine.run = () => code++;
    await test.running("one", TASK_RUNNING, {}, limited);
    await test.clock.advance(30_000);
    await until("updates of its check", () => test.master.statusesOf("one").length > 3);
    await test.restart();
    await test.clock.advance(29_000);
    expect(stops()).toEqual([]);
    await test.clock.advance(1_000);
    await until("stop", () => stops().length === 1);
  });
});

describe("a kill", () => {
  it("asks the task to end, with the default grace, and is reported as a kill", async () => {
    await test.running("one", TASK_RUNNING);
    test.killTask("one");
    await test.master.status("one", TASK_KILLED);
    expect(stops()).toEqual(["stop one 3000"]);
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_KILLED]);
  });

  it("is a kill even when the task then ends well", async () => {
    test.machine.obeys = false;
    await test.running("one", TASK_RUNNING);
    test.killTask("one");
    await until("stop", () => stops().length === 1);
    end("one", 0);
    await test.master.status("one", TASK_KILLED);
  });

  it("at an old master is TASK_FINISHED when the task ends well", async () => {
    test.machine.obeys = false;
    await test.running("one", TASK_RUNNING, { launchExecutor: undefined });
    test.killTask("one");
    await until("stop", () => stops().length === 1);
    end("one", 0);
    await test.master.status("one", TASK_FINISHED);
  });

  it("is announced to frameworks that understand TASK_KILLING", async () => {
    test.machine.obeys = false;
    const options = { framework: framework({ capabilities: [FrameworkInfo_Capability_Type.TASK_KILLING_STATE] }) };
    await test.running("one", TASK_RUNNING, options);
    test.killTask("one");
    await test.master.status("one", TASK_KILLING);
    test.killTask("one");
    await test.master.quiet();
    end("one", 15);
    await test.master.status("one", TASK_KILLED);
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_KILLING, TASK_KILLED]);
  });

  it.each([
    ["the kill's own grace", {}, 7_000, "stop one 7000"],
    [
      "the task's kill policy",
      { killPolicy: { gracePeriod: { nanoseconds: 9_000_000_000n } } },
      undefined,
      "stop one 9000",
    ],
    [
      "the kill's before the task's",
      { killPolicy: { gracePeriod: { nanoseconds: 9_000_000_000n } } },
      1_000,
      "stop one 1000",
    ],
  ])("takes %s", async (_name, more, grace, expected) => {
    await test.running("one", TASK_RUNNING, {}, commandTask("one", more));
    test.killTask("one", grace);
    await test.master.status("one", TASK_KILLED);
    expect(stops()).toEqual([expected]);
  });

  it("said again with a shorter grace is passed on", async () => {
    test.machine.obeys = false;
    await test.running("one", TASK_RUNNING);
    test.killTask("one", 60_000);
    test.killTask("one", 1_000);
    await until("second stop", () => stops().length === 2);
    expect(stops()).toEqual(["stop one 60000", "stop one 1000"]);
  });

  it("while it is being launched stops the launch", async () => {
    test.machine.pull = new Promise(() => undefined);
    test.run(commandTask("one"));
    await test.master.quiet();
    test.killTask("one");
    expect(await test.master.status("one", TASK_KILLED)).toMatchObject({
      reason: TaskStatus_Reason.TASK_KILLED_DURING_LAUNCH,
    });
    expect(test.machine.started).toEqual([]);
    expect(test.master.statesOf("one")).toEqual([TASK_KILLED]);
  });

  it("while it is being launched, at an old master, has the old reason", async () => {
    test.machine.pull = new Promise(() => undefined);
    test.run(commandTask("one"), { launchExecutor: undefined });
    await test.master.quiet();
    test.killTask("one");
    expect(await test.master.status("one", TASK_KILLED)).toMatchObject({
      reason: TaskStatus_Reason.EXECUTOR_UNREGISTERED,
      message: "Unregistered executor",
    });
  });

  it("of a task that is not here is answered, when its framework is", async () => {
    await test.running("one", TASK_RUNNING);
    test.killTask("other");
    expect(await test.master.status("other", TaskState.TASK_LOST)).toMatchObject({
      reason: TaskStatus_Reason.EXECUTOR_TERMINATED,
      message: "Cannot find executor",
    });
  });

  it("of an unknown framework's task is ignored", async () => {
    test.killTask("one", undefined, "other");
    await test.master.quiet();
    expect(test.master.updates).toEqual([]);
  });

  it("after the task's end is ignored", async () => {
    test.master.acknowledges = ({ status }) => status?.state !== TASK_FINISHED;
    await test.running("one", TASK_RUNNING);
    end("one", 0);
    await test.master.status("one", TASK_FINISHED);
    test.killTask("one");
    await test.master.quiet();
    expect(stops()).toEqual([]);
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_FINISHED]);
  });
});

describe("a health check", () => {
  const checked = (more: object = {}) =>
    commandTask("one", {
      healthCheck: {
        command: { value: "probe" },
        delaySeconds: 0,
        intervalSeconds: 10,
        gracePeriodSeconds: 0,
        ...more,
      },
    } as never);

  it("says when the task is healthy, and when no more; three failures are its end", async () => {
    await test.running("one", TASK_RUNNING, {}, checked());
    const healthy = () =>
      test.master
        .statusesOf("one")
        .filter(({ reason }) => reason === TaskStatus_Reason.TASK_HEALTH_CHECK_STATUS_UPDATED)
        .map((status) => status.healthy);
    await test.clock.advance(1);
    await until("healthy", () => healthy().length === 1);
    test.machine.run = () => 1;
    for (let failures = 1; failures <= 3; failures++) await test.clock.advance(10_000);
    const killed = await test.master.status("one", TASK_KILLED);
    expect(killed.healthy).toBe(false);
    expect(healthy()[0]).toBe(true);
    expect(
      healthy()
        .slice(1)
        .every((one) => one === false),
    ).toBe(true);
    expect(stops()).toEqual(["stop one 3000"]);
  });

  it("ends with the task", async () => {
    await test.running("one", TASK_RUNNING, {}, checked());
    end("one", 0);
    await test.master.status("one", TASK_FINISHED);
    const before = test.machine.commands.length;
    await test.clock.advance(60_000);
    expect(test.machine.commands.length).toBe(before);
  });
});
