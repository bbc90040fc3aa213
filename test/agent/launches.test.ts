import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkpointFiles } from "../../src/agent/model/files.ts";
import {
  DrainSlaveMessageSchema,
  SlaveRegisteredMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import {
  FrameworkInfo_Capability_Type,
  TaskState,
  TaskStatus_Reason,
  TaskStatus_Source,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import {
  AgentUnderTest,
  commandTask,
  EXECUTOR,
  executorTask,
  FRAMEWORK,
  framework,
} from "../support/agent-under-test.ts";
import { until } from "../support/scripted-master.ts";

const { TASK_RUNNING, TASK_LOST, TASK_DROPPED, TASK_KILLED } = TaskState;
const aware = () => framework({ capabilities: [FrameworkInfo_Capability_Type.PARTITION_AWARE] });
const runFolder = ["meta", "slaves", "S0", "frameworks", FRAMEWORK, "executors", "*", "runs", "*"];

let test: AgentUnderTest;

beforeEach(async () => {
  test = await AgentUnderTest.registered();
});
afterEach(() => test.close());

describe("a launch that is ignored", () => {
  it.each([
    ["is for another agent", commandTask("one", { agentId: { value: "S1" } })],
    ["has neither command nor executor", (({ command: _none, ...task }) => task)(commandTask("one"))],
    ["has both command and executor", { ...executorTask("one"), command: { value: "true" } }],
    ["has an id that is no name of a folder", commandTask("../one")],
  ])("%s", async (_name, task) => {
    test.run(task);
    await test.master.quiet();
    expect(test.machine.started).toEqual([]);
    expect(test.master.updates).toEqual([]);
    expect(test.has("slaves", "S0")).toBe(false);
  });

  it("is of a framework whose id is no name of a folder", async () => {
    test.run(commandTask("one"), { framework: framework({ id: "../../F" }) });
    await test.master.quiet();
    expect(test.machine.started).toEqual([]);
    expect(test.has("meta", "slaves", "S0", "frameworks")).toBe(false);
  });

  it("is of a task that is here already", async () => {
    await test.running("one", TASK_RUNNING);
    test.run(commandTask("one"));
    await test.master.quiet();
    expect(test.machine.started).toEqual(["one"]);
  });

  it("comes while the agent shuts down", async () => {
    test.machine.obeys = false;
    await test.running("one", TASK_RUNNING);
    test.node.agent.shutdown("a test");
    test.run(commandTask("two"));
    await test.master.quiet();
    expect(test.machine.started).toEqual(["one"]);
  });
});

describe("a launch that is refused", () => {
  const refusal = { source: TaskStatus_Source.AGENT };

  it("was offered before the agent's restart", async () => {
    test.run(commandTask("one"), { resourceVersion: new Uint8Array(16) });
    expect(await test.master.status("one", TASK_LOST)).toMatchObject({
      ...refusal,
      reason: TaskStatus_Reason.INVALID_OFFERS,
      message: "Task assumes outdated resource state",
    });
    await test.master.quiet();
    expect(test.machine.started).toEqual([]);
  });

  it("is TASK_DROPPED for frameworks that understand it", async () => {
    test.run(commandTask("one"), { resourceVersion: new Uint8Array(16), framework: aware() });
    await test.master.status("one", TASK_DROPPED);
  });

  it("is not refused with the version that the agent told", async () => {
    const told = test.master.registrations[0]?.resourceVersionUuid?.value;
    await test.running("one", TASK_RUNNING, { resourceVersion: told ?? new Uint8Array() });
  });

  it("needs a reservation that is not known here", async () => {
    const reserved = { name: "cpus", type: 0, scalar: { value: 1 }, role: "r", reservation: {} };
    test.run(commandTask("one", { resources: [reserved] as never }));
    expect(await test.master.status("one", TASK_LOST)).toMatchObject({
      ...refusal,
      reason: TaskStatus_Reason.RESOURCES_UNKNOWN,
      message: expect.stringContaining("being used by the task"),
    });
    expect(test.machine.started).toEqual([]);
  });

  it("whose executor needs one", async () => {
    const reserved = { name: "cpus", type: 0, scalar: { value: 1 }, role: "r", reservation: {} };
    const { executor } = executorTask("one");
    test.run(executorTask("one", { ...executor, resources: [reserved] } as never));
    expect(await test.master.status("one", TASK_LOST)).toMatchObject({
      reason: TaskStatus_Reason.RESOURCES_UNKNOWN,
      message: expect.stringContaining("being used by the executor"),
    });
    await until("ExitedExecutor", () => test.master.exited.length === 1);
    expect(test.master.exited[0]).toMatchObject({ executorId: { value: EXECUTOR }, status: -1 });
  });

  it("sets limits that cannot be held", async () => {
    test.run(commandTask("one", { limits: { mem: { value: 64 } } } as never));
    expect(await test.master.status("one", TASK_LOST)).toMatchObject({ reason: TaskStatus_Reason.GC_ERROR });
  });

  it("comes while the agent drains", async () => {
    test.machine.obeys = false;
    await test.running("one", TASK_RUNNING);
    test.master.send(DrainSlaveMessageSchema, { config: {} });
    await until("kill", () => test.machine.asked.includes("stop one 3000"));
    test.run(commandTask("two"));
    expect(await test.master.status("two", TASK_LOST)).toMatchObject({ reason: TaskStatus_Reason.AGENT_DRAINING });
    expect(test.machine.started).toEqual(["one"]);
  });

  it("leaves nothing of its framework", async () => {
    test.run(commandTask("one"), { resourceVersion: new Uint8Array(16) });
    await test.master.status("one", TASK_LOST);
    await until("garbage", () => test.node.garbage.scheduled.size > 0);
    // Nobody knows it here any more: a kill has nobody to answer to.
    test.killTask("one");
    await test.master.quiet();
    expect(test.master.statesOf("one")).toEqual([TASK_LOST]);
  });
});

describe("a task group", () => {
  const member = (id: string) => {
    const { executor: _none, ...task } = executorTask(id);
    return task;
  };

  it("is refused as a whole", async () => {
    test.runGroup([member("one"), member("two")], { resourceVersion: new Uint8Array(16) });
    await test.master.status("one", TASK_LOST);
    await test.master.status("two", TASK_LOST);
    expect(test.machine.started).toEqual([]);
    await until("ExitedExecutor", () => test.master.exited.length === 1);
  });

  it("goes to its executor as one", async () => {
    test.runGroup([member("one"), member("two")]);
    await until("container", () => test.machine.containerOf(EXECUTOR));
    const executor = test.httpExecutor();
    expect(await executor.subscribeOnce()).toBe(200);
    const group = await until("group", () => executor.events.find(({ launchGroup }) => launchGroup !== undefined));
    expect(group.launchGroup?.taskGroup?.tasks.map(({ taskId }) => taskId?.value)).toEqual(["one", "two"]);
  });

  it("goes to an executor that has a driver task by task", async () => {
    test.runGroup([member("one"), member("two")]);
    await until("container", () => test.machine.containerOf(EXECUTOR));
    const driver = await test.driver();
    driver.register();
    await until("tasks", () => driver.received.includes("run two"));
    expect(driver.received).toEqual(["registered", "run one", "run two"]);
  });

  it("is killed as one while it waits", async () => {
    test.runGroup([member("one"), member("two")]);
    await until("container", () => test.machine.containerOf(EXECUTOR));
    test.killTask("two");
    await test.master.status("one", TASK_KILLED);
    await test.master.status("two", TASK_KILLED);
  });
});

describe("what is written down before a task runs", () => {
  it("the agent's id: a launch that comes at once waits for it", async () => {
    const slow = await AgentUnderTest.open();
    const disk = Promise.withResolvers<void>();
    try {
      const replaceDurably = async (path: string, data: Uint8Array | string): Promise<void> => {
        if (path.endsWith("slave.info")) await disk.promise;
        await checkpointFiles.replaceDurably(path, data);
      };
      await slow.start({ files: { ...checkpointFiles, replaceDurably } });
      slow.lead();
      await slow.clock.advance(10);
      await until("registration", () => slow.master.received.includes("RegisterSlaveMessage"));
      slow.run(commandTask("one"));
      await slow.master.quiet();
      expect(slow.machine.started).toEqual([]);
      disk.resolve();
      await slow.master.status("one", TASK_RUNNING);
      expect(slow.has("meta", "slaves", "S0", "slave.info")).toBe(true);
      expect(slow.has("meta", "slaves", "latest", "slave.info")).toBe(true);
    } finally {
      disk.resolve();
      await slow.close();
    }
  });

  it("framework, executor, task, process", async () => {
    await test.running("one", TASK_RUNNING);
    const files = [
      ["meta", "slaves", "S0", "frameworks", FRAMEWORK, "framework.info"],
      ["meta", "slaves", "S0", "frameworks", FRAMEWORK, "framework.pid"],
      ["meta", "slaves", "S0", "frameworks", FRAMEWORK, "executors", "one", "executor.info"],
      [...runFolder, "pids", "forked.pid"],
      [...runFolder, "tasks", "one", "task.info"],
      [...runFolder, "tasks", "one", "task.updates"],
    ];
    for (const path of files) expect(test.has(...path), path.join("/")).toBe(true);
  });

  it("nothing for a framework that does not checkpoint", async () => {
    await test.running("one", TASK_RUNNING, { framework: framework({ checkpoint: false }) });
    expect(test.has("meta", "slaves", "S0", "frameworks")).toBe(false);
    test.machine.containerOf("one")?.end(0);
    await until("garbage", () =>
      [...test.node.garbage.scheduled].some((path) => path.endsWith(`frameworks/${FRAMEWORK}`)),
    );
    expect([...test.node.garbage.scheduled].filter((path) => path.includes("/meta/"))).toEqual([]);
  });

  it("or it does not run: the launch is refused, and taken back", async () => {
    const full = await AgentUnderTest.open();
    try {
      const create = (path: string, data: Uint8Array | string): void => {
        if (path.endsWith("task.info")) throw new Error("no space left on device");
        checkpointFiles.create(path, data);
      };
      await full.start({ files: { ...checkpointFiles, create } });
      await full.register();
      full.run(executorTask("one"));
      expect(await full.master.status("one", TASK_LOST)).toMatchObject({
        reason: TaskStatus_Reason.CONTAINER_LAUNCH_FAILED,
        message: expect.stringContaining("no space left on device"),
      });
      await until("ExitedExecutor", () => full.master.exited.length === 1);
      expect(full.machine.started).toEqual([]);
      const executors = ["meta", "slaves", "S0", "frameworks", FRAMEWORK, "executors", EXECUTOR];
      expect(full.has(...executors, "runs", "latest")).toBe(false);
    } finally {
      await full.close();
    }
  });
});

it("an agent whose id cannot be written ends itself", async () => {
  const broken = await AgentUnderTest.open();
  try {
    const replaceDurably = async (path: string, data: Uint8Array | string): Promise<void> => {
      if (path.endsWith("slave.info")) throw new Error("no space left on device");
      await checkpointFiles.replaceDurably(path, data);
    };
    await broken.start({ files: { ...checkpointFiles, replaceDurably } });
    broken.master.answers = false;
    broken.lead();
    await broken.clock.advance(10);
    await until("registration", () => broken.master.registrations.length > 0);
    broken.master.send(SlaveRegisteredMessageSchema, { agentId: { value: "S0" } });
    expect(await broken.node.ended).toContain("no space left on device");
    expect(broken.node.exitCode).toBe(1);
  } finally {
    await broken.close();
  }
});
