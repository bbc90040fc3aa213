import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkpointFiles } from "../../src/agent/model/files.ts";
import {
  DrainSlaveMessageSchema,
  UpdateFrameworkMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import {
  AgentUnderTest,
  commandTask,
  EXECUTOR,
  executorTask,
  FRAMEWORK,
  framework,
} from "../support/agent-under-test.ts";
import { until } from "../support/scripted-master.ts";

const { TASK_RUNNING, TASK_FINISHED, TASK_KILLED } = TaskState;

let test: AgentUnderTest;

beforeEach(async () => {
  test = await AgentUnderTest.registered();
});
afterEach(() => test.close());

/** A task that runs, ends, and is acknowledged. */
async function over(id: string, frameworkId: string, options = {}): Promise<void> {
  await test.running(id, TASK_RUNNING, { framework: framework({ id: frameworkId }), ...options });
  await test.clock.advance(1_000);
  test.machine.containerOf(id)?.end(0);
  await test.master.status(id, TASK_FINISHED);
  await test.master.quiet();
}

/** Tasks of frameworks that are over, as a new master is told. */
const told = () =>
  (test.master.reregistrations.at(-1)?.completedFrameworks ?? []).map(({ frameworkInfo, tasks }) => [
    frameworkInfo?.id?.value,
    ...tasks.map(({ taskId }) => taskId?.value),
  ]);

describe("what is over", () => {
  it("is told in the order of its end, before and after a restart", async () => {
    await over("z", "Z");
    await over("a", "M");
    await over("c", "A");
    await over("b", "M");
    const expected = [
      ["Z", "z"],
      ["A", "c"],
      ["M", "a", "b"],
    ];
    test.loseLeader();
    await test.register();
    expect(told()).toEqual(expected);
    await test.restart();
    expect(told()).toEqual(expected);
  });

  it("is told beside what runs of the same framework", async () => {
    await test.running("lives", TASK_RUNNING);
    await over("a", FRAMEWORK);
    await test.restart();
    expect(told()).toEqual([[FRAMEWORK, "a"]]);
    expect(test.master.reregistrations.at(-1)?.tasks.map(({ taskId }) => taskId?.value)).toEqual(["lives"]);
  });

  it("has its scheduler's address", async () => {
    await over("a", FRAMEWORK, { pid: "scheduler-1@10.0.0.1:9999" });
    test.loseLeader();
    await test.register();
    expect(test.master.reregistrations[0]?.completedFrameworks).toMatchObject([{ pid: "scheduler-1@10.0.0.1:9999" }]);
  });

  it("is kept of the newest executors of a framework, before and after a restart", async () => {
    await test.restart({ flags: ["--max_completed_executors_per_framework=2"] });
    await test.running("lives", TASK_RUNNING);
    for (const id of ["c", "a", "b"]) await over(id, FRAMEWORK);
    test.loseLeader();
    await test.register();
    expect(told()).toEqual([[FRAMEWORK, "a", "b"]]);
    await test.restart({ flags: ["--max_completed_executors_per_framework=2"] });
    expect(told()).toEqual([[FRAMEWORK, "a", "b"]]);
  });
});

describe("an end that was not acknowledged before a restart", () => {
  it("is all that is left to do for a container that is gone", async () => {
    test.master.acknowledges = ({ status }) => status?.state !== TASK_FINISHED;
    await test.running("one", TASK_RUNNING);
    test.machine.containerOf("one")?.end(0);
    await test.master.status("one", TASK_FINISHED);
    await test.master.quiet();
    await test.kill();
    test.machine.containers.clear();
    test.master.acknowledges = () => true;
    await test.start();
    await test.register();
    await until("garbage", () =>
      [...test.node.garbage.scheduled].some((path) => path.endsWith(`frameworks/${FRAMEWORK}`)),
    );
    expect(test.master.statesOf("one").at(-1)).toBe(TASK_FINISHED);
    expect(new Set(test.master.statesOf("one")).size).toBe(3);
  });
});

describe("a disk that is full", () => {
  const failing = (end: string) => ({
    ...checkpointFiles,
    replace: (path: string, data: Uint8Array | string) => {
      if (path.endsWith(end)) throw new Error("no space left on device");
      checkpointFiles.replace(path, data);
    },
    create: (path: string, data: Uint8Array | string) => {
      if (path.endsWith(end)) throw new Error("no space left on device");
      checkpointFiles.create(path, data);
    },
    replaceDurably: async (path: string, data: Uint8Array | string) => {
      if (path.endsWith(end)) throw new Error("no space left on device");
      await checkpointFiles.replaceDurably(path, data);
    },
    touch: (path: string) => {
      if (path.endsWith(end)) throw new Error("no space left on device");
      checkpointFiles.touch(path);
    },
  });

  it("keeps an agent from starting, with the folder and the fix", async () => {
    await test.kill();
    await expect(test.start({ files: failing("boot_id") })).rejects.toMatchObject({
      message: expect.stringContaining("boot_id: no space left on device"),
      fix: expect.stringContaining("--work_dir on a disk that has room"),
    });
  });

  it("does not keep a task from being killed", async () => {
    await test.restart({ files: failing("kill") });
    await test.running("one", TASK_RUNNING);
    test.killTask("one");
    await test.master.status("one", TASK_KILLED);
  });

  it("does not keep the agent from draining", async () => {
    await test.restart({ files: failing("drain.config") });
    await test.running("one", TASK_RUNNING);
    test.master.send(DrainSlaveMessageSchema, { config: {} });
    await test.master.status("one", TASK_KILLED);
  });

  it("does not keep an executor from registering, nor from coming back while the agent lives", async () => {
    await test.restart({ files: failing("libprocess.pid") });
    const driver = await test.driver();
    test.run(executorTask("one"));
    await until("container", () => test.machine.containerOf(EXECUTOR));
    driver.register();
    await until("run", () => driver.received.includes("run one"));
    driver.update("one", TASK_RUNNING, "S0");
    await test.master.status("one", TASK_RUNNING);
  });

  it("does not keep an HTTP executor from subscribing", async () => {
    await test.restart({ files: failing("http.marker") });
    test.run(executorTask("one"));
    await until("container", () => test.machine.containerOf(EXECUTOR));
    const executor = test.httpExecutor();
    expect(await executor.subscribeOnce()).toBe(200);
    await until("launch", () => executor.events.some(({ launch }) => launch !== undefined));
  });

  it("does not keep a scheduler that failed over from its updates", async () => {
    await test.running("one", TASK_RUNNING, { framework: framework() }, commandTask("one"));
    await test.master.quiet();
    await test.restart({ files: failing("framework.info") });
    test.master.acknowledges = () => false;
    test.machine.containerOf("one")?.end(0);
    await test.master.status("one", TASK_FINISHED);
    const before = test.master.countOf("one");
    await test.clock.advance(5_000);
    test.master.send(UpdateFrameworkMessageSchema, { frameworkId: { value: FRAMEWORK }, pid: "" });
    await until("the update once more", () => test.master.countOf("one") === before + 1);
  });

  it("does not keep an executor that is over from going", async () => {
    await test.restart({ files: failing("executor.sentinel") });
    await over("one", FRAMEWORK);
    await until("garbage", () =>
      [...test.node.garbage.scheduled].some((path) => path.endsWith(`frameworks/${FRAMEWORK}`)),
    );
  });
});
