import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { beforeEach, describe, expect, it } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import { silentLogger } from "../../base/log.ts";
import {
  AgentInfoSchema,
  ContainerStatusSchema,
  ExecutorInfoSchema,
  FrameworkInfoSchema,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { Metrics } from "../metrics/registry.ts";
import type { Containerizer } from "../model/container.ts";
import { Identity } from "../model/identity.ts";
import { Paths } from "../model/paths.ts";
import type { ExecutorRecord, FrameworkRecord } from "../model/records.ts";
import { LaunchRunner } from "./launch.ts";
import { fetchStage } from "./stages/fetch.ts";
import { launchStages } from "./stages/list.ts";
import type { Stage } from "./stages/stage.ts";
import { TaskUsers } from "./task-users.ts";

const clock = new TestClock();
const framework: FrameworkRecord = {
  frameworkId: "f",
  info: create(FrameworkInfoSchema, { user: "u", name: "n" }),
  pid: undefined,
  state: "RUNNING",
  executors: new Map(),
  pending: new Map(),
  completedExecutors: [],
};
const executorOf = (command: object = { value: "x" }): ExecutorRecord => ({
  executorId: "e",
  frameworkId: "f",
  info: create(ExecutorInfoSchema, { executorId: { value: "e" }, command }),
  containerId: "c",
  directory: "/sandbox",
  kind: "command",
  state: "REGISTERING",
  containerizer: undefined,
  pid: undefined,
  tasks: new Map(),
  completed: [],
  everDelivered: false,
  since: 0,
});

let happened: string[];
let metrics: Metrics;
const started = { pid: 7, status: create(ContainerStatusSchema), data: undefined };

/** A stage that writes down what is asked of it. */
const stage = (name: string, more: Partial<Stage> = {}): Stage => ({
  name,
  prepare: () => void happened.push(name),
  recover: () => void happened.push(`recover ${name}`),
  cleanup: () => void happened.push(`undo ${name}`),
  ...more,
});
const starts = (): Stage =>
  stage("start", {
    prepare: (launch) => {
      happened.push("start");
      launch.started = started;
    },
  });

function runnerOf(stages: readonly Stage[]): LaunchRunner {
  const identity = new Identity(create(AgentInfoSchema, { id: { value: "S1" } }), 0);
  const users = new TaskUsers({ switch_user: true }, true);
  return new LaunchRunner({ clock, log: silentLogger, stages, identity, users, metrics });
}
const go = (runner: LaunchRunner, executor = executorOf(), signal = new AbortController().signal) =>
  runner.prepare(framework, executor, undefined, signal);

beforeEach(() => {
  happened = [];
  metrics = new Metrics(clock);
});

describe("a launch", () => {
  it("takes its stages in order", async () => {
    const seen: unknown[] = [];
    const last = stage("last", {
      prepare: ({ run, user, started }) => void seen.push(run.agentId, user, started?.pid),
    });
    expect(await go(runnerOf([stage("a"), stage("b"), starts(), last]))).toBe(started);
    expect(happened).toEqual(["a", "b", "start"]);
    expect(seen).toEqual(["S1", "u", 7]);
  });

  it("that fails is undone in reverse, the failing stage too, whatever the undoing does", async () => {
    const fails = stage("fails", { prepare: () => Promise.reject(new Error("no room")) });
    const stubborn = stage("stubborn", { cleanup: () => Promise.reject(new Error("stuck")) });
    await expect(go(runnerOf([stage("a"), stubborn, fails, starts()]))).rejects.toThrow("no room");
    expect(happened).toEqual(["a", "stubborn", "undo fails", "undo a"]);
    expect((await metrics.snapshot()).get("slave/container_launch_errors")).toBe(1);
  });

  it("that fails after its container runs takes the container back", async () => {
    const fails = stage("fails", { prepare: () => Promise.reject(new Error("disk full")) });
    await expect(go(runnerOf([starts(), fails]))).rejects.toThrow("disk full");
    expect(happened).toEqual(["start", "undo fails", "undo start"]);
  });

  it("that fails says why where people look: stdout and stderr are there", async () => {
    const directory = mkdtempSync(join(tmpdir(), "launch-"));
    try {
      const fails = stage("fails", { prepare: () => Promise.reject(new Error("Failed to pull image 'x'")) });
      await expect(go(runnerOf([fails]), { ...executorOf(), directory })).rejects.toThrow("pull");
      expect(readFileSync(join(directory, "stdout"), "utf8")).toBe("");
      expect(readFileSync(join(directory, "stderr"), "utf8")).toMatch(/^E.*\] Failed to pull image 'x'\n$/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("that is killed between two stages goes no further", async () => {
    const abort = new AbortController();
    const killed = stage("a", { prepare: () => abort.abort(new Error("killed")) });
    await expect(go(runnerOf([killed, starts()]), executorOf(), abort.signal)).rejects.toThrow("killed");
    expect(happened).toEqual(["undo a"]);
  });

  it("that is killed once its container runs is finished: the kill ends it like any other", async () => {
    const abort = new AbortController();
    const late = stage("start", {
      prepare: (launch) => {
        launch.started = started;
        abort.abort(new Error("killed"));
      },
    });
    expect(await go(runnerOf([late, stage("last")]), executorOf(), abort.signal)).toBe(started);
    expect(happened).toEqual(["last"]);
  });

  it("of an agent that leaves is not undone: the next one finds what became of it", async () => {
    const runner: LaunchRunner = runnerOf([
      stage("a"),
      stage("fails", {
        prepare: () => {
          runner.close();
          throw new Error("closing");
        },
      }),
    ]);
    await expect(go(runner)).rejects.toThrow("closing");
    expect(happened).toEqual(["a"]);
  });

  it("is recovered stage by stage", () => {
    runnerOf([stage("a"), stage("b")]).recover({ framework, executor: executorOf() });
    expect(happened).toEqual(["recover a", "recover b"]);
  });
});

describe("the stages of a launch", () => {
  it("fetch nothing, and ask nobody, without URIs; else as the task's user, into its sandbox", async () => {
    const asked: unknown[] = [];
    const fetcher = {
      fetch: async ({
        uris,
        signal,
        progress: _progress,
        ...request
      }: Parameters<Parameters<typeof fetchStage>[0]["fetch"]>[0]) => {
        asked.push({ ...request, uris: uris.map(({ value }) => value), aborted: signal.aborted });
      },
    };
    const runner = runnerOf([fetchStage(fetcher), starts()]);
    await go(runner);
    expect(asked).toEqual([]);
    await go(runner, executorOf({ value: "x", uris: [{ value: "http://h/a" }] }));
    expect(asked).toEqual([{ containerId: "c", sandbox: "/sandbox", user: "u", uris: ["http://h/a"], aborted: false }]);
  });

  it("refuse what no containerizer runs before anything is fetched", async () => {
    const containerizer = {
      name: "picky",
      accepts: () => true,
      check: () => {
        throw new Error("not that");
      },
    } as unknown as Containerizer;
    const stages = launchStages({
      log: silentLogger,
      store: {} as never,
      paths: new Paths("/work"),
      sandboxes: { create: () => void happened.push("sandbox") },
      shown: { attach: () => void happened.push("shown"), attachPast: () => undefined },
      fetcher: { fetch: async () => void happened.push("fetched") },
      containerizers: [containerizer],
      environment: {} as never,
      cfs: false,
    });
    const executor = executorOf({ value: "x", uris: [{ value: "http://h/a" }] });
    await expect(go(runnerOf(stages), executor)).rejects.toThrow("not that");
    expect(happened).toEqual(["shown", "sandbox"]);
    expect(stages.map(({ name }) => name)).toEqual([
      "sandbox",
      "containerizer",
      "volumes",
      "fetch",
      "container",
      "forked pid",
    ]);
  });
});
