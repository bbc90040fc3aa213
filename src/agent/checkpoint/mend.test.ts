import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { RunTaskMessageSchema, StatusUpdateSchema } from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { ExecutorInfoSchema, TaskSchema, TaskState } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { looksGenerated, mendExecutor, mendGenerated, mendLaunch, mendTask, mendUpdate } from "./mend.ts";

const key = { agentId: "S0", frameworkId: "F", executorId: "e", containerId: "c" };
const id = (value: string) => ({ value });
const { TASK_RUNNING } = TaskState;

describe("a checkpoint that says something else than the folder it lies in", () => {
  it("of a task is believed but for its ids", () => {
    const task = create(TaskSchema, {
      taskId: id("t"),
      frameworkId: id("X"),
      agentId: id("S9"),
      executorId: id("x"),
      statuses: [
        { taskId: id("t"), state: TASK_RUNNING, agentId: id("S9"), executorId: id("x") },
        { taskId: id("other"), state: TASK_RUNNING },
      ],
    });
    expect(mendTask(task, key)).toEqual([
      "its framework is 'X', not 'F'",
      "its agent is 'S9', not 'S0'",
      "its executor is 'x', not 'e'",
      "it has a status of task 'other'",
      "its status' agent is 'S9', not 'S0'",
      "its status' executor is 'x', not 'e'",
    ]);
    expect(task).toMatchObject({
      frameworkId: id("F"),
      agentId: id("S0"),
      executorId: id("e"),
      statuses: [{ taskId: id("t"), agentId: id("S0"), executorId: id("e") }],
    });
    expect(task.statuses).toHaveLength(1);
    expect(mendTask(task, key), "there is nothing left to mend").toEqual([]);
  });

  it("of an update, a launch and an executor too", () => {
    const update = create(StatusUpdateSchema, {
      agentId: id("S9"),
      executorId: id("x"),
      status: { taskId: id("t"), state: TASK_RUNNING, agentId: id("S9") },
    });
    expect(mendUpdate(update, key)).toHaveLength(3);
    expect(update).toMatchObject({ agentId: id("S0"), executorId: id("e"), status: { agentId: id("S0") } });
    const launch = create(RunTaskMessageSchema, { task: { agentId: id("S9"), executor: { executorId: id("x") } } });
    expect(mendLaunch(launch, key)).toHaveLength(2);
    expect(launch.task).toMatchObject({ agentId: id("S0"), executor: { executorId: id("e") } });
    const info = create(ExecutorInfoSchema, { frameworkId: id("X") });
    expect(mendExecutor(info, "F")).toEqual(["its framework is 'X', not 'F'"]);
    expect(info.frameworkId?.value).toBe("F");
  });

  it("by saying nothing is not damaged", () => {
    expect(mendExecutor(create(ExecutorInfoSchema, {}), "F")).toEqual([]);
    expect(mendUpdate(create(StatusUpdateSchema, {}), key)).toEqual([]);
    expect(mendLaunch(create(RunTaskMessageSchema, {}), key)).toEqual([]);
  });
});

describe("whether an executor is that of a command task", () => {
  const command = { value: "sleep 1" };
  const own = create(ExecutorInfoSchema, {
    executorId: id("t"),
    name: "Command Executor (Task: t) (Command: sleep 1)",
    source: "t",
    command,
  });
  const foreign = create(ExecutorInfoSchema, { executorId: id("e"), name: "mine", source: "", command });
  const launchOf = (taskId: string, more: object = { command }) =>
    create(RunTaskMessageSchema, { task: { taskId: id(taskId), ...more } });

  it("shows by its name, source and command", () => {
    expect(looksGenerated(own)).toBe(true);
    for (const more of [
      { source: "x" },
      { name: "Command Executor (Task: u)" },
      { command: { value: "/usr/libexec/mesos-executor" } },
      { command: { value: "mesos-executor --x" } },
    ])
      expect(looksGenerated({ ...own, ...more } as typeof own)).toBe(false);
    expect(looksGenerated(foreign)).toBe(false);
  });

  it("is what the file says, where nothing contradicts it", () => {
    expect(mendGenerated("1", own, [launchOf("t")])).toEqual({ value: true });
    expect(mendGenerated("1", own, [])).toEqual({ value: true });
    expect(mendGenerated("0", foreign, [launchOf("t", { executor: {} })])).toEqual({ value: false });
    expect(mendGenerated("0", own, [launchOf("t", { command: { value: "other" } })])).toEqual({ value: false });
  });

  it("is what the rest of the checkpoint says, where that contradicts it", () => {
    const problem = expect.stringContaining("is not what the rest of the checkpoint says");
    expect(mendGenerated("0", own, [launchOf("t")])).toEqual({ value: true, problem });
    expect(mendGenerated("1", foreign, [launchOf("t", { executor: {} })])).toEqual({ value: false, problem });
    expect(mendGenerated("1", own, [launchOf("other")])).toEqual({ value: false, problem });
    expect(mendGenerated("\u0000?", own, [])).toEqual({ value: true, problem });
    expect(mendGenerated("x", foreign, [])).toEqual({ value: false, problem });
  });

  it("is not known where no file is, but of a task that is ours", () => {
    expect(mendGenerated(undefined, own, [launchOf("t")])).toEqual({ value: true });
    expect(mendGenerated(undefined, own, [])).toEqual({ value: undefined });
    expect(mendGenerated(undefined, foreign, [launchOf("t")])).toEqual({ value: undefined });
  });
});
