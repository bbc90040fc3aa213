import { beforeEach, describe, expect, it } from "vitest";
import { settle, TestClock } from "../../../test/support/test-clock.ts";
import { silentLogger } from "../../base/log.ts";
import { TaskState } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ContainerTermination } from "../model/container.ts";
import type { ExecutorRecord, FrameworkRecord, TaskRecord } from "../model/records.ts";
import { terminationStatus } from "./ending.ts";
import { ExecutorProcesses, type ExecutorProcessesOptions } from "./executor-processes.ts";

/*
 * A C++ agent was killed, and this one started in its place: the Docker tasks of that one have executors, processes of their
 * own beside the containers.
 */
let clock: TestClock;
let ended: PromiseWithResolvers<ContainerTermination>;
let told: ContainerTermination[];
let processes: ExecutorProcesses;

beforeEach(() => {
  clock = new TestClock();
  ended = Promise.withResolvers();
  told = [];
  processes = new ExecutorProcesses({
    ...{ clock, log: silentLogger, registrationTimeout: 60_000, shutdownGrace: 5_000, reregistrationTimeout: 2_000 },
    runner: { wait: () => ended.promise, status: async () => undefined, destroy: async () => undefined },
    events: { terminated: (_framework: unknown, _executor: unknown, end: ContainerTermination) => void told.push(end) },
  } as unknown as ExecutorProcessesOptions);
});

const task = { taskId: "task", bucket: "launched" } as unknown as TaskRecord;
const executorOf = (containerizer: string, generated = true): ExecutorRecord =>
  ({
    ...{ containerId: "c", executorId: "task", kind: "process", generated, containerizer: { name: containerizer } },
    tasks: new Map([["task", { ...task }]]),
  }) as unknown as ExecutorRecord;
const framework = {} as FrameworkRecord;
const acknowledged: unknown[] = [];
const channel = {
  close: () => undefined,
  acknowledge: (update: unknown) => void acknowledged.push(update),
} as never;

async function recovered(executor: ExecutorRecord, isBack = true): Promise<ExecutorRecord> {
  processes.recover(framework, executor, true);
  if (isBack) expect(processes.connect(executor, channel)).toBe(true);
  await settle();
  return executor;
}
async function ends(status: number): Promise<void> {
  ended.resolve({ status, message: `Container exited with status ${status >> 8}` });
  await settle();
}

describe("the container of a C++ agent's Docker task has ended", () => {
  it("and its executor has its say before its tasks are told", async () => {
    const executor = await recovered(executorOf("docker"));
    await ends(137 << 8);
    await clock.advance(4_999);
    expect([told, processes.tracks(executor)]).toEqual([[], true]);
    await clock.advance(1);
    expect([told.length, processes.tracks(executor)]).toEqual([1, false]);
  });

  it("and its executor, which has told of that before, still hears the acknowledgement", async () => {
    const executor = executorOf("docker");
    executor.tasks.set("task", { ...task, bucket: "terminated" });
    await recovered(executor);
    await ends(0);
    const update = {} as never;
    processes.acknowledge(executor, update);
    expect(acknowledged).toEqual([update]);
  });

  it("and it is the task's own end, when the executor says nothing", async () => {
    await recovered(executorOf("docker"));
    await ends(0);
    await clock.advance(5_000);
    const [end] = told as [ContainerTermination];
    expect(terminationStatus(end, true, false)).toMatchObject({
      state: TaskState.TASK_FINISHED,
      message: "Container exited with status 0",
    });
  });

  it("while no agent was there: the executor may come back and tell, and need not", async () => {
    const executor = await recovered(executorOf("docker"), false);
    await ends(3 << 8);
    expect(told).toEqual([]);
    expect(processes.isAwaited(executor)).toBe(true);
    await clock.advance(2_000);
    expect(told).toEqual([{ status: 3 << 8, message: "Container exited with status 3" }]);
    expect(processes.isAwaited(executor)).toBe(false);
  });
});

it.each([
  ["an executor in its container", executorOf("docker", false)],
  ["a process that is the executor", executorOf("mesos")],
])("nothing is waited for when %s has ended: it has said what it had to say", async (_what, executor) => {
  await recovered(executor);
  await ends(0);
  expect(told).toEqual([{ status: 0, message: "Container exited with status 0" }]);
});
