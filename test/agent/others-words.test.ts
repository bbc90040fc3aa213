import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  ApplyOperationMessageSchema,
  CheckpointResourcesMessageSchema,
  FrameworkToExecutorMessageSchema,
  KillTaskMessageSchema,
  ShutdownExecutorMessageSchema,
  ShutdownFrameworkMessageSchema,
  StatusUpdateMessageSchema,
  UpdateFrameworkMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { Offer_Operation_Type, TaskState, TaskStatus_Reason } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
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
import { uuidOf } from "../support/updates.ts";

const { TASK_RUNNING, TASK_LOST, TASK_KILLED, TASK_FINISHED, TASK_FAILED } = TaskState;

/** Words about what is somebody else's, or not here, or cannot be meant: nothing comes of them, and everything goes on. */
let test: AgentUnderTest;
beforeEach(async () => {
  test = await AgentUnderTest.registered();
});
afterEach(() => test.close());

/** An executor with a driver that runs a task of that name. */
async function started(id: string, frameworkId = FRAMEWORK, pid?: string): Promise<ScriptedDriver> {
  const driver = await test.driver(EXECUTOR, frameworkId);
  const executor = executorInfo({ frameworkId: { value: frameworkId } });
  const containers = test.machine.started.length;
  test.run(executorTask(id, executor), {
    framework: framework({ id: frameworkId }),
    ...(pid !== undefined && { pid }),
  });
  await until("container", () => test.machine.started.length > containers);
  driver.register();
  await until(`run ${id}`, () => driver.received.includes(`run ${id}`));
  return driver;
}

const settled = async () => {
  await test.master.quiet();
  await test.master.quiet();
};

describe("a driver", () => {
  it("tells nothing of tasks of another framework's executor", async () => {
    const [one, two] = [await started("one"), await started("two", "G")];
    one.say(StatusUpdateMessageSchema, {
      update: {
        frameworkId: { value: "G" },
        executorId: { value: EXECUTOR },
        agentId: { value: "S0" },
        status: { taskId: { value: "two" }, state: TASK_FINISHED } as never,
        timestamp: 1,
        uuid: uuidOf(1),
      } as never,
      pid: one.pid,
    });
    await settled();
    expect(test.master.statesOf("two")).toEqual([]);
    two.update("two", TASK_RUNNING, "S0");
    await test.master.status("two", TASK_RUNNING);
  });

  it("may leave the time of a status to its update, and the uuid must be one", async () => {
    const driver = await started("one");
    const say = (state: TaskState, uuid: Uint8Array<ArrayBuffer>) =>
      driver.say(StatusUpdateMessageSchema, {
        update: {
          frameworkId: { value: FRAMEWORK },
          executorId: { value: EXECUTOR },
          agentId: { value: "S0" },
          status: { taskId: { value: "one" }, state } as never,
          timestamp: 12_345,
          uuid,
        } as never,
        pid: driver.pid,
      });
    say(TASK_FINISHED, new Uint8Array(15));
    say(TASK_RUNNING, uuidOf(1));
    expect((await test.master.status("one", TASK_RUNNING)).timestamp).toBe(12_345);
    await settled();
    expect(test.master.statesOf("one")).toEqual([TASK_RUNNING]);
  });

  it("may tell of a task that nobody knows, also beside other executors of its framework", async () => {
    const driver = await started("one");
    const other = await test.driver("other");
    test.run(executorTask("two", executorInfo({ executorId: { value: "other" } })));
    await until("container", () => test.machine.containerOf("other"));
    other.register();
    await until("run two", () => other.received.includes("run two"));
    driver.update("two", TASK_FINISHED, "S0");
    driver.update("its own", TASK_FINISHED, "S0");
    await test.master.status("its own", TASK_FINISHED);
    await settled();
    expect(test.master.statesOf("two")).toEqual([]);
  });

  it("that registers while its framework is being shut down is sent away", async () => {
    test.machine.obeys = false;
    const driver = await test.driver();
    await started("first", "G");
    test.run(executorTask("one"));
    await until("container", () => test.machine.started.length === 2);
    test.master.send(ShutdownFrameworkMessageSchema, { frameworkId: { value: FRAMEWORK } });
    await test.master.quiet();
    driver.register();
    await until("the refusal", () => driver.received.includes("shutdown"));
    expect(driver.received).toEqual(["shutdown"]);
  });
});

describe("a scheduler with a driver", () => {
  it("reaches the executors of its own framework, not those of others", async () => {
    const [mine, others] = [
      test.closing(await ScriptedMaster.start(test.port, { id: "scheduler-1" })),
      test.closing(await ScriptedMaster.start(test.port, { id: "scheduler-2" })),
    ];
    const one = await started("one", FRAMEWORK, mine.pid);
    await started("two", "G", others.pid);
    const send = (from: ScriptedMaster, data: number, executorId = EXECUTOR) =>
      from.send(FrameworkToExecutorMessageSchema, {
        agentId: { value: "S0" },
        frameworkId: { value: FRAMEWORK },
        executorId: { value: executorId },
        data: Uint8Array.of(data),
      });
    send(others, 1);
    send(mine, 2);
    await until("the scheduler's message", () => one.received.includes("message 02"));
    send(test.master, 3, "none");
    send(test.master, 4);
    await until("the master's message", () => one.received.includes("message 04"));
    expect(one.received.filter((what) => what.startsWith("message"))).toEqual(["message 02", "message 04"]);
  });
});

describe("the master's word", () => {
  it.each<[string, () => void]>([
    [
      "of an executor's shutdown that is of another framework",
      () =>
        test.master.send(ShutdownExecutorMessageSchema, {
          frameworkId: { value: "G" },
          executorId: { value: EXECUTOR },
        }),
    ],
    [
      "of a shutdown of an executor that is not here",
      () =>
        test.master.send(ShutdownExecutorMessageSchema, {
          frameworkId: { value: FRAMEWORK },
          executorId: { value: "none" },
        }),
    ],
    [
      "of a change of a framework that is not here",
      () => test.master.send(UpdateFrameworkMessageSchema, { frameworkId: { value: "G" }, pid: "" }),
    ],
    [
      "of a kill of another framework's task",
      () => test.master.send(KillTaskMessageSchema, { frameworkId: { value: "G" }, taskId: { value: "one" } }),
    ],
    ["of a group without tasks", () => test.runGroup([])],
    [
      "of an operation whose uuid is none",
      () =>
        test.master.send(ApplyOperationMessageSchema, {
          operationInfo: { type: Offer_Operation_Type.RESERVE, reserve: { resources: [] } },
          operationUuid: { value: new Uint8Array(15) },
          resourceVersionUuid: { uuid: { value: uuidOf(0) } },
        } as never),
    ],
  ])("%s changes nothing", async (_name, say) => {
    const driver = await started("one");
    const before = [...driver.received];
    say();
    await settled();
    expect(driver.received).toEqual(before);
    expect(test.machine.running).toBe(1);
    expect([test.node.exitCode, test.master.operations]).toEqual([undefined, []]);
    expect(test.master.statesOf("one").includes(TASK_LOST)).toBe(false);
  });

  it("of a list of resources is nothing to an agent that is ending", async () => {
    test.machine.obeys = false;
    await test.running("one", TASK_RUNNING);
    test.node.agent.shutdown("a test");
    test.master.send(CheckpointResourcesMessageSchema, {
      resources: [{ name: "cpus", type: 0, scalar: { value: 1 }, reservations: [{ type: 2, role: "r" }] }],
    } as never);
    await settled();
    expect(test.has("meta", "resources", "resources.info")).toBe(false);
    test.machine.containerOf("one")?.end(9);
    await test.node.ended;
    expect(test.node.exitCode).toBe(0);
  });
});

describe("a status that the agent makes", () => {
  const containerIds = (id: string) =>
    test.master.statusesOf(id).map(({ containerStatus }) => containerStatus?.containerId?.value);

  it("names the container of a task that ran in it, with the agent's address", async () => {
    const driver = await started("one");
    driver.update("one", TASK_RUNNING, "S0");
    await test.master.status("one", TASK_RUNNING);
    const container = test.machine.containerOf(EXECUTOR);
    container?.end(9);
    const { containerStatus } = await test.master.status("one", TASK_FAILED);
    expect(containerStatus).toMatchObject({
      containerId: { value: container?.spec.containerId },
      networkInfos: [{ ipAddresses: [{ ipAddress: "127.0.0.1" }] }],
    });
  });

  it("names none of a task that never reached its executor", async () => {
    test.run(executorTask("one"));
    await until("container", () => test.machine.containerOf(EXECUTOR));
    await test.master.quiet();
    test.killTask("one");
    await test.master.status("one", TASK_KILLED);
    expect(containerIds("one")).toEqual([undefined]);
  });
});

describe("the container of an executor", () => {
  const cpus = (value: number) => ({ name: "cpus", type: 0, scalar: { value } });

  it("is made with what is the executor's, its tasks' come when it has registered", async () => {
    const executor = executorInfo({ resources: [cpus(0.5)] as never });
    const driver = await test.driver();
    test.run({ ...executorTask("one", executor), resources: [cpus(1)] as never });
    const { spec } = await until("container", () => test.machine.containerOf(EXECUTOR));
    expect(spec.resources).toMatchObject([{ name: "cpus", scalar: { value: 0.5 } }]);
    driver.register();
    await until("more resources", () => test.machine.resized.get(EXECUTOR)?.at(-1)?.get("cpus") === 1.5);
  });
});

describe("a launch", () => {
  it("for an executor whose id is no name of a folder is refused, and nothing is made of it", async () => {
    test.run(executorTask("one", executorInfo({ executorId: { value: "../up" } })));
    expect(await test.master.status("one", TASK_LOST)).toMatchObject({
      reason: TaskStatus_Reason.CONTAINER_LAUNCH_FAILED,
      message: expect.stringContaining("executor id '../up'"),
    });
    await until("ExitedExecutor", () => test.master.exited.length === 1);
    expect(test.machine.started).toEqual([]);
  });

  it("with a variable that has no value fails before anything is started, and names it", async () => {
    const environment = { variables: [{ name: "TOKEN", type: 2, secret: { type: 1, reference: { name: "s" } } }] };
    test.run(commandTask("one", { command: { value: "true", environment } } as never));
    const { message } = await test.master.status("one", TASK_FAILED);
    expect(message).toMatch(/^Failed to launch container: .*TOKEN/);
    expect(test.machine.started).toEqual([]);
  });

  it("of a group by an old master, which does not say whether its executor is new, runs", async () => {
    const { executor: _none, ...member } = executorTask("one");
    const driver = await test.driver();
    test.runGroup([member], { launchExecutor: undefined });
    await until("container", () => test.machine.containerOf(EXECUTOR));
    driver.register();
    await until("run", () => driver.received.includes("run one"));
  });

  it("killed while it waits for its executor has the words that the master knows", async () => {
    for (const [id, launchExecutor, expected] of [
      ["new", true, { reason: TaskStatus_Reason.TASK_KILLED_DURING_LAUNCH, message: "Killed before delivery" }],
      ["old", undefined, { reason: TaskStatus_Reason.EXECUTOR_UNREGISTERED, message: "Unregistered executor" }],
    ] as const) {
      const executor = executorInfo({ executorId: { value: `executor-${id}` } });
      test.run(executorTask(id, executor), { launchExecutor });
      await until("container", () => test.machine.containerOf(`executor-${id}`));
      test.killTask(id);
      const status = await test.master.status(id, TASK_KILLED);
      expect(status).toMatchObject({ ...expected, message: expect.stringContaining(expected.message) });
      await until("the end of the executor", () => test.machine.containerOf(`executor-${id}`) === undefined);
    }
  });
});
