import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { agentView } from "../../../test/support/agent-view.ts";
import { settle, TestClock } from "../../../test/support/test-clock.ts";
import { UserError } from "../../base/errors.ts";
import { LoggingLevel } from "../../base/logging-level.ts";
import { Pace } from "../../base/pace.ts";
import { decode } from "../../mesos/codec.ts";
import {
  type Response_GetExecutors,
  Response_GetExecutorsSchema,
  Response_GetTasksSchema,
} from "../../mesos/gen/mesos/v1/agent/agent_pb.ts";
import {
  type CommandInfo,
  CommandInfoSchema,
  Environment_Variable_Type,
  KillPolicySchema,
  Secret_Type,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { toJson } from "../../mesos/json.ts";
import { encoding } from "../../mesos/long-message.ts";
import { endpoints } from "./endpoints.ts";
import { modeText } from "./files/listing.ts";
import { dispositionOf } from "./files/pages.ts";
import { executorsMessage } from "./operator/containers-and-tasks.ts";
import { negotiate } from "./operator/negotiate.ts";
import { defaultRate, parseRate, RateGate } from "./rate-gate.ts";
import { disabledEndpoints, fullPath, locate } from "./route.ts";
import { stateText } from "./state.ts";

describe("routes", () => {
  it.each([
    ["/state", "/slave(1)/state"],
    ["/slave(1)/state", "/slave(1)/state"],
    ["/slave%281%29/state/", "/slave(1)/state"],
    ["/files/browse", "/files/browse"],
    ["/monitor/statistics", "/slave(1)/monitor/statistics"],
    ["/", "/slave(1)"],
    ["//state", "/slave(1)/state"],
    ["/slave(1)//state//", "/slave(1)/state"],
    ["/slave(1)/%73tate", "/slave(1)/state"],
    ["/monitor//statistics.json", "/slave(1)/monitor/statistics.json"],
    ["/slave(1)%2Fstate", undefined],
    ["/files/%2e%2e/state", undefined],
    ["/slave(2)/state", "/slave(1)/slave(2)/state"],
    ["/../state", undefined],
    ["/files/..", undefined],
    ["/%zz/state", undefined],
    ["state", undefined],
  ])("%s is %s", (path, full) => {
    expect(fullPath(path)).toBe(full);
  });

  it("find an endpoint by each of its names, and only by them", () => {
    for (const { path, aliases } of endpoints)
      for (const name of [path, ...aliases]) expect(locate(name)?.endpoint.path, name).toBe(path);
    expect(locate("/help/slave(1)/state")).toMatchObject({ rest: "/slave(1)/state" });
    for (const path of ["/stat", "/state/x", "/files", "/metrics", "/helpme"])
      expect(locate(path), path).toBeUndefined();
  });

  it("are disabled as a whole", () => {
    const { disabled, unknown } = disabledEndpoints(["/state.json", "/files/browse.json", "/nothing"]);
    expect([[...disabled], unknown]).toEqual([["/slave(1)/state", "/files/browse"], ["/nothing"]]);
  });
});

describe("the rate gate", () => {
  it("lets two pass a second, and the others in turn", async () => {
    const clock = new TestClock();
    const gate = new RateGate(clock, defaultRate);
    const passed: string[] = [];
    for (const name of ["a", "b", "c", "d", "e"]) void gate.pass().then(() => passed.push(name));
    await settle();
    expect(passed).toEqual(["a", "b"]);
    await clock.advance(999);
    expect(passed).toEqual(["a", "b"]);
    await clock.advance(1);
    expect(passed).toEqual(["a", "b", "c", "d"]);
    await clock.advance(1000);
    expect(passed).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("turns requests away when too many wait", async () => {
    const clock = new TestClock();
    const gate = new RateGate(clock, { permits: 1, period: 1000 });
    const results = Array.from({ length: 300 }, () => gate.pass());
    await clock.advance(1_000_000);
    expect((await Promise.all(results)).filter((passed) => !passed)).toHaveLength(99);
  });

  it("is configured as Mesos'", () => {
    expect(parseRate("10/5secs")).toEqual({ permits: 10, period: 5000 });
    expect(parseRate("")).toBeUndefined();
    for (const text of ["x", "0/1secs", "1/", "1/2/3", "1/5"]) expect(() => parseRate(text), text).toThrow(UserError);
  });
});

describe("small rules", () => {
  it("modes as ls shows them", () => {
    expect([0o100644, 0o40755, 0o120777, 0o41777, 0o104755, 0o102644, 0o20620, 0o10600].map(modeText)).toEqual([
      "-rw-r--r--",
      "drwxr-xr-x",
      "lrwxrwxrwx",
      "drwxrwxrwt",
      "-rwsr-xr-x",
      "-rw-r-Sr--",
      "crw--w----",
      "prw-------",
    ]);
  });

  it("names of downloads cannot break the header", () => {
    expect(dispositionOf("/a/b.log")).toBe("attachment; filename=b.log");
    expect(dispositionOf('/a/x"\r\nset-cookie: y')).toBe(
      `attachment; filename="x___set-cookie: y"; filename*=UTF-8''x%22%0D%0Aset-cookie%3A%20y`,
    );
  });

  it("Accept headers", () => {
    const headers = {
      contentType: "application/json; charset=utf-8",
      accept: "*/*",
      messageAccept: undefined,
      messageContentType: undefined,
    };
    expect(negotiate(headers)).toEqual({
      ...{ request: "application/json", response: "application/json" },
      ...{ isStreamedRequest: false, isStreamedResponse: false },
    });
    expect(negotiate({ ...headers, accept: "application/x-protobuf" })).toMatchObject({
      response: "application/x-protobuf",
    });
  });

  it("log levels go back, also when set twice", async () => {
    const clock = new TestClock();
    const log = { verbosity: 1 };
    const level = new LoggingLevel(log, clock);
    level.set(3, 1000);
    level.set(2, 5000);
    await clock.advance(4999);
    expect(log.verbosity).toBe(2);
    await clock.advance(1);
    expect(log.verbosity).toBe(1);
    expect(() => level.set(0, 1000)).toThrow("Invalid level 0");
    level.set(9, 1000);
    level.close();
    expect([log.verbosity, clock.pending]).toEqual([1, 0]);
  });
});

describe("GET_EXECUTORS", () => {
  const secret = { type: Secret_Type.VALUE, value: { data: new TextEncoder().encode("s3cret") } };
  const environment = { variables: [{ name: "P", type: Environment_Variable_Type.SECRET, secret }] };
  /** An agent with one command task, whose command and kill policy are these. */
  function shown(command: CommandInfo, grace: bigint): Response_GetExecutors {
    const view = agentView({ tasks: 1 });
    const [framework] = view.snapshot().frameworks;
    const executor = framework?.executors.get("task-0");
    const task = executor?.tasks.get("task-0");
    if (framework === undefined || executor === undefined || task?.info === undefined) throw new Error("no task");
    task.info.killPolicy = create(KillPolicySchema, { gracePeriod: { nanoseconds: grace } });
    executor.info.command = command;
    const flags = new Map([["launcher_dir", "/opt/mesos"]]);
    const bytes = encoding(executorsMessage({ ...view.snapshot(), frameworks: [framework] }, flags));
    let step = bytes.next();
    while (step.done !== true) step = bytes.next();
    return decode(Response_GetExecutorsSchema, Buffer.concat(step.value));
  }
  const command = create(CommandInfoSchema, { value: "sleep 1", user: "web", environment });

  it("shows a command task's executor as C++ agents make it, without the value of a secret", () => {
    const message = shown(command, 5_000_000_000n);
    const info = message.executors[0]?.executorInfo;
    expect(info).toMatchObject({
      executorId: { value: "task-0" },
      command: {
        shell: false,
        value: "/opt/mesos/mesos-executor",
        arguments: ["mesos-executor", "--launcher_dir=/opt/mesos"],
        user: "web",
        environment: { variables: [{ name: "P" }] },
      },
      shutdownGracePeriod: { nanoseconds: 7_000_000_000n },
    });
    const resources = info?.resources.map(({ name, scalar, allocationInfo }) => [
      name,
      scalar?.value,
      allocationInfo?.role,
    ]);
    expect(resources).toEqual([
      ["cpus", 0.1, "*"],
      ["mem", 32, "*"],
    ]);
    expect(info?.command?.environment?.variables[0]?.secret).toMatchObject({ type: Secret_Type.VALUE });
    expect(info?.command?.environment?.variables[0]?.secret?.value).toBeUndefined();
    expect(command.environment?.variables[0]?.secret?.value, "the agent still has it").toBeDefined();
  });

  it("lists what there is none of, in JSON", () => {
    expect(toJson(Response_GetExecutorsSchema, shown(command, 0n))).toMatchObject({ completed_executors: [] });
    expect(toJson(Response_GetTasksSchema, create(Response_GetTasksSchema))).toEqual({
      pending_tasks: [],
      queued_tasks: [],
      launched_tasks: [],
      terminated_tasks: [],
      completed_tasks: [],
    });
  });
});

describe("/state", () => {
  it("shows reservations, drains, domains, limits and buckets as Mesos does", async () => {
    const view = agentView({ tasks: 1 });
    const snapshot = view.snapshot();
    const [framework] = snapshot.frameworks;
    const executor = framework?.executors.get("task-0");
    const task = executor?.tasks.get("task-0");
    if (executor === undefined || task?.info === undefined) throw new Error("the view has a task");
    const ended = { ...task, taskId: "old", bucket: "completed" as const };
    executor.completed.push(ended);
    task.bucket = "queued";
    const shownView = {
      ...view,
      logDir: "/var/log/mesos",
      snapshot: () => ({ ...snapshot, masterHostname: "m" }),
    };
    const state = JSON.parse(await stateText(shownView)) as Record<string, unknown>;
    expect(state).toMatchObject({ log_dir: "/var/log/mesos", master_hostname: "m" });
    expect(state["unreserved_resources_allocated"]).toMatchObject({ cpus: 0.1, mem: 32 });
    expect(state["unreserved_resources_full"]).toContainEqual(
      expect.objectContaining({ name: "cpus", role: "*", scalar: { value: 8 }, type: "SCALAR" }),
    );
    const [shown] =
      (state["frameworks"] as unknown as { executors: Record<string, unknown[]>[] }[])[0]?.executors ?? [];
    expect(shown?.["tasks"]).toEqual([]);
    expect(shown?.["queued_tasks"]).toEqual([
      expect.objectContaining({
        id: "task-0",
        slave_id: "agent-1",
        role: "*",
        command: expect.objectContaining({ value: "sleep 1000", shell: true }),
      }),
    ]);
    expect(shown?.["role"]).toBe("*");
    expect(shown?.["completed_tasks"]).toEqual([expect.objectContaining({ id: "task-0" })]);
  });

  it("of thousands of tasks is made in many turns, each task in one list whatever becomes of it meanwhile", async () => {
    const view = agentView({ tasks: 2000 });
    const [framework] = view.snapshot().frameworks;
    const executors = [...(framework?.executors.values() ?? [])];
    const pace = new Pace(15);
    const making = stateText(view, pace);
    // What ends meanwhile has not been shown, or has been.
    for (const executor of executors) {
      await new Promise((resolve) => setImmediate(resolve));
      framework?.executors.delete(executor.executorId);
      framework?.completedExecutors.push(executor);
      if (pace.turns > 40) break;
    }
    const state = JSON.parse(await making) as { frameworks: Record<string, { tasks: { id: string }[] }[]>[] };
    const [shown] = state.frameworks;
    expect(shown?.["completed_executors"]).toEqual([]);
    const ids = shown?.["executors"]?.flatMap(({ tasks }) => tasks.map(({ id }) => id));
    expect(ids).toEqual(executors.map(({ executorId }) => executorId));
    expect(pace.turns).toBeGreaterThan(100);
  });

  it("is the same text in one turn or in many", async () => {
    const view = agentView({ tasks: 3 });
    const all = await stateText(view, new Pace(Number.POSITIVE_INFINITY));
    expect(await stateText(view, new Pace(1))).toBe(all);
    expect(JSON.stringify(JSON.parse(all))).toBe(all);
  });
});
