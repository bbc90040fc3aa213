import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ExecutorInfoSchema, TaskSchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import {
  type ExecutorRecord,
  type ExecutorState,
  moveExecutor,
  moveTask,
  type TaskBucket,
  type TaskRecord,
} from "./records.ts";

const buckets: readonly TaskBucket[] = ["pending", "queued", "launched", "terminated", "completed"];
const states: readonly ExecutorState[] = ["REGISTERING", "RUNNING", "TERMINATING", "TERMINATED"];

const task = (bucket: TaskBucket): TaskRecord => ({
  taskId: "one",
  frameworkId: "F",
  task: create(TaskSchema, {}),
  info: undefined,
  group: undefined,
  masterTracksExecutors: true,
  bucket,
  kill: undefined,
});

const executor = (state: ExecutorState): ExecutorRecord => ({
  executorId: "e",
  frameworkId: "F",
  info: create(ExecutorInfoSchema, {}),
  containerId: "c",
  directory: "/",
  kind: "driver",
  state,
  containerizer: undefined,
  pid: undefined,
  tasks: new Map(),
  completed: [],
  everDelivered: false,
  since: 0,
});

/** Written out here once more, so that a change of the table is a decision. */
const taskMoves = [
  "pending → queued",
  "pending → terminated",
  "queued → launched",
  "queued → terminated",
  "launched → terminated",
  "terminated → completed",
];
const executorMoves = [
  "REGISTERING → RUNNING",
  "REGISTERING → TERMINATING",
  "REGISTERING → TERMINATED",
  "RUNNING → TERMINATING",
  "RUNNING → TERMINATED",
  "TERMINATING → TERMINATED",
];

describe("a task", () => {
  const pairs = buckets.flatMap((from) => buckets.map((to) => [from, to] as const));
  it.each(pairs.filter(([from, to]) => taskMoves.includes(`${from} → ${to}`)))("goes from %s to %s", (from, to) => {
    const record = task(from);
    moveTask(record, to);
    expect(record.bucket).toBe(to);
  });

  it.each(pairs.filter(([from, to]) => from !== to && !taskMoves.includes(`${from} → ${to}`)))(
    "does not go from %s to %s",
    (from, to) => {
      const record = task(from);
      expect(() => moveTask(record, to)).toThrow(`task one cannot go from ${from} to ${to}`);
      expect(record.bucket).toBe(from);
    },
  );
});

describe("an executor", () => {
  const pairs = states.flatMap((from) => states.map((to) => [from, to] as const));
  it.each(pairs.filter(([from, to]) => executorMoves.includes(`${from} → ${to}`)))("goes from %s to %s", (from, to) => {
    const record = executor(from);
    moveExecutor(record, to);
    expect(record.state).toBe(to);
  });

  it.each(pairs.filter(([from, to]) => from !== to && !executorMoves.includes(`${from} → ${to}`)))(
    "does not go from %s to %s",
    (from, to) => {
      expect(() => moveExecutor(executor(from), to)).toThrow(`executor e cannot go from ${from} to ${to}`);
    },
  );
});
