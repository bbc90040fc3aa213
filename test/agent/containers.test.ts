import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TaskFailure } from "../../src/agent/model/failure.ts";
import {
  DrainSlaveMessageSchema,
  ShutdownExecutorMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import {
  CheckInfo_Type,
  ContainerInfo_Type,
  Environment_Variable_Type,
  ResourceSchema,
  Secret_Type,
  TaskState,
  TaskStatus_Reason,
  Value_Type,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import {
  AgentUnderTest,
  commandTask,
  EXECUTOR,
  executorInfo,
  executorTask,
  FRAMEWORK,
} from "../support/agent-under-test.ts";
import type { ScriptedDriver } from "../support/scripted-driver.ts";
import { until } from "../support/scripted-master.ts";

const { TASK_STARTING, TASK_RUNNING, TASK_FINISHED, TASK_FAILED, TASK_KILLED } = TaskState;
const { CONTAINER_LAUNCH_FAILED, CONTAINER_LIMITATION_DISK, CONTAINER_LIMITATION_MEMORY } = TaskStatus_Reason;
const mem = create(ResourceSchema, { name: "mem", type: Value_Type.SCALAR, scalar: { value: 64 } });
const limited = {
  reason: CONTAINER_LIMITATION_MEMORY,
  limitation: { resources: [{ name: "mem", scalar: { value: 64 } }] },
};

let test: AgentUnderTest;

beforeEach(async () => {
  test = await AgentUnderTest.registered();
});
afterEach(() => test.close());

const stops = (): string[] => test.machine.asked.filter((what) => what.startsWith("stop"));

async function runningDriver(): Promise<ScriptedDriver> {
  const driver = await test.driver();
  test.run(executorTask("one"));
  await until("container", () => test.machine.containerOf(EXECUTOR));
  driver.register();
  await until("run", () => driver.received.includes("run one"));
  driver.update("one", TASK_RUNNING, "S0");
  await test.master.status("one", TASK_RUNNING);
  return driver;
}

describe("a container that nobody can run", () => {
  it("is refused with the names of those who were asked", async () => {
    test.machine.accepts = () => false;
    test.run(commandTask("one"));
    const status = await test.master.status("one", TASK_FAILED);
    expect(status.reason).toBe(CONTAINER_LAUNCH_FAILED);
    expect(status.message).toMatch(/^None of the enabled containerizers \(mesos\) could create a container .*message$/);
  });

  it("because there is no Docker says so", async () => {
    test.machine.accepts = (container) => container?.type !== ContainerInfo_Type.DOCKER;
    const container = { type: ContainerInfo_Type.DOCKER, docker: { image: "i" } };
    test.run(commandTask("one", { container }));
    expect((await test.master.status("one", TASK_FAILED)).message).toContain("--containerizers has no docker");
    await test.running("two", TASK_RUNNING);
  });

  it("has no command, and is not Mesos' default executor", async () => {
    const { command: _none, ...executor } = executorInfo();
    test.run(executorTask("one", executor));
    expect((await test.master.status("one", TASK_FAILED)).message).toContain(`Executor '${EXECUTOR}' has no command`);
  });

  it("has a variable whose secret stands elsewhere", async () => {
    const secret = { type: Secret_Type.REFERENCE, reference: { name: "s" } };
    const variables = [{ name: "V", type: Environment_Variable_Type.SECRET, secret }];
    test.run(commandTask("one", { command: { value: "true", environment: { variables } } }));
    const status = await test.master.status("one", TASK_FAILED);
    expect(status).toMatchObject({ reason: CONTAINER_LAUNCH_FAILED, message: expect.stringMatching(/V/) });
    expect(test.machine.started).toEqual([]);
  });
});

describe("the end of a container", () => {
  it("by a limit is told with what was used, of a command task", async () => {
    await test.running("one", TASK_RUNNING);
    const reason = CONTAINER_LIMITATION_MEMORY;
    test.machine.containerOf("one")?.end({ status: 9, state: TASK_FAILED, reason, limitation: [mem] });
    expect(await test.master.status("one", TASK_FAILED)).toMatchObject(limited);
  });

  it("and of an executor's tasks", async () => {
    await runningDriver();
    const reason = CONTAINER_LIMITATION_MEMORY;
    test.machine.containerOf(EXECUTOR)?.end({ status: 9, state: TASK_FAILED, reason, limitation: [mem] });
    expect(await test.master.status("one", TASK_FAILED)).toMatchObject(limited);
  });

  it("and of a launch", async () => {
    test.machine.failure = new TaskFailure(TASK_FAILED, CONTAINER_LIMITATION_DISK, "too large", { limitation: [mem] });
    test.run(commandTask("one"));
    expect(await test.master.status("one", TASK_FAILED)).toMatchObject({
      ...limited,
      reason: CONTAINER_LIMITATION_DISK,
      message: "too large",
    });
  });

  it("has no limitation where none was met", async () => {
    await test.running("one", TASK_RUNNING);
    test.machine.containerOf("one")?.end(256);
    expect((await test.master.status("one", TASK_FAILED)).limitation).toBeUndefined();
    test.machine.failure = new Error("no");
    test.run(commandTask("two"));
    expect((await test.master.status("two", TASK_FAILED)).limitation).toBeUndefined();
  });

  it("that nobody can tell is a failure, of a command task", async () => {
    await test.running("one", TASK_RUNNING);
    test.machine.containerOf("one")?.lose(new Error("its status is gone"));
    expect(await test.master.status("one", TASK_FAILED)).toMatchObject({
      message: "Failed to get exit status for Command: its status is gone",
    });
  });

  it("and of an executor", async () => {
    await runningDriver();
    test.machine.containerOf(EXECUTOR)?.lose(new Error("its status is gone"));
    expect(await test.master.status("one", TASK_FAILED)).toMatchObject({ message: "its status is gone" });
    await until("ExitedExecutor", () => test.master.exited.length === 1);
    expect(test.master.exited).toMatchObject([{ status: -1 }]);
  });
});

describe("a task that is ended in the moment of its start", () => {
  /** Its container runs; the agent has not heard of that. */
  async function starting(): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    test.machine.afterStart = promise;
    test.machine.obeys = false;
    test.run(commandTask("one"));
    await until("container", () => test.machine.running === 1);
    await test.master.quiet();
    return resolve;
  }

  it("by a kill runs, and gets its grace like any other", async () => {
    const started = await starting();
    test.killTask("one", 7_000);
    await test.master.quiet();
    started();
    await test.master.status("one", TASK_RUNNING);
    await until("stop", () => stops().length === 1);
    expect(stops()).toEqual(["stop one 7000"]);
    test.machine.containerOf("one")?.end(15);
    await test.master.status("one", TASK_KILLED);
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_KILLED]);
  });

  it("by its executor's shutdown too", async () => {
    const started = await starting();
    const ids = { frameworkId: { value: FRAMEWORK }, executorId: { value: "one" } };
    test.master.send(ShutdownExecutorMessageSchema, ids);
    await test.master.quiet();
    started();
    await until("stop", () => stops().length === 1);
    expect(stops()).toEqual(["stop one 3000"]);
  });

  it("because its launch took too long is not: it was not too late", async () => {
    const started = await starting();
    await test.clock.advance(60_000);
    started();
    await test.master.status("one", TASK_RUNNING);
    await test.master.quiet();
    expect([stops(), test.machine.running]).toEqual([[], 1]);
  });
});

it("a container is forgotten when its end is acknowledged, not before", async () => {
  test.master.acknowledges = ({ status }) => status?.state !== TASK_FINISHED;
  await test.running("one", TASK_RUNNING);
  test.machine.containerOf("one")?.end(0);
  await test.master.status("one", TASK_FINISHED);
  await test.master.quiet();
  expect(test.machine.asked).toEqual([]);
  const last = test.master.updates.at(-1)?.update;
  if (last !== undefined) test.master.acknowledge(last);
  await until("remove", () => test.machine.asked.includes("remove one"));
});

describe("where a task finds its sandbox", () => {
  const sandboxOf = (id: string) => test.machine.containerOf(id)?.spec.environment["MESOS_SANDBOX"];

  it("is the folder itself, and within an image the place that --sandbox_directory names", async () => {
    await test.running("plain", TASK_RUNNING);
    expect(sandboxOf("plain")).toBe(test.machine.containerOf("plain")?.spec.sandbox);
    const container = { type: ContainerInfo_Type.DOCKER, docker: { image: "i" } };
    await test.running("docker", TASK_RUNNING, {}, commandTask("docker", { container }));
    expect(sandboxOf("docker")).toBe("/mnt/mesos/sandbox");
  });
});

describe("a containerizer that refuses", () => {
  it("to stop a container: the task runs on, and a later kill is tried", async () => {
    await test.running("one", TASK_RUNNING);
    test.machine.refusal = new Error("the daemon is dead");
    test.killTask("one");
    await until("stop", () => stops().length === 1);
    await test.master.quiet();
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING, TASK_RUNNING]);
    test.machine.refusal = undefined;
    test.killTask("one");
    await test.master.status("one", TASK_KILLED);
  });

  it("to change limits, to destroy and to forget: the agent goes on", async () => {
    const driver = await runningDriver();
    test.machine.refusal = new Error("the daemon is dead");
    test.run(executorTask("two"), { launchExecutor: false });
    await until("run", () => driver.received.includes("run two"));
    test.master.send(ShutdownExecutorMessageSchema, {
      frameworkId: { value: FRAMEWORK },
      executorId: { value: EXECUTOR },
    });
    await until("shutdown", () => driver.received.includes("shutdown"));
    await test.clock.advance(5_000);
    await until("destroy", () => test.machine.asked.includes(`destroy ${EXECUTOR}`));
    test.machine.containerOf(EXECUTOR)?.end(0);
    await test.master.status("two", TASK_FAILED);
    await until("remove", () => test.machine.asked.includes(`remove ${EXECUTOR}`));
    test.machine.refusal = undefined;
    await test.running("three", TASK_RUNNING);
  });
});

describe("what TASK_RUNNING says first", () => {
  it("has the containerizer's data, once", async () => {
    test.machine.data = Buffer.from("inspected");
    await test.running("one", TASK_RUNNING);
    test.machine.containerOf("one")?.end(0);
    await test.master.status("one", TASK_FINISHED);
    expect(test.master.statusesOf("one").map(({ data }) => Buffer.from(data).toString())).toEqual([
      "",
      "inspected",
      "",
    ]);
  });

  it.each([
    [CheckInfo_Type.HTTP, "http", { http: { port: 1 } }],
    [CheckInfo_Type.TCP, "tcp", { tcp: { port: 1 } }],
    [CheckInfo_Type.COMMAND, "command", { command: { command: { value: "look" } } }],
  ] as const)("has a check's type %i from the beginning", async (type, name, fields) => {
    const check = { type, delaySeconds: 60, ...fields };
    await test.running("one", TASK_RUNNING, {}, commandTask("one", { check }));
    for (const { checkStatus } of test.master.statusesOf("one")) {
      expect(checkStatus).toMatchObject({ type, [name]: {} });
      const others = ["http", "tcp", "command"].filter((other) => other !== name);
      for (const other of others) expect(Object.hasOwn(checkStatus ?? {}, other)).toBe(false);
    }
  });

  it("has no check where there is none, nor one that makes no sense", async () => {
    await test.running("one", TASK_RUNNING);
    expect(test.master.statusesOf("one").map(({ checkStatus }) => checkStatus)).toEqual([undefined, undefined]);
    const check = { type: CheckInfo_Type.HTTP, http: { port: 0 }, delaySeconds: 0 };
    await test.running("two", TASK_RUNNING, {}, commandTask("two", { check }));
    await test.clock.advance(60_000);
    await test.master.quiet();
    expect(test.master.statesOf("two"), "it runs without").toEqual([TASK_STARTING, TASK_RUNNING]);
  });
});

describe("a kill passes its policy on", () => {
  it("to a driver; without one it says nothing of a grace", async () => {
    const driver = await runningDriver();
    test.killTask("one");
    test.killTask("one", 7_000);
    await until("kills", () => driver.graces.length === 2);
    expect(driver.graces).toEqual([undefined, 7_000_000_000n]);
  });

  it("of a drain, where that is shorter than the task's own", async () => {
    const driver = await runningDriver();
    test.master.send(DrainSlaveMessageSchema, { config: { maxGracePeriod: { nanoseconds: 1_000_000_000n } } });
    await until("kill", () => driver.graces.length === 1);
    expect(driver.graces).toEqual([1_000_000_000n]);
  });
});
