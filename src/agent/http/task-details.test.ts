import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { agentView } from "../../../test/support/agent-view.ts";
import {
  ContainerInfoSchema,
  TaskInfoSchema,
  TaskState,
  TaskStatus_Reason,
  TaskStatus_Source,
  TaskStatusSchema,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { addEvent, type StatusEvent } from "../model/history.ts";
import type { ExecutorRecord, TaskRecord } from "../model/records.ts";
import { nodeJson } from "./node-page.ts";
import { PageReaders } from "./page-readers.ts";
import { tasksText } from "./task-details.ts";

const { TASK_RUNNING, TASK_FAILED } = TaskState;

/** The only task of a view, open to be changed. */
function one(): { snapshot: ReturnType<ReturnType<typeof agentView>["snapshot"]>; executor: ExecutorRecord } {
  const snapshot = agentView({ tasks: 1 }).snapshot();
  const executor = snapshot.frameworks[0]?.executors.get("task-0");
  if (executor === undefined) throw new Error("no executor");
  return { snapshot, executor };
}

const taskOf = (executor: ExecutorRecord): { -readonly [K in keyof TaskRecord]: TaskRecord[K] } => {
  const task = executor.tasks.get("task-0");
  if (task === undefined) throw new Error("no task");
  return task;
};

const wanted = { taskId: "task-0", frameworkId: undefined, containerId: undefined };
const tasksJson = (...asked: Parameters<typeof tasksText>) =>
  JSON.parse([...tasksText(...asked)].join("")) as Record<string, unknown>;
const only = (shown: ReturnType<typeof tasksJson>) => (shown["tasks"] as Record<string, unknown>[])[0];

const status = (state: TaskState, timestamp: number, more: object = {}) =>
  create(TaskStatusSchema, { taskId: { value: "t" }, state, timestamp, ...more });

const file = (number: number, count: number, bytes: number, totalBytes: number | undefined) => ({
  ...{ uri: "http://h/a.tgz", number, count, bytes, totalBytes },
});

describe("the history of a task", () => {
  it("has each event with its time; what says the same again is none", () => {
    const history: StatusEvent[] = [];
    addEvent(history, status(TASK_RUNNING, 1));
    addEvent(history, status(TASK_RUNNING, 2, { healthy: true }));
    addEvent(history, status(TASK_RUNNING, 3, { healthy: true }));
    addEvent(history, status(TASK_RUNNING, 4, { healthy: false }));
    expect(history.map(({ timestamp, healthy }) => [timestamp, healthy])).toEqual([
      [1, undefined],
      [2, true],
      [4, false],
    ]);
  });

  it("is bounded: the beginning and the newest stay", () => {
    const history: StatusEvent[] = [];
    for (let at = 1; at <= 500; at++) addEvent(history, status(TASK_RUNNING, at, { healthy: at % 2 === 0 }));
    expect(history).toHaveLength(50);
    expect([history[0]?.timestamp, history.at(-1)?.timestamp]).toEqual([1, 500]);
  });
});

describe("/tasks", () => {
  it("tells why a task ended, with its exit code, and when it began to run", () => {
    const { snapshot, executor } = one();
    const task = taskOf(executor);
    task.runningSince = 1_700_000_001_000;
    task.waitStatus = 7 << 8;
    task.task.state = TASK_FAILED;
    task.bucket = "terminated";
    task.history = [];
    addEvent(
      task.history,
      status(TASK_FAILED, 5, {
        message: "Command exited with status 7",
        reason: TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY,
        source: TaskStatus_Source.EXECUTOR,
      }),
    );
    expect(only(tasksJson(snapshot, [], undefined))).toEqual({
      framework_id: "framework-1",
      executor_id: "task-0",
      container_id: "container-1",
      task_id: "task-0",
      state: "TASK_FAILED",
      running_since: 1_700_000_001,
      message: "Command exited with status 7",
      reason: "REASON_CONTAINER_LIMITATION_MEMORY",
      source: "SOURCE_EXECUTOR",
      exit_code: 7,
      exit: "exited with status 7",
    });
    task.waitStatus = 9;
    expect(only(tasksJson(snapshot, [], undefined))).toMatchObject({
      signal: 9,
      exit: expect.stringContaining("Killed"),
    });
  });

  it.each([
    [undefined, "waiting for its executor to register"],
    [{ stage: "fetch" }, "fetching its files"],
    [{ stage: "fetch", fetching: file(1, 1, 0, undefined) }, "fetching http://h/a.tgz"],
    [{ stage: "fetch", fetching: file(2, 3, 1_500_000, undefined) }, "fetching http://h/a.tgz (2 of 3), 1.5 MB"],
    [{ stage: "fetch", fetching: file(1, 1, 2.5e6, 1e7) }, "fetching http://h/a.tgz, 2.5 of 10.0 MB (25 %)"],
    [{ stage: "fetch", fetching: file(1, 1, 2e7, 1e7) }, "fetching http://h/a.tgz, 10.0 of 10.0 MB (100 %)"],
    [{ stage: "container" }, "pulling alpine: 1 of 4 layers, 25.0 of 100.0 MB (25 %)"],
  ])("tells what a task waits for: %j", (launching, words) => {
    const { snapshot, executor } = one();
    const task = taskOf(executor);
    task.bucket = "queued";
    task.info = create(TaskInfoSchema, {
      container: create(ContainerInfoSchema, { type: 1, docker: { image: "alpine" } }),
    });
    executor.launching = launching === undefined ? undefined : { ...launching, since: 12_000 };
    const progress = { layers: 4, done: 1, bytes: 25e6, totalBytes: 100e6 };
    const pulls = [
      { reference: "debian", progress: undefined },
      { reference: "alpine", progress },
    ];
    expect(only(tasksJson(snapshot, pulls, undefined))).toMatchObject({
      waiting: words,
      ...(launching !== undefined && { waiting_since: 12 }),
    });
  });

  it("shows no value of an environment variable, of a Docker parameter, and no password of a URI", () => {
    const { snapshot, executor } = one();
    const variables = [{ name: "PASSWORD", value: "hidden", type: 1 }];
    const command = {
      value: "run it",
      environment: { variables },
      uris: [{ value: "https://user:hidden@host/file" }],
    };
    taskOf(executor).info = create(TaskInfoSchema, {
      command,
      healthCheck: { type: 1, command },
      check: { type: 1, command: { command } },
      container: {
        type: 1,
        docker: { image: "alpine", parameters: [{ key: "env", value: "SECRET=hidden" }] },
      },
    } as never);
    const shown = only(tasksJson(snapshot, [], wanted));
    expect(JSON.stringify(shown)).not.toContain("hidden");
    expect(shown).toMatchObject({
      command: { value: "run it", uris: ["https://host/file"] },
      environment: ["PASSWORD"],
      container: { image: "alpine", parameters: ["env"] },
    });
  });

  it("finds the tasks of an id, and nothing for one that nobody knows", () => {
    const { snapshot } = one();
    expect(only(tasksJson(snapshot, [], { ...wanted, containerId: "container-1" }))).toMatchObject({
      name: "task-0",
      framework_name: "marathon",
      history: [{ state: "TASK_RUNNING", timestamp: 1_700_000_000.5 }],
    });
    expect(tasksJson(snapshot, [], { ...wanted, containerId: "other" })).toEqual({ tasks: [] });
    expect(tasksJson(snapshot, [], { ...wanted, taskId: "other" })).toEqual({ tasks: [] });
  });
});

it("remembers who has the page open, within bounds", () => {
  const readers = new PageReaders();
  expect(["a", "a", "b", "a"].map((address) => readers.isNew(address))).toEqual([true, false, true, false]);
  for (let index = 0; index < 1_000; index++) readers.isNew(String(index));
  expect(readers.isNew("a")).toBe(true);
});

it("/node tells of the machine, of what runs containers, and of the services", async () => {
  const shown = await nodeJson(agentView({ tasks: 0 }));
  expect(shown).toMatchObject({
    machine: {
      kernel: expect.any(String),
      cgroups: "v2",
      load: [0.1, 0.2, 0.3],
      cpu_secs: { busy: 30, total: 200 },
      memory_total: 4_000_000_000,
      oom_kills: 3,
      pressure: { cpu: 1.5, memory: 0 },
      disk: { path: "/", total: expect.any(Number), available: expect.any(Number) },
      engines: [{ name: "docker", version: "Docker 27.3.1" }],
    },
    services: [{ name: "mesos", state: "RUNNING", start: 17, exit_status: 0 }],
    verdict: "70 mesos entered the FATAL state",
    forwarder: {
      events: 17,
      lag_bytes: 300,
      lag_seconds: 4,
      servers: [{ server: "logstash:5000", state: "ready" }],
      files: [{ source: "/var/log/a", lag_bytes: 300, lag_seconds: 4 }],
    },
  });
});
