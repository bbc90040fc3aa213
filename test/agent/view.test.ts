import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { enginesOf, snapshotOf, troublesOf, usageOf } from "../../src/agent/agent-view.ts";
import { checkpointFiles } from "../../src/agent/model/files.ts";
import { endTasks } from "../../src/agent/tasks/leaving.ts";
import { silentLogger } from "../../src/base/log.ts";
import { answerPace } from "../../src/http/paced-body.ts";
import { DrainSlaveMessageSchema } from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { ResourceStatisticsSchema, TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest, commandTask, EXECUTOR, executorTask, framework } from "../support/agent-under-test.ts";
import { until } from "../support/scripted-master.ts";

const { TASK_RUNNING, TASK_FINISHED } = TaskState;

let test: AgentUnderTest;

beforeEach(async () => {
  test = await AgentUnderTest.registered();
});
afterEach(() => test.close());

describe("an agent is shown", () => {
  it("with who it is, who leads, and what runs", async () => {
    await test.running("one", TASK_RUNNING);
    expect(snapshotOf(test.node.viewed)).toMatchObject({
      phase: "RUNNING",
      info: { id: { value: "S0" } },
      pid: `slave(1)@127.0.0.1:${test.port}`,
      masterHostname: "127.0.0.1",
      masterAddress: `127.0.0.1:${test.master.info.port}`,
      drain: undefined,
      frameworks: [{ frameworkId: "F" }],
      completedFrameworks: [],
      operations: [],
    });
    expect(snapshotOf(test.node.viewed).total.scalar("cpus")).toBe(10);
    test.loseLeader();
    expect(snapshotOf(test.node.viewed)).toMatchObject({ masterHostname: undefined, masterAddress: undefined });
  });

  it("with the drain that it is in, since when", async () => {
    test.machine.obeys = false;
    await test.running("one", TASK_RUNNING);
    const begun = test.clock.now();
    test.master.send(DrainSlaveMessageSchema, { config: { markGone: true } });
    await until("the drain", () => snapshotOf(test.node.viewed).drain);
    await test.clock.advance(60_000);
    expect(snapshotOf(test.node.viewed).drain).toMatchObject({ config: { markGone: true }, since: begun });
  });
});

describe("what containers use is shown", () => {
  const statistics = create(ResourceStatisticsSchema, { timestamp: 1, memRssBytes: 42n });
  const shown = () => usageOf(test.node.viewed);

  it("of each that runs", async () => {
    test.machine.usage = async () => statistics;
    await test.running("one", TASK_RUNNING, {}, commandTask("one"));
    expect(await shown()).toMatchObject([
      { frameworkId: "F", executorId: "one", source: "one", statistics: { memRssBytes: 42n }, status: {} },
    ]);
  });

  it("not of one that ended and waits for its acknowledgement", async () => {
    test.master.acknowledges = ({ status }) => status?.state !== TASK_FINISHED;
    await test.running("one", TASK_RUNNING);
    test.machine.containerOf("one")?.end(0);
    await test.master.status("one", TASK_FINISHED);
    expect(await shown()).toEqual([]);
  });

  it("without figures when measuring fails, or takes longer than five seconds", async () => {
    await test.running("one", TASK_RUNNING);
    test.machine.usage = () => Promise.reject(new Error("gone"));
    expect(await shown()).toMatchObject([{ statistics: undefined }]);
    test.machine.usage = () => new Promise(() => undefined);
    let answered = false;
    const late = shown().then((usage) => {
      answered = true;
      return usage;
    });
    await test.clock.advance(4_999);
    expect(answered).toBe(false);
    await test.clock.advance(1);
    expect(await late).toMatchObject([{ executorId: "one", statistics: undefined }]);
  });

  it("in turns: of many, those whose turn comes when the time is over keep nobody waiting either", async () => {
    for (const id of ["one", "two", "three"]) await test.running(id, TASK_RUNNING);
    let begun = 0;
    test.machine.usage = () => {
      begun++;
      return new Promise(() => undefined);
    };
    // A turn in which others have taken all.
    const others = Promise.all(Array.from({ length: 257 }, () => answerPace.take()));
    const all = shown();
    expect(begun).toBe(0);
    await test.clock.advance(5_000);
    expect(await all).toHaveLength(3);
    expect(begun).toBe(3);
    await others;
  });
});

it("engines are shown, and what is wrong with them", async () => {
  expect(await enginesOf(test.node.viewed)).toEqual([{ name: "mesos", version: undefined, trouble: undefined }]);
  const fine = { trouble: undefined };
  expect(troublesOf(test.node.viewed, fine).size).toBe(0);
  test.machine.trouble = "the daemon hangs";
  expect(await enginesOf(test.node.viewed)).toMatchObject([{ trouble: "the daemon hangs" }]);
  expect([...troublesOf(test.node.viewed, { trouble: "a disk hangs" })]).toEqual([
    ["containerizer/mesos", "the daemon hangs"],
    ["files", "a disk hangs"],
  ]);
});

it("a checkpoint that cannot be written is a trouble, until it can", async () => {
  let full = true;
  const append = async (path: string, data: Uint8Array, durable: boolean): Promise<void> => {
    if (full && path.endsWith("task.updates")) throw new Error("no space left on device");
    await checkpointFiles.append(path, data, durable);
  };
  await test.restart({ files: { ...checkpointFiles, append } });
  await test.running("one", TASK_RUNNING);
  const troubles = () => troublesOf(test.node.viewed, { trouble: undefined });
  expect(troubles().get("checkpoints")).toMatch(/^cannot checkpoint in .*task\.updates: no space left on device$/);
  full = false;
  await test.clock.advance(30_000);
  await until("the end of it", () => troubles().size === 0);
});

describe("gauges", () => {
  const figure = async (name: string): Promise<number | undefined> =>
    (await test.node.metrics.snapshot(undefined)).get(name);

  it("follow the agent", async () => {
    test.machine.obeys = false;
    await test.running("one", TASK_RUNNING);
    test.run(executorTask("two"));
    await until("container", () => test.machine.containerOf(EXECUTOR));
    const before = await figure("slave/uptime_secs");
    await test.clock.advance(5_000);
    expect(await figure("slave/uptime_secs")).toBeCloseTo((before ?? 0) + 5);
    expect(await figure("slave/registered")).toBe(1);
    expect(await figure("slave/tasks_running")).toBe(1);
    expect(await figure("slave/tasks_staging")).toBe(1);
    expect(await figure("slave/executors_registering")).toBe(1);
    expect(await figure("slave/executors_running")).toBe(1);
    expect(await figure("slave/frameworks_active")).toBe(1);
    expect(await figure("slave/cpus_total")).toBe(10);
    expect(await figure("slave/cpus_used")).toBeCloseTo(0.2);
    expect(await figure("slave/valid_status_updates")).toBe(2);
    test.loseLeader();
    expect(await figure("slave/registered")).toBe(0);
  });

  it("say how long the recovery took", async () => {
    const driver = await test.driver();
    test.run(executorTask("one"));
    await until("container", () => test.machine.containerOf(EXECUTOR));
    driver.register();
    await until("run", () => driver.received.includes("run one"));
    driver.returns = false;
    await test.kill();
    const started = test.start();
    await until("reconnect", () => driver.received.includes("reconnect"));
    await test.clock.advance(2_000);
    await started;
    expect(await figure("slave/recovery_time_secs")).toBe(2);
  });
});

describe("an agent that leaves", () => {
  const leave = (everything: boolean) =>
    endTasks({ clock: test.clock, log: silentLogger, registry: test.node.viewed.registry }, { everything });
  const stops = () => test.machine.asked.filter((what) => what.startsWith("stop"));

  it("ends what may not outlive it, and nothing else", async () => {
    await test.running("one", TASK_RUNNING);
    await test.running("two", TASK_RUNNING, { framework: framework({ id: "G", checkpoint: false }) });
    await leave(false);
    expect([stops(), test.machine.running]).toEqual([["stop two 800"], 1]);
  });

  it("ends everything when its master goes with it", async () => {
    await test.running("one", TASK_RUNNING);
    await leave(true);
    expect([stops(), test.machine.running]).toEqual([["stop one 800"], 0]);
  });

  it("waits for no container longer than 1.7 s", async () => {
    test.machine.obeys = false;
    await test.running("one", TASK_RUNNING);
    let left = false;
    const leaving = leave(true).then(() => {
      left = true;
    });
    await test.clock.advance(1_699);
    expect(left).toBe(false);
    await test.clock.advance(1);
    await leaving;
  });
});
