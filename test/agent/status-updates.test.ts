import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkpointFiles } from "../../src/agent/model/files.ts";
import { UpdateFrameworkMessageSchema } from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { FrameworkInfo_Capability_Type, TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest, commandTask, FRAMEWORK, framework } from "../support/agent-under-test.ts";
import { until } from "../support/scripted-master.ts";

const { TASK_STARTING, TASK_RUNNING, TASK_FINISHED, TASK_LOST } = TaskState;

let test: AgentUnderTest;

beforeEach(async () => {
  test = await AgentUnderTest.open();
});
afterEach(() => test.close());

async function registered(options = {}): Promise<void> {
  await test.start(options);
  await test.register();
}

/** The last update that came, acknowledged. */
function acknowledgeLast(): void {
  const update = test.master.updates.at(-1)?.update;
  if (update !== undefined) test.master.acknowledge(update);
}

describe("the updates of a task", () => {
  it("go out one by one, each when the one before is acknowledged", async () => {
    test.master.acknowledges = () => false;
    await registered();
    await test.running("one", TASK_STARTING);
    await test.master.quiet();
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING]);
    acknowledgeLast();
    await test.master.status("one", TASK_RUNNING);
    test.machine.containerOf("one")?.end(0);
    await test.master.quiet();
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING, TASK_RUNNING]);
    acknowledgeLast();
    await test.master.status("one", TASK_FINISHED);
  });

  it("say how the task is by now, and where the agent is", async () => {
    test.master.acknowledges = () => false;
    await registered();
    await test.running("one", TASK_STARTING);
    expect(test.master.updates[0]).toMatchObject({
      pid: `slave(1)@127.0.0.1:${test.port}`,
      update: { latestState: TASK_RUNNING, agentId: { value: "S0" }, executorId: { value: "one" } },
    });
  });

  it("are sent again after 10 s, 20 s, 40 s …, the next one after 10 s again", async () => {
    test.master.acknowledges = () => false;
    await registered();
    await test.running("one", TASK_STARTING);
    for (const [wait, count] of [
      [9_999, 1],
      [1, 2],
      [19_999, 2],
      [1, 3],
    ] as const) {
      await test.clock.advance(wait);
      await test.master.quiet();
      expect(test.master.countOf("one")).toBe(count);
    }
    acknowledgeLast();
    await test.master.status("one", TASK_RUNNING);
    const before = test.master.countOf("one");
    await test.clock.advance(10_000);
    await until("the second time", () => test.master.countOf("one") === before + 1);
  });

  it("wait no longer than ten minutes for another try", async () => {
    test.master.acknowledges = () => false;
    await registered();
    await test.running("one", TASK_STARTING);
    for (let hour = 0; hour < 2; hour++) await test.clock.advance(3_600_000);
    await test.master.quiet();
    const before = test.master.countOf("one");
    await test.clock.advance(600_000);
    await until("another try", () => test.master.countOf("one") > before);
  });

  it("are not acknowledged by another uuid, nor by one that is none", async () => {
    test.master.acknowledges = () => false;
    await registered();
    await test.running("one", TASK_STARTING);
    const update = test.master.updates[0]?.update;
    if (update === undefined) throw new Error("no update");
    for (const uuid of [new Uint8Array(16), new Uint8Array(3)]) test.master.acknowledge({ ...update, uuid });
    await test.master.quiet();
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING]);
  });

  it("wait until the acknowledgement of the one before is written down", async () => {
    const disk = Promise.withResolvers<void>();
    let writes = 0;
    const append = async (path: string, data: Uint8Array, durable: boolean): Promise<void> => {
      // TASK_STARTING and TASK_RUNNING themselves are the first.
      if (path.endsWith("task.updates") && ++writes === 2) await disk.promise;
      await checkpointFiles.append(path, data, durable);
    };
    test.master.acknowledges = () => false;
    await registered({ files: { ...checkpointFiles, append } });
    await test.running("one", TASK_STARTING);
    await until("both updates on disk", () => writes === 1);
    acknowledgeLast();
    await until("the acknowledgement's write", () => writes === 2);
    await test.master.quiet();
    // Not by a retry, nor because its scheduler failed over.
    await test.clock.advance(60_000);
    test.master.send(UpdateFrameworkMessageSchema, { frameworkId: { value: FRAMEWORK }, pid: "" });
    await test.master.quiet();
    await test.clock.advance(10_000);
    await test.master.quiet();
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING]);
    disk.resolve();
    await test.master.status("one", TASK_RUNNING);
  });

  it("are written down before they are sent", async () => {
    const disk = Promise.withResolvers<void>();
    const append = async (path: string, data: Uint8Array, durable: boolean): Promise<void> => {
      if (path.endsWith("task.updates")) await disk.promise;
      await checkpointFiles.append(path, data, durable);
    };
    await registered({ files: { ...checkpointFiles, append } });
    test.run(commandTask("one"));
    await until("container", () => test.machine.running === 1);
    await test.master.quiet();
    expect(test.master.updates).toEqual([]);
    disk.resolve();
    await test.master.status("one", TASK_RUNNING);
  });

  it("go out all the same when they cannot be written, and are written later", async () => {
    let full = true;
    let failures = 0;
    const append = async (path: string, data: Uint8Array, durable: boolean): Promise<void> => {
      if (full && path.endsWith("task.updates")) {
        failures++;
        throw new Error("no space left on device");
      }
      await checkpointFiles.append(path, data, durable);
    };
    await registered({ files: { ...checkpointFiles, append } });
    await test.running("one", TASK_RUNNING);
    expect(failures).toBeGreaterThan(0);
    const updates = [
      "meta",
      "slaves",
      "S0",
      "frameworks",
      FRAMEWORK,
      "executors",
      "one",
      "runs",
      "*",
      "tasks",
      "one",
      "task.updates",
    ];
    expect(test.has(...updates)).toBe(false);
    full = false;
    await test.clock.advance(30_000);
    await until("update file", () => test.has(...updates));
  });
});

describe("without a master", () => {
  it("nothing goes out; all heads do when there is one again", async () => {
    test.master.acknowledges = ({ status }) => status?.state !== TASK_FINISHED;
    await registered();
    await test.running("one", TASK_RUNNING);
    test.loseLeader();
    test.machine.containerOf("one")?.end(0);
    await test.clock.advance(120_000);
    await test.master.quiet();
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING, TASK_RUNNING]);
    await test.register();
    await test.master.status("one", TASK_FINISHED);
  });

  it("what is acknowledged is not sent again when there is one again", async () => {
    await registered();
    await test.running("one", TASK_RUNNING);
    await test.master.quiet();
    const before = test.master.countOf("one");
    test.loseLeader();
    await test.register();
    expect(test.master.countOf("one")).toBe(before);
  });
});

describe("a scheduler that failed over", () => {
  it("gets again what is not acknowledged, but not what went out this moment", async () => {
    test.master.acknowledges = () => false;
    await registered();
    await test.running("one", TASK_STARTING);
    test.master.send(UpdateFrameworkMessageSchema, { frameworkId: { value: FRAMEWORK }, pid: "" });
    await test.master.quiet();
    expect(test.master.countOf("one")).toBe(1);
    await test.clock.advance(1_000);
    await until("the second time", () => test.master.countOf("one") === 2);
    await test.clock.advance(5_000);
    test.master.send(UpdateFrameworkMessageSchema, { frameworkId: { value: FRAMEWORK }, pid: "" });
    await until("the third time", () => test.master.countOf("one") === 3);
  });

  it("of another framework changes nothing", async () => {
    test.master.acknowledges = () => false;
    await registered();
    await test.running("one", TASK_STARTING);
    await test.clock.advance(5_000);
    test.master.send(UpdateFrameworkMessageSchema, { frameworkId: { value: "other" }, pid: "" });
    await test.master.quiet();
    expect(test.master.countOf("one")).toBe(1);
  });
});

describe("tasks that only the master knows", () => {
  const reconciliation = (capabilities: readonly FrameworkInfo_Capability_Type[] | undefined) => ({
    frameworkId: { value: "other" },
    statuses: [{ taskId: { value: "lost" }, state: TASK_RUNNING }],
    ...(capabilities && { framework: { ...framework({ id: "other", capabilities: [...capabilities] }) } }),
  });

  it.each([
    ["TASK_DROPPED", [FrameworkInfo_Capability_Type.PARTITION_AWARE], TaskState.TASK_DROPPED],
    ["TASK_LOST", [], TASK_LOST],
    ["TASK_LOST of an old master", undefined, TASK_LOST],
  ] as const)("are answered %s at re-registration", async (_name, capabilities, state) => {
    await registered();
    test.loseLeader();
    test.master.reconciliations = [reconciliation(capabilities)] as never;
    await test.register();
    expect(await test.master.status("lost", state)).toMatchObject({
      reason: 9,
      message: "Reconciliation: task unknown to the agent",
    });
  });

  it("that run here are not", async () => {
    await registered();
    await test.running("one", TASK_RUNNING);
    test.loseLeader();
    test.master.reconciliations = [
      { frameworkId: { value: FRAMEWORK }, statuses: [{ taskId: { value: "one" }, state: TASK_RUNNING }] },
    ];
    await test.register();
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING, TASK_RUNNING]);
  });
});
