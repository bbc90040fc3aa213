import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type CommandInfoSchema, FrameworkInfoSchema, TaskInfoSchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { makeTask } from "../model/task.ts";
import { generateCommandExecutor } from "./command-executor.ts";

const framework = create(FrameworkInfoSchema, { user: "nobody", name: "n", id: { value: "f" } });
const taskOf = (command: MessageInitShape<typeof CommandInfoSchema> | undefined) =>
  create(TaskInfoSchema, {
    name: "t",
    taskId: { value: "task" },
    agentId: { value: "a" },
    labels: { labels: [{ key: "k" }] },
    ...(command && { command }),
  });

describe("the executor that a command task is shown under (mesos-agent-behaviour §5.4)", () => {
  it.each([
    [{ shell: true, value: "true" }, "sh -c 'true'"],
    [{ shell: true, value: "123456789012345" }, "sh -c '123456789012345'"],
    [{ shell: true, value: "1234567890123456" }, "sh -c '123456789012...'"],
    [{ shell: false, value: "/bin/a", arguments: ["a", "b"] }, "[/bin/a, a, b]"],
    [{ shell: false, value: "/bin/program", arguments: ["program"] }, "[/bin/program...]"],
    [{ shell: true, value: "ééééééééééééééé" }, "sh -c 'éééééé...'"],
    [{ shell: true, value: "12345678901😀56" }, "sh -c '12345678901...'"],
    [{ shell: true, value: "" }, "NO COMMAND"],
    [{ shell: false, value: "" }, "NO EXECUTABLE"],
  ] as const)("%o", (command, text) => {
    const executor = generateCommandExecutor(
      framework,
      taskOf({ ...command, arguments: [...("arguments" in command ? command.arguments : [])] }),
    );
    expect(executor.name).toBe(`Command Executor (Task: task) (Command: ${text})`);
    expect(executor).toMatchObject({ executorId: { value: "task" }, frameworkId: { value: "f" }, source: "task" });
    expect(executor.labels?.labels).toHaveLength(1);
    expect(executor.resources).toEqual([]);
  });

  it("cannot be made without a command", () => {
    expect(() => generateCommandExecutor(framework, taskOf(undefined))).toThrow("task has neither a command");
  });
});

describe("a task as the master is told of it", () => {
  it("has no executor id when it is a command task", () => {
    const task = makeTask(framework, taskOf({ value: "true" }));
    expect(task.executorId).toBeUndefined();
    expect(task).toMatchObject({ user: "nobody", frameworkId: { value: "f" }, agentId: { value: "a" } });
  });

  it("has the executor's id and the command's user otherwise", () => {
    const info = taskOf(undefined);
    info.executor = { ...generateCommandExecutor(framework, taskOf({ value: "x", user: "root" })) };
    expect(makeTask(framework, info)).toMatchObject({ executorId: { value: "task" }, user: "root" });
  });
});
