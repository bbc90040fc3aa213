import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ExecutorInfoSchema, FrameworkInfoSchema, TaskSchema, TaskState } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { ExecutorKind, ExecutorRecord, ExecutorState, TaskBucket, TaskRecord } from "../model/records.ts";
import { FrameworkRegistry, remember } from "./registry.ts";

const info = (id: string) => create(FrameworkInfoSchema, { user: "u", name: id, id: { value: id } });

function taskRecord(taskId: string, bucket: TaskBucket, data = new Uint8Array(0)): TaskRecord {
  return {
    taskId,
    frameworkId: "f",
    task: create(TaskSchema, {
      name: taskId,
      taskId: { value: taskId },
      frameworkId: { value: "f" },
      agentId: { value: "A" },
      state: TaskState.TASK_RUNNING,
      statuses: [{ state: TaskState.TASK_RUNNING, data }],
    }),
    info: undefined,
    group: undefined,
    masterTracksExecutors: true,
    bucket,
    kill: undefined,
  };
}

function executorRecord(
  id: string,
  more: { kind?: ExecutorKind; state?: ExecutorState; generated?: boolean; tasks?: TaskRecord[] } = {},
): ExecutorRecord {
  return {
    executorId: id,
    frameworkId: "f",
    info: create(ExecutorInfoSchema, { executorId: { value: id } }),
    containerId: id,
    directory: "/",
    kind: more.kind ?? "driver",
    generated: more.generated ?? false,
    state: more.state ?? "RUNNING",
    containerizer: undefined,
    pid: undefined,
    tasks: new Map((more.tasks ?? []).map((task) => [task.taskId, task])),
    completed: [],
    everDelivered: true,
    since: 0,
  };
}

describe("what the master is told at re-registration (mesos-wire §3.6)", () => {
  function reregistrationContent(executors: readonly ExecutorRecord[], pending: readonly TaskRecord[] = []) {
    const book = new FrameworkRegistry();
    const { framework } = book.ensure("f", info("f"), undefined);
    for (const executor of executors) framework.executors.set(executor.executorId, executor);
    for (const task of pending) framework.pending.set(task.taskId, task);
    const { tasks, executors: infos, frameworks, completed } = book.reregistrationContent();
    return {
      tasks: tasks.map(({ name }) => name),
      executors: infos.map(({ executorId }) => executorId?.value),
      frameworks: frameworks.map(({ name }) => name),
      completed: completed.length,
      raw: tasks,
    };
  }

  it("every task that is not acknowledged to its end", () => {
    const buckets: TaskBucket[] = ["queued", "launched", "terminated", "completed"];
    const executor = executorRecord("e", { tasks: buckets.map((bucket) => taskRecord(bucket, bucket)) });
    expect(reregistrationContent([executor], [taskRecord("pending", "pending")]).tasks).toEqual([
      "pending",
      "queued",
      "launched",
      "terminated",
    ]);
  });

  it("executors but those that stand for command tasks and those that ended", () => {
    const executors = [
      executorRecord("driver"),
      executorRecord("http", { kind: "http" }),
      executorRecord("unknown", { kind: "unknown", state: "REGISTERING" }),
      executorRecord("ending", { state: "TERMINATING" }),
      executorRecord("ended", { state: "TERMINATED" }),
      executorRecord("ours", { kind: "command" }),
      executorRecord("of a C++ agent", { generated: true }),
    ];
    expect(reregistrationContent(executors).executors).toEqual(["driver", "http", "unknown", "ending"]);
  });

  it("frameworks that have something in the message, and no other", () => {
    expect(reregistrationContent([]).frameworks).toEqual([]);
    expect(reregistrationContent([executorRecord("ended", { state: "TERMINATED" })]).frameworks).toEqual([]);
    expect(reregistrationContent([executorRecord("e")]).frameworks).toEqual(["f"]);
    expect(reregistrationContent([], [taskRecord("p", "pending")]).frameworks).toEqual(["f"]);
    const command = executorRecord("c", { kind: "command", tasks: [taskRecord("t", "launched")] });
    expect(reregistrationContent([command]).frameworks).toEqual(["f"]);
  });

  it("statuses without their payload, which stays here", () => {
    const task = taskRecord("t", "launched", new Uint8Array(9));
    const { raw } = reregistrationContent([executorRecord("e", { tasks: [task] })]);
    expect(raw[0]?.statuses[0]?.data).toHaveLength(0);
    expect(task.task.statuses[0]?.data).toHaveLength(9);
  });
});

describe("history", () => {
  it("is bounded, the newest stays", () => {
    const history = [1, 2];
    for (const item of [3, 4, 5]) remember(history, item, 3);
    expect(history).toEqual([3, 4, 5]);
  });

  it("of a framework comes back with it", () => {
    const book = new FrameworkRegistry({ frameworks: 2, executorsPerFramework: 1, tasksPerExecutor: 1 });
    for (const id of ["a", "b", "c"]) {
      const { framework } = book.ensure(id, info(id), undefined);
      framework.completedExecutors.push(executorRecord(`of ${id}`));
      book.complete(framework);
    }
    expect(book.completed.map(({ frameworkId }) => frameworkId)).toEqual(["b", "c"]);
    const { framework, isNew } = book.ensure("b", info("b"), undefined);
    expect(isNew).toBe(true);
    expect(framework.completedExecutors.map(({ executorId }) => executorId)).toEqual(["of b"]);
    expect(book.completed.map(({ frameworkId }) => frameworkId)).toEqual(["c"]);
    expect(book.ensure("b", info("b"), undefined).isNew).toBe(false);
  });

  it("finds tasks that are pending, a command task's, and others", () => {
    const book = new FrameworkRegistry();
    const { framework } = book.ensure("f", info("f"), undefined);
    framework.pending.set("pending", taskRecord("pending", "pending"));
    framework.executors.set("own", executorRecord("own", { tasks: [taskRecord("own", "launched")] }));
    framework.executors.set("e", executorRecord("e", { tasks: [taskRecord("of e", "launched")] }));
    expect(book.findTask("f", "pending")).toMatchObject({ executor: undefined, task: { taskId: "pending" } });
    expect(book.findTask("f", "own")?.executor?.executorId).toBe("own");
    expect(book.findTask("f", "of e")?.executor?.executorId).toBe("e");
    expect(book.findTask("f", "e")).toBeUndefined();
    expect(book.findTask("other", "own")).toBeUndefined();
  });
});
