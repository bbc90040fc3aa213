import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ShutdownFrameworkMessageSchema } from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { FrameworkInfo_Capability_Type, HealthCheck_Type, TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest, commandTask, framework } from "../support/agent-under-test.ts";
import { until } from "../support/scripted-master.ts";

const { TASK_STARTING, TASK_RUNNING, TASK_FINISHED, TASK_FAILED, TASK_KILLED, TASK_KILLING } = TaskState;

/** Task groups of the default executor, which the agent itself is. */
let test: AgentUnderTest;
beforeEach(async () => {
  test = await AgentUnderTest.registered();
});
afterEach(() => test.close());

type Task = ReturnType<typeof commandTask>;
const member = (id: string, more: Partial<Task> = {}): Task => commandTask(id, { command: { value: id }, ...more });
/** Mesos' ExecutorInfo_Type.DEFAULT */
const DEFAULT = { type: 1, executorId: { value: "default" }, frameworkId: { value: "F" } } as const;
const run = (tasks: readonly Task[], options: Parameters<AgentUnderTest["runGroup"]>[1] = {}) =>
  test.runGroup(tasks, { executor: DEFAULT, ...options });
const end = (id: string, status: number): void => test.machine.nestedOf(id)?.end(status);
const running = async (...ids: readonly string[]) => {
  for (const id of ids) await test.master.status(id, TASK_RUNNING);
};
const gone = () => until("the executor's end", () => test.master.exited.length > 0);

describe("a task group of the default executor", () => {
  it("runs without an executor process, each task in a container within the executor's", async () => {
    run([member("one"), member("two")]);
    await running("one", "two");
    const root = test.machine.containerOf("default");
    expect(root?.spec).toMatchObject({ processless: true });
    const statuses = test.master.statusesOf("one");
    expect(statuses.map(({ state }) => state)).toEqual([TASK_STARTING, TASK_RUNNING]);
    for (const { containerStatus, executorId } of statuses) {
      expect(containerStatus?.containerId?.parent?.value).toBe(root?.spec.containerId);
      expect(executorId?.value).toBe("default");
    }
    expect(test.master.statusesOf("two")[0]?.containerStatus?.containerId?.value).not.toBe(
      statuses[0]?.containerStatus?.containerId?.value,
    );
    end("one", 0);
    await test.master.status("one", TASK_FINISHED);
    expect(test.master.exited).toEqual([]);
    end("two", 0);
    await test.master.status("two", TASK_FINISHED);
    await gone();
    expect(test.machine.running).toBe(0);
  });

  it("ends when one of it fails, with words for each", async () => {
    const capabilities = [FrameworkInfo_Capability_Type.TASK_KILLING_STATE];
    run([member("one"), member("two"), member("three")], { framework: framework({ capabilities }) });
    await running("one", "two", "three");
    end("two", 7 << 8);
    await test.master.status("two", TASK_FAILED);
    for (const id of ["one", "three"]) {
      await test.master.status(id, TASK_KILLED);
      expect(test.master.statesOf(id)).toEqual([TASK_STARTING, TASK_RUNNING, TASK_KILLING, TASK_KILLED]);
    }
    await gone();
  });

  it("does not end another group of the same executor", async () => {
    run([member("one")]);
    await running("one");
    run([member("two"), member("three")], { launchExecutor: false });
    await running("two", "three");
    end("two", 1 << 8);
    await test.master.status("three", TASK_KILLED);
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING, TASK_RUNNING]);
    end("one", 0);
    await gone();
  });

  it("ends when one of it is killed, each with its own grace", async () => {
    run([member("one"), member("two", { killPolicy: { gracePeriod: { nanoseconds: 7_000_000_000n } } })]);
    await running("one", "two");
    test.killTask("one", 5_000);
    await test.master.status("two", TASK_KILLED);
    expect(test.machine.asked.filter((what) => what.startsWith("stop"))).toEqual(["stop one 5000", "stop two 7000"]);
  });

  it("ends when one of it cannot be started, and says why", async () => {
    test.machine.nestedFailure = { command: "two", message: "no such thing" };
    run([member("one"), member("two")]);
    expect((await test.master.status("two", TASK_FAILED)).message).toBe("no such thing");
    await test.master.status("one", TASK_KILLED);
    expect(test.master.statesOf("two")).toEqual([TASK_STARTING, TASK_FAILED]);
  });

  it("has its checks and its time", async () => {
    const healthCheck = {
      type: HealthCheck_Type.COMMAND,
      command: { value: "check" },
      delaySeconds: 0,
      gracePeriodSeconds: 0,
      consecutiveFailures: 1,
    };
    test.machine.run = () => 1;
    run([member("one", { healthCheck }), member("two", { maxCompletionTime: { nanoseconds: 1_000_000_000n } })]);
    await running("one", "two");
    await test.clock.advance(1);
    await until("the check", () => test.machine.commands.includes("check"));
    expect((await test.master.status("one", TASK_KILLED)).healthy).toBe(false);
  });
});

describe("a restart of the agent", () => {
  it("changes nothing for those that run, and tells the ends that came meanwhile", async () => {
    run([member("one"), member("two"), member("three")]);
    await running("one", "two", "three");
    await test.master.quiet();
    await test.kill();
    end("two", 0);
    await test.start();
    await test.register();
    await test.master.status("two", TASK_FINISHED);
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING, TASK_RUNNING]);
    end("three", 5 << 8);
    await test.master.status("one", TASK_KILLED);
    await gone();
  });

  it("goes on with a group whose tasks were not all launched", async () => {
    run([member("one"), member("two")]);
    await running("one", "two");
    await test.master.quiet();
    await test.kill();
    const lost = [...test.machine.nested].find(([, { order }]) => order.command?.value === "two");
    test.machine.nested.delete(lost?.[0] ?? "");
    await test.start();
    await test.register();
    // It had run: what became of it nobody can say.
    expect((await test.master.status("two", TASK_FAILED)).message).toContain("termination information");
    await test.master.status("one", TASK_KILLED);
  });
});

it("a framework that goes takes its groups with it", async () => {
  run([member("one"), member("two")]);
  await running("one", "two");
  test.master.send(ShutdownFrameworkMessageSchema, { frameworkId: { value: "F" } });
  await until("nothing runs", () => test.machine.running === 0);
});
