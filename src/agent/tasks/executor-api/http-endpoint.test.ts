import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { beforeEach, describe, expect, it } from "vitest";
import { ownMilliseconds } from "../../../../test/support/own-time.ts";
import { TestClock } from "../../../../test/support/test-clock.ts";
import { uuidOf } from "../../../../test/support/updates.ts";
import { silentLogger } from "../../../base/log.ts";
import { decode, encode } from "../../../mesos/codec.ts";
import {
  Call_Type,
  CallSchema,
  type Event,
  Event_Type,
  EventSchema,
} from "../../../mesos/gen/mesos/v1/executor/executor_pb.ts";
import {
  AgentInfoSchema,
  ExecutorInfoSchema,
  FrameworkInfoSchema,
  TaskInfoSchema,
  TaskSchema,
  TaskState,
  type TaskStatus,
  TaskStatus_Source,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { decodeJson } from "../../../mesos/json.ts";
import { RecordDecoder } from "../../../mesos/recordio.ts";
import { Refusals } from "../../authorization/refusals.ts";
import type { CheckpointStore } from "../../checkpoint/store.ts";
import { Identity } from "../../model/identity.ts";
import type { ExecutorRecord, FrameworkRecord, TaskBucket, TaskRecord } from "../../model/records.ts";
import { ExecutorProcesses } from "../executor-processes.ts";
import type { FrameworkMessages } from "../framework-messages.ts";
import type { LaunchRunner } from "../launch.ts";
import { FrameworkRegistry } from "../registry.ts";
import type { StatusIntake } from "../statuses.ts";
import { type ExecutorAnswer, ExecutorEndpoint } from "./http-endpoint.ts";

const PROTOBUF = "application/x-protobuf";
const JSON_TYPE = "application/json";
type CallInit = Omit<MessageInitShape<typeof CallSchema>, "$typeName" | "$unknown">;

function executorRecord(): ExecutorRecord {
  return {
    executorId: "executor",
    frameworkId: "framework",
    info: create(ExecutorInfoSchema, { executorId: { value: "executor" }, command: { value: "x" } }),
    containerId: "c",
    directory: "/",
    kind: "unknown",
    state: "REGISTERING",
    containerizer: undefined,
    pid: undefined,
    tasks: new Map(),
    completed: [],
    everDelivered: false,
    since: 0,
  };
}

function taskRecord(taskId: string, bucket: TaskBucket): TaskRecord {
  const common = { name: taskId, taskId: { value: taskId }, agentId: { value: "A" } };
  return {
    taskId,
    frameworkId: "framework",
    task: create(TaskSchema, { ...common, frameworkId: { value: "framework" }, state: TaskState.TASK_STAGING }),
    info: create(TaskInfoSchema, common),
    group: undefined,
    masterTracksExecutors: true,
    bucket,
    kill: undefined,
  };
}

let clock: TestClock;
let isRecovering: boolean;
let executor: ExecutorRecord;
let framework: FrameworkRecord;
let remote: ExecutorProcesses;
let endpoint: ExecutorEndpoint;
let statuses: TaskStatus[];
let registered: number;
let lost: string[];
let markers: number;

beforeEach(() => {
  clock = new TestClock();
  const identity = new Identity(create(AgentInfoSchema, { hostname: "h", id: { value: "A" } }), 0);
  isRecovering = false;
  Object.defineProperty(identity, "phase", { get: () => (isRecovering ? "RECOVERING" : "RUNNING") });
  executor = executorRecord();
  framework = {
    frameworkId: "framework",
    info: create(FrameworkInfoSchema, { user: "u", name: "n", id: { value: "framework" }, checkpoint: true }),
    pid: undefined,
    state: "RUNNING",
    executors: new Map([["executor", executor]]),
    pending: new Map(),
    completedExecutors: [],
  };
  const registry = new FrameworkRegistry();
  registry.active.set("framework", framework);
  statuses = [];
  lost = [];
  registered = 0;
  markers = 0;
  const events = {
    status: (_framework: FrameworkRecord, _executor: ExecutorRecord, status: TaskStatus) => statuses.push(status),
    registered: () => {
      registered++;
      executor.state = "RUNNING";
    },
    terminated: () => undefined,
  };
  const forever = () => new Promise<never>(() => undefined);
  remote = new ExecutorProcesses({
    clock,
    log: silentLogger,
    runner: {
      prepare: forever,
      wait: forever,
      destroy: async () => undefined,
      status: async () => undefined,
      release: () => undefined,
    } as unknown as LaunchRunner,
    events,
    registrationTimeout: 60_000,
    shutdownGrace: 5_000,
    reregistrationTimeout: 2_000,
  });
  endpoint = new ExecutorEndpoint({
    clock,
    log: silentLogger,
    executors: remote,
    events,
    registry,
    identity,
    store: {
      httpMarker: () => {
        markers++;
      },
    } as unknown as CheckpointStore,
    messages: { toFramework: () => undefined } as unknown as FrameworkMessages,
    statuses: {
      neverDelivered: (_framework: unknown, _executor: unknown, tasks: readonly TaskRecord[]) =>
        lost.push(...tasks.map(({ taskId }) => taskId)),
    } as unknown as StatusIntake,
    refusals: new Refusals({ log: silentLogger, clock, count: () => undefined }),
  });
});

const ids = { frameworkId: { value: "framework" }, executorId: { value: "executor" } };

function post(init: CallInit, more: { accept?: string } = {}): ExecutorAnswer {
  const body = encode(CallSchema, create(CallSchema, { ...ids, ...init }));
  return endpoint.handle({ subject: undefined, contentType: PROTOBUF, accept: more.accept ?? PROTOBUF, body });
}

const subscribe = (init: CallInit["subscribe"] = {}): CallInit => ({ type: Call_Type.SUBSCRIBE, subscribe: init });
const update = (status: object = {}): CallInit => ({
  type: Call_Type.UPDATE,
  update: {
    status: {
      taskId: { value: "task" },
      state: TaskState.TASK_RUNNING,
      source: TaskStatus_Source.EXECUTOR,
      uuid: uuidOf(1),
      ...status,
    },
  },
});

/** Opens a subscription and collects its events. */
function open(answer: ExecutorAnswer): { events: Event[]; ended: () => boolean; broken: () => void; json: boolean } {
  if (!("stream" in answer)) throw new Error(`no stream, but ${answer.status} ${answer.body}`);
  const events: Event[] = [];
  const json = answer.contentType === JSON_TYPE;
  const decoder = new RecordDecoder();
  let ended = false;
  const broken = answer.stream({
    write: (chunk) => {
      for (const record of decoder.push(chunk))
        events.push(json ? decodeJson(EventSchema, record.toString()) : decode(EventSchema, record));
    },
    end: () => {
      ended = true;
    },
  });
  return { events, ended: () => ended, broken, json };
}

const types = ({ events }: { events: Event[] }) => events.map(({ type }) => type);

describe("a stranger", () => {
  const call = (init: CallInit, peer: string): ExecutorAnswer => {
    const body = encode(CallSchema, create(CallSchema, { ...ids, ...init }));
    return endpoint.handle({ subject: undefined, contentType: PROTOBUF, accept: PROTOBUF, body, peer });
  };

  it("does not take the place of an executor that is connected from elsewhere, nor speaks for it", () => {
    remote.launch(framework, executor);
    const mine = open(call(subscribe(), "10.0.0.1"));
    for (const init of [subscribe(), update(), { type: Call_Type.MESSAGE, message: { data: new Uint8Array(1) } }])
      expect(call(init, "10.0.0.2")).toMatchObject({ status: 403 });
    expect(statuses).toEqual([]);
    expect(mine.ended()).toBe(false);
    expect(call(update(), "10.0.0.1")).toMatchObject({ status: 202 });
    // It comes back before we saw its connection break.
    const again = open(call(subscribe(), "10.0.0.1"));
    expect([mine.ended(), again.ended()]).toEqual([true, false]);
  });

  it("does not take the place of an executor that has a driver", () => {
    executor.kind = "driver";
    executor.pid = "executor(1)@10.0.0.1:5";
    expect(call(subscribe(), "10.0.0.1")).toMatchObject({ status: 403 });
    expect(executor.kind).toBe("driver");
  });

  it.each([
    ["protobuf", PROTOBUF, Buffer.alloc(4_000_000, Buffer.from([0x78, 0x00]))],
    ["JSON", JSON_TYPE, Buffer.from(`{"type":[${"1,".repeat(1_000_000)}1]}`)],
  ])("pays for a flood of nothing in %s, not we", (_what, contentType, body) => {
    const start = ownMilliseconds();
    expect(endpoint.handle({ subject: undefined, contentType, accept: PROTOBUF, body })).toMatchObject({
      status: 400,
      body: expect.stringMatching(/more than \d+ (objects|values)/),
    });
    expect(ownMilliseconds() - start).toBeLessThan(1_000);
  });
});

it("a token of an earlier run is not its executor's, whoever let it in", () => {
  remote.launch(framework, executor);
  const claims = { frameworkId: "framework", executorId: "executor", containerId: executor.containerId };
  const call = (containerId: string) =>
    endpoint.handle({
      subject: { kind: "executor", claims: { ...claims, containerId } },
      contentType: PROTOBUF,
      accept: PROTOBUF,
      body: encode(CallSchema, create(CallSchema, { ...ids, ...subscribe() })),
    });
  expect(call("an-earlier-run")).toMatchObject({ status: 403 });
  expect(call(executor.containerId)).toMatchObject({ status: 200 });
});

describe("answers (mesos-wire §5.2)", () => {
  const body = Buffer.alloc(0);
  const raw = (more: object) =>
    endpoint.handle({ subject: undefined, contentType: PROTOBUF, accept: PROTOBUF, body, ...more });

  it("400 without Content-Type, 415 for another", () => {
    expect(raw({ contentType: undefined }).status).toBe(400);
    expect(raw({ contentType: "text/plain" }).status).toBe(415);
    expect(raw({ contentType: "application/json; charset=utf-8", body: Buffer.from("{") }).status).toBe(400);
  });
  it("400 for what does not parse or misses an id", () => {
    expect(raw({ body: Buffer.from([0xff]) }).status).toBe(400);
    expect(raw({ body }).status).toBe(400);
    expect(raw({ contentType: JSON_TYPE, body: Buffer.from('{"type":"SUBSCRIBE"}') }).status).toBe(400);
  });

  it.each([
    ["SUBSCRIBE without subscribe", { type: Call_Type.SUBSCRIBE }, 400],
    ["UPDATE without update", { type: Call_Type.UPDATE }, 400],
    ["UPDATE with a short uuid", update({ uuid: new Uint8Array(8) }), 400],
    ["UPDATE from another source", update({ source: TaskStatus_Source.MASTER }), 400],
    ["UPDATE of another executor", update({ executorId: { value: "other" } }), 400],
    ["UPDATE with TASK_STAGING", update({ state: TaskState.TASK_STAGING }), 400],
    ["MESSAGE without message", { type: Call_Type.MESSAGE }, 400],
    ["a framework that is not here", { ...subscribe(), frameworkId: { value: "other" } }, 400],
    ["an executor that is not here", { ...subscribe(), executorId: { value: "other" } }, 400],
    ["UPDATE before SUBSCRIBE", update(), 403],
    ["MESSAGE before SUBSCRIBE", { type: Call_Type.MESSAGE, message: { data: new Uint8Array(1) } }, 403],
    ["HEARTBEAT with dummy ids", { type: Call_Type.HEARTBEAT, executorId: { value: "dummy" } }, 202],
    ["SUBSCRIBE", subscribe(), 200],
  ] as const)("%s: %s → %i", (_what, call, status) => {
    expect(post(call as CallInit).status).toBe(status);
  });

  it("202 for UPDATE and MESSAGE of a subscribed executor", () => {
    executor.state = "RUNNING";
    expect(post(update()).status).toBe(202);
    expect(statuses).toHaveLength(1);
    expect(post({ type: Call_Type.MESSAGE, message: { data: new Uint8Array(1) } }).status).toBe(202);
  });

  it("501 for a type that nobody knows, 400 for none", () => {
    executor.state = "RUNNING";
    expect(post({ type: Call_Type.UNKNOWN }).status).toBe(501);
    expect(post({}).status).toBe(400);
  });

  it("406 when a subscriber takes neither encoding", () => {
    expect(post(subscribe(), { accept: "text/html" }).status).toBe(406);
    expect(post(update(), { accept: "text/html" }).status).toBe(403);
  });

  it("400 for a command task, which has no executor", () => {
    executor.kind = "command";
    expect(post(subscribe()).status).toBe(400);
  });
});

describe("while the agent recovers", () => {
  beforeEach(() => {
    isRecovering = true;
  });

  it("everybody is told to come again, also those that are not known yet", () => {
    expect(post(subscribe()).status).toBe(503);
    expect(post({ ...subscribe(), frameworkId: { value: "not read yet" } }).status).toBe(503);
    expect(post(update()).status).toBe(503);
  });

  it("but executors whose containers were found", () => {
    remote.recover(framework, executor, true);
    expect(types(open(post(subscribe())))).toEqual([Event_Type.SUBSCRIBED]);
    expect(post(update()).status).toBe(503);
  });
});

describe("a subscription", () => {
  it("opens with SUBSCRIBED, in the encoding that was asked for", () => {
    remote.launch(framework, executor);
    const stream = open(post(subscribe(), { accept: JSON_TYPE }));
    expect(stream.json).toBe(true);
    expect(stream.events[0]?.subscribed).toMatchObject({
      executorInfo: { executorId: { value: "executor" } },
      frameworkInfo: { name: "n" },
      agentInfo: { id: { value: "A" } },
      containerId: { value: "c" },
    });
    expect(registered).toBe(1);
    expect(markers).toBe(1);
    expect(executor.kind).toBe("http");
  });

  it("takes the updates that were not acknowledged before it answers", () => {
    remote.launch(framework, executor);
    const unacknowledged = [update().update, update({ uuid: uuidOf(2) }).update].flatMap((one) => (one ? [one] : []));
    open(post(subscribe({ unacknowledgedUpdates: unacknowledged as never })));
    expect(statuses.map(({ uuid }) => uuid[15])).toEqual([1, 2]);
  });

  it("replaces the one before it, whose end means nothing then", () => {
    remote.launch(framework, executor);
    const first = open(post(subscribe()));
    const second = open(post(subscribe()));
    expect(first.ended()).toBe(true);
    first.broken();
    remote.kill(framework, executor, taskRecord("task", "launched"), { policy: undefined, grace: 1 });
    expect(types(second)).toEqual([Event_Type.SUBSCRIBED, Event_Type.KILL]);
  });

  it.each(["TERMINATING", "TERMINATED"] as const)("of a %s executor is SHUTDOWN and over", (state) => {
    remote.launch(framework, executor);
    executor.state = state;
    const stream = open(post(subscribe()));
    expect(types(stream)).toEqual([Event_Type.SHUTDOWN]);
    expect(stream.ended()).toBe(true);
    expect(registered).toBe(0);
  });

  it("hands over tasks one by one and groups as a whole", () => {
    remote.launch(framework, executor);
    const stream = open(post(subscribe()));
    const group = ["a", "b"].map((id) => ({ ...taskRecord(id, "queued"), group: ["a", "b"] }));
    remote.deliver(framework, executor, [taskRecord("one", "queued"), ...group]);
    expect(types(stream).slice(1)).toEqual([Event_Type.LAUNCH, Event_Type.LAUNCH_GROUP]);
    expect(stream.events[2]?.launchGroup?.taskGroup?.tasks.map(({ taskId }) => taskId?.value)).toEqual(["a", "b"]);
    expect(group.map(({ bucket }) => bucket)).toEqual(["launched", "launched"]);
  });

  it("after a restart reports what never arrived, and nothing that the executor lists", () => {
    executor.state = "RUNNING";
    executor.everDelivered = true;
    for (const id of ["listed", "missing"]) executor.tasks.set(id, taskRecord(id, "launched"));
    executor.tasks.set("new", taskRecord("new", "queued"));
    const heard = taskRecord("heard of", "launched");
    heard.task.state = TaskState.TASK_RUNNING;
    executor.tasks.set("heard of", heard);
    remote.recover(framework, executor, true);
    open(post(subscribe({ unacknowledgedTasks: [executor.tasks.get("listed")?.info as never] })));
    expect(lost).toEqual(["missing"]);
  });

  it("beats every 30 minutes", async () => {
    remote.launch(framework, executor);
    const stream = open(post(subscribe()));
    await clock.advance(60 * 60_000);
    expect(types(stream).slice(1)).toEqual([Event_Type.HEARTBEAT, Event_Type.HEARTBEAT]);
  });
});
