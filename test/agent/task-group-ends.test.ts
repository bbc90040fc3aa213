import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TaskFailure } from "../../src/agent/model/failure.ts";
import {
  FrameworkToExecutorMessageSchema,
  ShutdownExecutorMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import {
  ContainerStatusSchema,
  FrameworkInfo_Capability_Type,
  HealthCheck_Type,
  TaskState,
  TaskStatus_Reason,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest, commandTask, executorTask, FRAMEWORK, framework } from "../support/agent-under-test.ts";
import { until } from "../support/scripted-master.ts";

const { TASK_STARTING, TASK_RUNNING, TASK_FINISHED, TASK_FAILED, TASK_KILLED, TASK_KILLING } = TaskState;
const SECOND = 1_000_000_000n;

/** What becomes of task groups when not everything goes as it should. */
let test: AgentUnderTest;
beforeEach(async () => {
  test = await AgentUnderTest.registered();
});
afterEach(() => test.close());

type Task = ReturnType<typeof commandTask>;
const member = (id: string, more: Partial<Task> = {}): Task => commandTask(id, { command: { value: id }, ...more });
/** Mesos' ExecutorInfo_Type.DEFAULT */
const DEFAULT = { type: 1, executorId: { value: "default" }, frameworkId: { value: FRAMEWORK } } as const;
const run = (tasks: readonly Task[], options: Parameters<AgentUnderTest["runGroup"]>[1] = {}) =>
  test.runGroup(tasks, { executor: DEFAULT, ...options });
const running = async (...ids: readonly string[]) => {
  for (const id of ids) await test.master.status(id, TASK_RUNNING);
};
const gone = () => until("the executor's end", () => test.master.exited.length > 0);
const shutdown = (): void =>
  test.master.send(ShutdownExecutorMessageSchema, {
    frameworkId: { value: FRAMEWORK },
    executorId: { value: "default" },
  });
const stops = (): string[] => test.machine.asked.filter((what) => what.startsWith("stop"));
const destroys = (): string[] => test.machine.asked.filter((what) => what.startsWith("destroy"));
const restart = async (meanwhile: () => void = () => undefined) => {
  await test.master.quiet();
  await test.kill();
  meanwhile();
  await test.start();
  await test.register();
};

describe("the container of a default executor", () => {
  it("that cannot be started fails each task, with why", async () => {
    test.machine.failure = new Error("no space left");
    run([member("one"), member("two")]);
    for (const id of ["one", "two"]) {
      const { message } = await test.master.status(id, TASK_FAILED);
      expect(message).toContain("Failed to launch container: no space left");
    }
    await gone();
  });

  it("that cannot be started for a known reason says that one", async () => {
    const reason = TaskStatus_Reason.CONTAINER_LAUNCH_FAILED;
    test.machine.failure = new TaskFailure(TASK_FAILED, reason, "the image is gone");
    run([member("one")]);
    expect(await test.master.status("one", TASK_FAILED)).toMatchObject({ reason, message: "the image is gone" });
  });

  it("whose end nobody can tell takes its tasks with it", async () => {
    run([member("one")]);
    await running("one");
    test.machine.containerOf("default")?.lose(new Error("no such record"));
    expect((await test.master.status("one", TASK_FAILED)).message).toContain("no such record");
    await gone();
  });

  it("is not waited for when a shutdown comes before it runs", async () => {
    const { promise: never } = Promise.withResolvers<void>();
    test.machine.pull = never;
    run([member("one")]);
    await test.master.quiet();
    shutdown();
    expect((await test.master.status("one", TASK_KILLED)).message).toContain("Executor shut down");
    await gone();
    expect(test.machine.started).toEqual([]);
  });
});

it("a default executor that ends by itself takes no more tasks: those that come then are told of its end", async () => {
  run([member("one")]);
  await running("one");
  test.machine.refusal = new Error("it takes a while");
  test.machine.nestedOf("one")?.end(0);
  await test.master.status("one", TASK_FINISHED);
  await until("its end", () => destroys().length === 1);
  run([member("two"), member("three")], { launchExecutor: false });
  await test.master.quiet();
  test.machine.refusal = undefined;
  test.machine.containerOf("default")?.end(0);
  const reason = TaskStatus_Reason.EXECUTOR_TERMINATED;
  for (const id of ["two", "three"]) {
    expect(await test.master.status(id, TASK_FAILED)).toMatchObject({ reason, message: "Executor terminated" });
    expect(test.master.statesOf(id)).toEqual([TASK_FAILED]);
  }
});

describe("a shutdown of a default executor", () => {
  it("ends each task with its own grace, and no other is asked twice", async () => {
    run([member("one"), member("two", { killPolicy: { gracePeriod: { nanoseconds: 7n * SECOND } } })]);
    await running("one", "two");
    shutdown();
    for (const id of ["one", "two"]) await test.master.status(id, TASK_KILLED);
    await gone();
    expect(stops()).toEqual(["stop one 3000", "stop two 7000"]);
  });

  it.each([
    ["the agent's own", {}, 5_000],
    ["the executor's", { shutdownGracePeriod: { nanoseconds: 2n * SECOND } }, 2_000],
  ])("waits for tasks no longer than %s grace", async (_name, more, grace) => {
    test.machine.obeys = false;
    run([member("one")], { executor: { ...DEFAULT, ...more } });
    await running("one");
    shutdown();
    await test.master.quiet();
    await test.clock.advance(grace - 1);
    expect(destroys()).toEqual([]);
    await test.clock.advance(1);
    await gone();
    expect(destroys()).toEqual(["destroy default"]);
  });
});

describe("a task of a group", () => {
  it("that is killed while it starts is stopped as soon as it runs, with its grace", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    test.machine.afterNestedStart = promise;
    run([member("one"), member("two")]);
    await test.master.status("one", TASK_STARTING);
    test.killTask("one", 4_000);
    await test.master.quiet();
    expect(stops()).toEqual([]);
    resolve();
    await test.master.status("one", TASK_KILLED);
    await test.master.status("two", TASK_KILLED);
    expect(stops()).toEqual(["stop one 4000", "stop two 3000"]);
  });

  it("that is killed before it runs waits for nothing that it fetches, nor does its group", async () => {
    test.machine.nestedPull = new Promise(() => undefined);
    run([member("one"), member("two")]);
    await test.master.status("two", TASK_STARTING);
    test.killTask("one");
    const reason = TaskStatus_Reason.TASK_KILLED_DURING_LAUNCH;
    for (const id of ["one", "two"]) {
      expect(await test.master.status(id, TASK_KILLED)).toMatchObject({ reason, message: "Killed before it ran" });
      expect(test.master.statesOf(id)).toEqual([TASK_STARTING, TASK_KILLED]);
    }
    await gone();
    expect(test.machine.nested.size).toBe(0);
  });

  it("that is killed before it runs leaves another group alone", async () => {
    run([member("one")]);
    await running("one");
    test.machine.nestedPull = new Promise(() => undefined);
    run([member("two"), member("three")], { launchExecutor: false });
    await test.master.status("three", TASK_STARTING);
    test.killTask("two");
    await test.master.status("three", TASK_KILLED);
    await test.master.quiet();
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING, TASK_RUNNING]);
  });

  it("is told with its own process and addresses, not with its executor's, to the last", async () => {
    test.machine.status = create(ContainerStatusSchema, { executorPid: 4711 });
    run([member("one")]);
    await running("one");
    await restart();
    test.machine.nestedOf("one")?.end(0);
    const { containerStatus } = await test.master.status("one", TASK_FINISHED);
    const [, started] = test.master.statusesOf("one");
    for (const told of [started?.containerStatus, containerStatus]) {
      expect(told?.executorPid).toBe(4711);
      expect(told?.containerId?.parent?.value).toBe(started?.containerStatus?.containerId?.parent?.value);
    }
  });

  it("whose end nobody can tell has failed, and says so", async () => {
    run([member("one"), member("two")]);
    await running("one", "two");
    test.machine.nestedOf("one")?.lose(new Error("the record is damaged"));
    expect((await test.master.status("one", TASK_FAILED)).message).toContain("the record is damaged");
    await test.master.status("two", TASK_KILLED);
  });

  it("that is over its time fails without TASK_KILLING, whatever its exit code", async () => {
    const capabilities = [FrameworkInfo_Capability_Type.TASK_KILLING_STATE];
    run([member("one", { maxCompletionTime: { nanoseconds: 3n * SECOND } })], {
      framework: framework({ capabilities }),
    });
    await running("one");
    await test.clock.advance(2_999);
    expect(stops()).toEqual([]);
    await test.clock.advance(1);
    const { reason } = await test.master.status("one", TASK_FAILED);
    expect(reason).toBe(TaskStatus_Reason.MAX_COMPLETION_TIME_REACHED);
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_FAILED]);
    expect(stops()).toEqual(["stop one 0"]);
  });

  it("that came alone ends alone", async () => {
    const [one, two] = [executorTask("one", DEFAULT), executorTask("two", DEFAULT)];
    test.run(one);
    test.run(two, { launchExecutor: false });
    await running("one", "two");
    const [first] = [...test.machine.nested.values()];
    first?.end(1 << 8);
    await test.master.status("one", TASK_FAILED);
    await test.master.quiet();
    expect(test.master.statesOf("two")).toEqual([TASK_STARTING, TASK_RUNNING]);
  });

  it("is told healthy, and no more once it is being killed", async () => {
    const check = { type: HealthCheck_Type.COMMAND, command: { value: "check" }, delaySeconds: 0, intervalSeconds: 1 };
    run([member("one", { healthCheck: check })]);
    await running("one");
    await test.clock.advance(1);
    await until("healthy", () => test.master.statusesOf("one").some(({ healthy }) => healthy === true));
    test.machine.obeys = false;
    test.killTask("one");
    await test.master.quiet();
    test.machine.run = () => 1;
    const before = test.master.statusesOf("one").length;
    for (let second = 0; second < 5; second++) await test.clock.advance(1_000);
    await test.master.quiet();
    expect(test.master.statusesOf("one")).toHaveLength(before);
  });

  it("gets no messages of its framework, and runs on", async () => {
    run([member("one")]);
    await running("one");
    test.master.send(FrameworkToExecutorMessageSchema, {
      agentId: { value: "S0" },
      frameworkId: { value: FRAMEWORK },
      executorId: { value: "default" },
      data: new Uint8Array([1]),
    });
    await test.master.quiet();
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING, TASK_RUNNING]);
  });
});

describe("a restart of the agent", () => {
  it("finds that the executor's container is gone, and its tasks with it", async () => {
    run([member("one"), member("two")]);
    await running("one", "two");
    await restart(() => test.machine.containers.clear());
    for (const id of ["one", "two"])
      expect((await test.master.status(id, TASK_FAILED)).message).toContain("The executor's container is gone");
  });

  it("asks again for the end of what was to be killed", async () => {
    test.machine.obeys = false;
    run([member("one")]);
    await running("one");
    test.killTask("one", 6_000);
    await test.master.quiet();
    test.machine.obeys = true;
    await restart();
    await test.master.status("one", TASK_KILLED);
    expect(stops()).toEqual(["stop one 6000", "stop one 6000"]);
  });

  it("does not start what was killed before it ran", async () => {
    test.machine.afterNestedStart = new Promise(() => undefined);
    run([member("one"), member("two")]);
    await test.master.status("one", TASK_STARTING);
    test.killTask("one");
    await restart(() => {
      test.machine.afterNestedStart = undefined;
      test.machine.nested.clear();
    });
    for (const id of ["one", "two"]) await test.master.status(id, TASK_KILLED);
    expect(test.machine.nested.size).toBe(0);
  });

  it("goes on with a launch that was in the middle", async () => {
    const { promise: never } = Promise.withResolvers<void>();
    test.machine.nestedPull = never;
    run([member("one"), member("two")]);
    await test.master.status("one", TASK_STARTING);
    await restart(() => {
      test.machine.nestedPull = undefined;
    });
    await running("one", "two");
    test.machine.nestedOf("one")?.end(0);
    await test.master.status("one", TASK_FINISHED);
  });

  it("counts a task's time from its start, not from its own", async () => {
    run([member("one", { maxCompletionTime: { nanoseconds: 10n * SECOND } })]);
    await running("one");
    await test.clock.advance(6_000);
    await restart();
    await test.clock.advance(3_900);
    expect(stops()).toEqual([]);
    await test.clock.advance(100);
    await test.master.status("one", TASK_FAILED);
  });

  it("ends an executor that has no tasks left", async () => {
    run([member("one")]);
    await running("one");
    await restart(() => test.machine.nestedOf("one")?.end(0));
    await test.master.status("one", TASK_FINISHED);
    await until("the end of its container", () => test.machine.running === 0);
  });

  it("tells TASK_KILLING once", async () => {
    const capabilities = [FrameworkInfo_Capability_Type.TASK_KILLING_STATE];
    test.machine.obeys = false;
    run([member("one")], { framework: framework({ capabilities }) });
    await running("one");
    test.killTask("one");
    await test.master.status("one", TASK_KILLING);
    test.killTask("one");
    await test.master.quiet();
    await restart();
    await test.master.quiet();
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_KILLING]);
  });
});
