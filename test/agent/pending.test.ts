import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkpointFiles } from "../../src/agent/model/files.ts";
import {
  DrainSlaveMessageSchema,
  ShutdownExecutorMessageSchema,
  ShutdownFrameworkMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { FrameworkInfo_Capability_Type, TaskState, TaskStatus_Reason } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import {
  AgentUnderTest,
  commandTask,
  EXECUTOR,
  executorTask,
  FRAMEWORK,
  framework,
  type RunOptions,
} from "../support/agent-under-test.ts";
import { until } from "../support/scripted-master.ts";

const { TASK_RUNNING, TASK_FINISHED, TASK_KILLED, TASK_LOST, TASK_DROPPED, TASK_FAILED } = TaskState;

let test: AgentUnderTest;

beforeEach(async () => {
  test = await AgentUnderTest.registered();
});
afterEach(() => test.close());

const isScheduled = (end: string): boolean => [...test.node.garbage.scheduled].some((path) => path.endsWith(end));

/** The framework comes back while its folders are being deleted: its launches wait for `deleted`. */
async function returning(): Promise<{ deleted: PromiseWithResolvers<boolean> }> {
  await test.running("past", TASK_RUNNING);
  test.machine.containerOf("past")?.end(0);
  await test.master.status("past", TASK_FINISHED);
  await until("garbage", () => isScheduled(`frameworks/${FRAMEWORK}`));
  const deleted = Promise.withResolvers<boolean>();
  test.node.garbage.deleting = deleted.promise;
  return { deleted };
}

const member = (id: string) => {
  const { executor: _none, ...task } = executorTask(id);
  return task;
};

describe("a launch of a framework whose folders are being deleted", () => {
  it("waits until they are", async () => {
    const { deleted } = await returning();
    test.run(commandTask("one"));
    await test.master.quiet();
    expect(test.machine.started).toEqual(["past"]);
    deleted.resolve(true);
    await test.master.status("one", TASK_RUNNING);
    expect(isScheduled(`frameworks/${FRAMEWORK}`)).toBe(false);
  });

  it("is told to a new master while it waits", async () => {
    await returning();
    test.run(commandTask("one"));
    await test.master.quiet();
    test.loseLeader();
    await test.register();
    expect(test.master.reregistrations.at(-1)).toMatchObject({
      tasks: [{ taskId: { value: "one" } }],
      frameworks: [{ id: { value: FRAMEWORK } }],
    });
  });

  it.each<[string, RunOptions, object]>([
    [
      "a master that tracks executors",
      {},
      { reason: TaskStatus_Reason.TASK_KILLED_DURING_LAUNCH, message: "Killed before delivery to the executor" },
    ],
    ["an old one", { launchExecutor: undefined }, { message: "Task killed before it was launched" }],
  ])("and that is killed meanwhile never starts, at %s", async (_name, options, expected) => {
    const { deleted } = await returning();
    test.run(commandTask("one"), options);
    test.killTask("one");
    const status = await test.master.status("one", TASK_KILLED);
    expect(status).toMatchObject(expected);
    expect(Object.hasOwn(status, "reason")).toBe("reason" in expected);
    deleted.resolve(true);
    await until("the framework's end", () => isScheduled(`frameworks/${FRAMEWORK}`));
    expect(test.machine.started).toEqual(["past"]);
    expect(test.master.exited, "a command task has no executor to tell of").toEqual([]);
  });

  it("of an executor, killed meanwhile: the master gets to know that there is none", async () => {
    const { deleted } = await returning();
    test.run(executorTask("one"));
    test.killTask("one");
    await test.master.status("one", TASK_KILLED);
    deleted.resolve(true);
    await until("ExitedExecutor", () => test.master.exited.length === 1);
    expect(test.master.exited).toMatchObject([{ executorId: { value: EXECUTOR }, status: -1 }]);
    expect(test.machine.started).toEqual(["past"]);
  });

  it("of a group is killed as one", async () => {
    const { deleted } = await returning();
    test.runGroup([member("one"), member("two")]);
    test.killTask("two");
    await test.master.status("one", TASK_KILLED);
    await test.master.status("two", TASK_KILLED);
    deleted.resolve(true);
    await until("ExitedExecutor", () => test.master.exited.length === 1);
    expect(test.machine.started).toEqual(["past"]);
  });

  it("is killed by a drain, which says so", async () => {
    const { deleted } = await returning();
    test.run(commandTask("one"));
    await test.master.quiet();
    test.master.send(DrainSlaveMessageSchema, { config: {} });
    expect(await test.master.status("one", TASK_KILLED)).toMatchObject({ reason: TaskStatus_Reason.AGENT_DRAINING });
    deleted.resolve(true);
    await test.master.quiet();
    expect(test.machine.started).toEqual(["past"]);
    expect(test.has("meta", "slaves", "S0", "drain.config")).toBe(false);
  });

  it.each([
    ["TASK_LOST", [], TASK_LOST],
    ["TASK_DROPPED where it is understood", [FrameworkInfo_Capability_Type.PARTITION_AWARE], TASK_DROPPED],
  ] as const)("is %s when the deletion fails", async (_name, capabilities, state) => {
    const { deleted } = await returning();
    test.run(commandTask("one"), { framework: framework({ capabilities }) });
    await test.master.quiet();
    deleted.reject(new Error("a disk that hangs"));
    expect(await test.master.status("one", state)).toMatchObject({ reason: TaskStatus_Reason.GC_ERROR });
    expect(test.machine.started).toEqual(["past"]);
    await until("the framework's end", () => isScheduled(`frameworks/${FRAMEWORK}`));
  });
});

describe("a launch that pulls", () => {
  it("of an executor ends with a shutdown of the executor", async () => {
    test.machine.pull = new Promise(() => undefined);
    test.run(executorTask("one"));
    await test.master.quiet();
    test.master.send(ShutdownExecutorMessageSchema, {
      frameworkId: { value: FRAMEWORK },
      executorId: { value: EXECUTOR },
    });
    await test.master.status("one", TASK_FAILED);
    await until("ExitedExecutor", () => test.master.exited.length === 1);
    expect(test.machine.started).toEqual([]);
  });

  it("of an executor has the time of its registration", async () => {
    test.machine.pull = new Promise(() => undefined);
    test.run(executorTask("one"));
    await test.master.quiet();
    await test.clock.advance(60_000);
    expect(await test.master.status("one", TASK_FAILED)).toMatchObject({
      reason: TaskStatus_Reason.EXECUTOR_REGISTRATION_TIMEOUT,
      message: expect.stringContaining("Executor did not register within 1mins"),
    });
    expect(test.machine.started).toEqual([]);
  });

  it("of a command task ends with its framework, without a word", async () => {
    test.machine.pull = new Promise(() => undefined);
    test.run(commandTask("one"));
    await test.master.quiet();
    test.master.send(ShutdownFrameworkMessageSchema, { frameworkId: { value: FRAMEWORK } });
    await until("the framework's end", () => isScheduled(`frameworks/${FRAMEWORK}`));
    expect(test.machine.started).toEqual([]);
    expect(test.master.updates).toEqual([]);
  });
});

describe("a framework that cannot be written down", () => {
  it("runs no task until it can, and is found again after a restart", async () => {
    let full = true;
    const replace = (path: string, data: Uint8Array | string): void => {
      if (full && path.endsWith("framework.info")) throw new Error("no space left on device");
      checkpointFiles.replace(path, data);
    };
    await test.restart({ files: { ...checkpointFiles, replace } });
    test.run(executorTask("one"));
    expect(await test.master.status("one", TASK_LOST)).toMatchObject({
      reason: TaskStatus_Reason.CONTAINER_LAUNCH_FAILED,
      message: expect.stringContaining("no space left on device"),
    });
    expect(test.machine.started).toEqual([]);
    full = false;
    await test.running("two", TASK_RUNNING);
    await test.master.quiet();
    await test.restart();
    expect(test.master.reregistrations.at(-1)).toMatchObject({ frameworks: [{ id: { value: FRAMEWORK } }] });
  });
});

describe("a task that cannot be written down", () => {
  it("of an executor that runs is refused alone, and forgotten", async () => {
    const driver = await test.driver();
    const create = (path: string, data: Uint8Array | string): void => {
      if (path.endsWith("two/task.info")) throw new Error("no space left on device");
      checkpointFiles.create(path, data);
    };
    await test.restart({ files: { ...checkpointFiles, create } });
    test.run(executorTask("one"));
    await until("container", () => test.machine.containerOf(EXECUTOR));
    driver.register();
    await until("run", () => driver.received.includes("run one"));
    driver.update("one", TASK_RUNNING, "S0");
    await test.master.status("one", TASK_RUNNING);
    test.run(executorTask("two"), { launchExecutor: false });
    expect(await test.master.status("two", TASK_LOST)).toMatchObject({
      reason: TaskStatus_Reason.CONTAINER_LAUNCH_FAILED,
    });
    await test.master.quiet();
    expect(test.master.exited).toEqual([]);
    expect(driver.received).not.toContain("run two");
    await test.restart();
    expect(test.master.reregistrations.at(-1)?.tasks.map(({ taskId }) => taskId?.value)).toEqual(["one"]);
  });
});
