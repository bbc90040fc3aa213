import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { updateOf, uuidOf } from "../../../test/support/updates.ts";
import { RunTaskMessageSchema } from "../../mesos/gen/mesos/internal/messages_pb.ts";
import {
  AgentInfoSchema,
  ExecutorInfoSchema,
  FrameworkInfoSchema,
  TaskSchema,
  TaskState,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type {
  CheckpointedAgent,
  CheckpointedExecutor,
  CheckpointedRun,
  CheckpointedTask,
} from "../model/checkpointed-state.ts";
import { Paths } from "../model/paths.ts";
import type { ExecutorRecord } from "../model/records.ts";
import { type Rebuilt, rebuild } from "./rebuild.ts";

const { TASK_STAGING, TASK_RUNNING, TASK_FINISHED, TASK_KILLED } = TaskState;
const ours = create(RunTaskMessageSchema, {
  framework: { user: "u", name: "n" },
  task: { name: "t", taskId: { value: "task" }, agentId: { value: "A" } },
  launchExecutor: true,
});

const taskOf = (updates: CheckpointedTask["updates"], more: Partial<CheckpointedTask> = {}): CheckpointedTask => ({
  id: "task",
  task: create(TaskSchema, {
    name: "t",
    taskId: { value: "task" },
    frameworkId: { value: "framework" },
    agentId: { value: "A" },
    executorId: { value: "task" },
    state: TASK_STAGING,
  }),
  launch: ours,
  killGrace: undefined,
  group: undefined,
  updates,
  ...more,
});

const runOf = (tasks: readonly CheckpointedTask[], more: Partial<CheckpointedRun> = {}): CheckpointedRun => ({
  containerId: "c",
  completed: false,
  forkedPid: 4711,
  libprocessPid: undefined,
  http: false,
  tasks,
  ...more,
});

const executorOf = (
  run: CheckpointedRun | undefined,
  more: Partial<CheckpointedExecutor> = {},
): CheckpointedExecutor => ({
  id: "task",
  info: create(ExecutorInfoSchema, { executorId: { value: "task" }, command: { value: "true" } }),
  generatedForCommandTask: true,
  run,
  olderRuns: [],
  ...more,
});

function rebuilt(executors: readonly CheckpointedExecutor[], more: { rebooted?: boolean } = {}): Rebuilt {
  const agent: CheckpointedAgent = {
    id: "A",
    info: create(AgentInfoSchema, { hostname: "h" }),
    drain: undefined,
    frameworks: [
      {
        id: "framework",
        info: create(FrameworkInfoSchema, { user: "u", name: "n", checkpoint: true, id: { value: "framework" } }),
        pid: undefined,
        executors,
      },
    ],
  } as never;
  return rebuild(agent, { paths: new Paths("/work"), now: 5, rebooted: false, users: { of: () => "u" }, ...more });
}

const onlyExecutor = (executor: CheckpointedExecutor, more = {}): ExecutorRecord | undefined =>
  rebuilt([executor], more).frameworks[0]?.executors.get("task");
const onlyTask = (task: CheckpointedTask) => onlyExecutor(executorOf(runOf([task])))?.tasks.get("task");

describe("where a command task comes back", () => {
  const running = { update: updateOf(1, TASK_RUNNING) };
  const finished = { update: updateOf(2, TASK_FINISHED) };
  it.each([
    ["nothing heard of it", [], "queued", TASK_STAGING],
    ["running", [running], "launched", TASK_RUNNING],
    ["running, acknowledged", [running, { acknowledged: uuidOf(1) }], "launched", TASK_RUNNING],
    ["ended", [running, finished], "terminated", TASK_FINISHED],
    ["ended, the first acknowledged", [running, finished, { acknowledged: uuidOf(1) }], "terminated", TASK_FINISHED],
  ] as const)("%s", (_what, updates, bucket, state) => {
    expect(onlyTask(taskOf(updates))).toMatchObject({ bucket, task: { state }, masterTracksExecutors: true });
  });

  it("not at all when its end was acknowledged", () => {
    const all = [running, finished, { acknowledged: uuidOf(1) }, { acknowledged: uuidOf(2) }];
    const { frameworks, streams } = rebuilt([executorOf(runOf([taskOf(all)]))]);
    const executor = frameworks[0]?.executors.get("task");
    expect(executor?.tasks.size).toBe(0);
    expect(executor?.completed).toMatchObject([{ bucket: "completed", task: { state: TASK_FINISHED } }]);
    expect(streams).toEqual([]);
  });

  it("with one status of each state, and none after its end", () => {
    const late = { update: updateOf(4, TASK_KILLED) };
    const again = { update: updateOf(3, TASK_RUNNING) };
    const task = onlyTask(taskOf([running, again, finished, late]))?.task;
    expect(task?.statuses.map(({ state, uuid }) => [state, uuid[15]])).toEqual([
      [TASK_RUNNING, 3],
      [TASK_FINISHED, 2],
    ]);
    expect(task?.state).toBe(TASK_FINISHED);
  });

  it("with the kill that was under way", () => {
    expect(onlyTask(taskOf([running], { killGrace: 1500 }))?.kill).toEqual({ policy: undefined, grace: 1500 });
  });

  it("with its stream", () => {
    expect(rebuilt([executorOf(runOf([taskOf([running])]))]).streams).toEqual([
      {
        frameworkId: "framework",
        taskId: "task",
        path: "/work/meta/slaves/A/frameworks/framework/executors/task/runs/c/tasks/task/task.updates",
        records: [running],
      },
    ]);
  });
});

describe("what kind of executor comes back", () => {
  const cpp = (init: MessageInitShape<typeof ExecutorInfoSchema> = {}) =>
    create(ExecutorInfoSchema, {
      executorId: { value: "task" },
      name: "Command Executor (Task: task) (Command: sh -c 'true')",
      command: { value: "/usr/libexec/mesos/mesos-executor" },
      ...(init as object),
    });
  const plain = taskOf([], { launch: undefined });
  const driver = { libprocessPid: "executor(1)@127.0.0.1:9" };

  it.each([
    ["our command task", executorOf(runOf([taskOf([])])), "command", "RUNNING", true],
    ["a C++ 1.10 command executor", executorOf(runOf([plain], driver)), "driver", "RUNNING", true],
    [
      "a C++ 0.24 command executor",
      executorOf(runOf([plain], driver), { info: cpp(), generatedForCommandTask: undefined }),
      "driver",
      "RUNNING",
      true,
    ],
    [
      "one that never registered",
      executorOf(runOf([plain]), { info: cpp(), generatedForCommandTask: undefined }),
      "unknown",
      "REGISTERING",
      true,
    ],
    [
      "a driver",
      executorOf(runOf([taskOf([])], driver), { generatedForCommandTask: false }),
      "driver",
      "RUNNING",
      false,
    ],
    [
      "an HTTP executor",
      executorOf(runOf([taskOf([])], { http: true }), { generatedForCommandTask: false }),
      "http",
      "RUNNING",
      false,
    ],
    [
      "somebody's own mesos-executor",
      executorOf(runOf([plain], driver), { info: cpp({ name: "mine" } as never), generatedForCommandTask: undefined }),
      "driver",
      "RUNNING",
      false,
    ],
  ] as const)("%s", (_what, executor, kind, state, generated) => {
    const record = onlyExecutor(executor);
    expect(record).toMatchObject({ kind, state, generated });
    // The master would look for an executor that a task names.
    expect(record?.tasks.get("task")?.task.executorId === undefined).toBe(generated);
    expect(record?.info.frameworkId?.value).toBe("framework");
  });

  it("an executor process gets no task a second time: it was launched, or is lost", () => {
    const executor = executorOf(runOf([taskOf([])], { libprocessPid: "executor(1)@127.0.0.1:9" }));
    expect(onlyExecutor({ ...executor, generatedForCommandTask: false })?.tasks.get("task")?.bucket).toBe("launched");
  });

  it("after a reboot no address and no process id means anything", () => {
    const executor = executorOf(runOf([plain], driver));
    expect(onlyExecutor(executor, { rebooted: true })?.pid).toBeUndefined();
    const { expected } = rebuilt([executor], { rebooted: true });
    expect(expected[0]?.pid).toBeUndefined();
    expect(rebuilt([executor]).expected[0]).toMatchObject({ pid: 4711, containerId: "c", user: "u" });
  });
});

describe("what is garbage", () => {
  const work = "/work/slaves/A/frameworks/framework";
  const meta = "/work/meta/slaves/A/frameworks/framework";
  it("completed runs, executors without a run, and their framework", () => {
    for (const run of [undefined, runOf([], { completed: true })])
      expect(rebuilt([executorOf(run)]).garbage).toEqual([
        `${work}/executors/task`,
        `${meta}/executors/task`,
        work,
        meta,
      ]);
  });

  it("older runs of a living executor, and nothing else of it", () => {
    const { garbage } = rebuilt([executorOf(runOf([taskOf([])]), { olderRuns: ["b"] })]);
    expect(garbage).toEqual([`${work}/executors/task/runs/b`, `${meta}/executors/task/runs/b`]);
  });
});

describe("what was over before", () => {
  const running = { update: updateOf(1, TASK_RUNNING) };
  const finished = { update: updateOf(2, TASK_FINISHED) };
  const acknowledged = [{ acknowledged: uuidOf(1) }, { acknowledged: uuidOf(2) }];
  const over = runOf([taskOf([running, finished, ...acknowledged])], { completed: true });

  it("comes back as history, with its sandbox, its tasks and what happened to them; nothing runs of it", () => {
    const { frameworks, completedFrameworks, expected, streams, garbage } = rebuilt([executorOf(over)]);
    expect([frameworks, expected, streams]).toEqual([[], [], []]);
    expect(garbage.length).toBeGreaterThan(0);
    expect(completedFrameworks).toMatchObject([
      {
        frameworkId: "framework",
        completedExecutors: [
          { state: "TERMINATED", directory: expect.stringMatching(/^\/work\/slaves\/A\/frameworks\/.*\/runs\/c$/) },
        ],
      },
    ]);
    const [task] = completedFrameworks[0]?.completedExecutors[0]?.completed ?? [];
    expect(task).toMatchObject({ bucket: "completed", task: { state: TASK_FINISHED } });
    expect(task?.history?.map(({ state }) => state)).toEqual([TASK_RUNNING, TASK_FINISHED]);
  });

  it("stands beside what runs on", () => {
    const live = executorOf(runOf([taskOf([running])]), { id: "other" });
    const { frameworks, completedFrameworks } = rebuilt([executorOf(over), live]);
    expect(completedFrameworks).toEqual([]);
    expect([...(frameworks[0]?.executors.keys() ?? [])]).toEqual(["other"]);
    expect(frameworks[0]?.completedExecutors).toMatchObject([{ executorId: "task" }]);
  });

  it("leaves out a task whose end nobody saw: it does not run", () => {
    const { completedFrameworks } = rebuilt([executorOf(runOf([taskOf([running])], { completed: true }))]);
    expect(completedFrameworks[0]?.completedExecutors).toMatchObject([{ completed: [] }]);
  });
});
