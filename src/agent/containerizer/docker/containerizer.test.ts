import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeEngine } from "../../../../test/support/fake-engine.ts";
import { settle, TestClock } from "../../../../test/support/test-clock.ts";
import { silentLogger } from "../../../base/log.ts";
import {
  CommandInfoSchema,
  ContainerInfo_Type,
  ContainerInfoSchema,
  ExecutorInfoSchema,
  FrameworkInfoSchema,
  ResourceSchema,
  TaskState,
  TaskStatus_Reason,
  Value_Type,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { CheckpointedContainer } from "../../model/container.ts";
import { DockerContainerizer } from "./containerizer.ts";
import { label } from "./identity.ts";
import { StateFiles } from "./state-files.ts";

let folder: string;
let daemon: FakeEngine;
let clock: TestClock;
let containerizer: DockerContainerizer;
let warnings: string[];
let labels: (containerId: string) => Record<string, string>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "docker-"));
  daemon = new FakeEngine();
  clock = new TestClock();
  warnings = [];
  const key = await new StateFiles(join(folder, "docker")).agentKey();
  labels = (containerId) => ({ [label.agentKey]: key, [label.containerId]: containerId });
  containerizer = await open();
});

afterEach(async () => {
  await containerizer.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(): Promise<DockerContainerizer> {
  // Of this test: what another has left under way complains to its own.
  const heard = warnings;
  return DockerContainerizer.open({
    engine: daemon.engine,
    workDir: folder,
    stateDirectory: join(folder, "docker"),
    agent: { id: "S0" },
    clock,
    log: { ...silentLogger, warn: (message) => void heard.push(message) },
    diskQuota: { interval: 15_000, enforce: true },
  });
}

function checkpointed(containerId: string): CheckpointedContainer {
  const sandbox = join(folder, containerId);
  mkdirSync(sandbox);
  return {
    containerId,
    framework: create(FrameworkInfoSchema, { user: "u", name: "f" }),
    executor: create(ExecutorInfoSchema, { executorId: { value: "e" } }),
    task: undefined,
    command: create(CommandInfoSchema, {}),
    container: create(ContainerInfoSchema, { type: ContainerInfo_Type.DOCKER, docker: { image: "i" } }),
    sandbox,
    user: undefined,
    resources: [],
    limits: {},
    checkpoint: true,
    pid: undefined,
  };
}

it("a container whose end nobody announced is found by the sweep", async () => {
  daemon.add("d1", labels("one"));
  expect([...(await containerizer.recover([checkpointed("one")]))]).toEqual(["one"]);
  let ended: unknown;
  void containerizer.wait("one").then((termination) => {
    ended = termination;
  });
  await settle();
  daemon.end("d1", 3);
  await clock.advance(29_000);
  expect(ended).toBeUndefined();
  // What it finds is written down, and the output is given some time to come to its end.
  const deadline = performance.now() + 20_000;
  while (ended === undefined && performance.now() < deadline) await clock.advance(1_000);
  expect(ended).toMatchObject({ status: 3 << 8 });
});

it("a stop without any grace asks first all the same, and then kills", async () => {
  daemon.add("d1", labels("one"));
  await containerizer.recover([checkpointed("one")]);
  await containerizer.stop("one", 0);
  expect(daemon.asked.filter((what) => what.startsWith("kill")).slice(0, 2)).toEqual([
    "kill d1 SIGTERM",
    "kill d1 SIGKILL",
  ]);
});

it("a container that does not die is killed again after a while, not at once and for ever", async () => {
  daemon.add("d1", labels("one"));
  await containerizer.recover([checkpointed("one")]);
  await containerizer.stop("one", 0);
  await clock.advance(11_000);
  expect(daemon.asked.length).toBeGreaterThan(2);
  expect(daemon.asked.length).toBeLessThan(6);
});

it("a FIFO that a task left in the place of its output keeps nobody: its end is reported", async () => {
  const container = checkpointed("one");
  for (const name of ["stdout", "stderr"]) execFileSync("mkfifo", [join(container.sandbox, name)]);
  daemon.add("d1", labels("one"));
  daemon.end("d1", 3);
  expect([...(await containerizer.recover([container]))]).toEqual(["one"]);
  expect(await containerizer.wait("one")).toMatchObject({ status: 3 << 8 });
});

it("a container that cannot be looked at does not keep the agent from coming back", async () => {
  const never = () => new Promise<never>(() => undefined);
  const engine = new Proxy(daemon.engine, {
    get: (target, name) => (name === "inspect" ? never : Reflect.get(target, name)),
  });
  const stateDirectory = join(folder, "docker");
  const options = { engine, workDir: folder, stateDirectory, agent: { id: "S0" }, clock, log: silentLogger };
  const stuck = await DockerContainerizer.open(options);
  daemon.add("d1", labels("one"));
  let recovered: ReadonlySet<string> | undefined;
  void stuck.recover([checkpointed("one")]).then((ids) => {
    recovered = ids;
  });
  const deadline = performance.now() + 20_000;
  let waited = 0;
  for (; recovered === undefined && performance.now() < deadline; waited += 1_000) await clock.advance(1_000);
  expect([...(recovered ?? [])]).toEqual(["one"]);
  expect(waited).toBeGreaterThanOrEqual(30_000);
  await stuck.close();
});

it.each(["remove", "inspect"])(
  "a daemon that answers no %s of what is left over does not keep the agent from coming back",
  async (call) => {
    daemon.add("d1", labels("orphan one"));
    daemon.add("d2", labels("orphan two"));
    daemon.add("d3", labels("dead"), { status: "exited", running: false });
    const never = () => new Promise<never>(() => undefined);
    const engine = new Proxy(daemon.engine, {
      get: (target, name) => (name === call ? never : Reflect.get(target, name)),
    });
    const stateDirectory = join(folder, "docker");
    const options = { engine, workDir: folder, stateDirectory, agent: { id: "S0" }, clock, log: silentLogger };
    const stuck = await DockerContainerizer.open(options);
    let recovered: ReadonlySet<string> | undefined;
    void stuck.recover([]).then((ids) => {
      recovered = ids;
    });
    const deadline = performance.now() + 20_000;
    while (recovered === undefined && performance.now() < deadline) await clock.advance(1_000);
    expect(recovered?.size).toBe(0);
    await stuck.close();
  },
);

it("an orphan of its own is ended, nobody else's container is touched", async () => {
  daemon.add("d1", labels("one"));
  daemon.add("d2", labels("two"));
  daemon.add("d3", { ...labels("three"), [label.agentKey]: "another agent's" });
  daemon.add("d4", {});
  await containerizer.recover([checkpointed("one")]);
  expect(daemon.asked).toEqual(["remove d2"]);
});

it("a clock that is set back while a container is being ended makes no grace longer", async () => {
  daemon.add("d1", labels("one"));
  await containerizer.recover([checkpointed("one")]);
  await containerizer.stop("one", 30_000);
  clock.set(-3_600_000);
  await containerizer.stop("one", 5_000);
  const kills = () => daemon.asked.filter((what) => what === "kill d1 SIGKILL").length;
  await clock.advance(4_999);
  expect(kills()).toBe(0);
  await clock.advance(1);
  expect(kills()).toBe(1);
});

it("a container that is stopped without any grace hears of it first", async () => {
  daemon.add("d1", labels("one"));
  await containerizer.recover([checkpointed("one")]);
  await containerizer.stop("one", 0);
  expect(daemon.asked.slice(0, 2)).toEqual(["kill d1 SIGTERM", "kill d1 SIGKILL"]);
});

describe("a quota of 10 MB of disk", () => {
  const MB = 1024 * 1024;
  const scalar = (name: string, value: number) =>
    create(ResourceSchema, { name, type: Value_Type.SCALAR, scalar: { value } });
  const disk = scalar("disk", 10);

  /** du(1) is a real process: time moves on until it was heard of. */
  async function pass(until: () => boolean): Promise<void> {
    const deadline = performance.now() + 20_000;
    while (!until() && performance.now() < deadline) await clock.advance(15_000);
  }

  async function overQuota(): Promise<CheckpointedContainer> {
    const subject = { ...checkpointed("one"), resources: [disk] };
    writeFileSync(join(subject.sandbox, "file"), Buffer.alloc(6 * MB, "x"));
    daemon.add("d1", labels("one"));
    daemon.layers.set("d1", 3 * MB);
    await containerizer.recover([subject]);
    await pass(() => daemon.layerLooks > 1);
    expect(daemon.asked).toEqual([]);
    daemon.layers.set("d1", 7 * MB);
    await pass(() => daemon.asked.length > 1);
    expect(daemon.asked.slice(0, 2)).toEqual(["kill d1 SIGTERM", "kill d1 SIGKILL"]);
    return subject;
  }
  async function endsLimited(): Promise<void> {
    daemon.end("d1", 137);
    let ended: unknown;
    void containerizer.wait("one").then((termination) => {
      ended = termination;
    });
    await pass(() => ended !== undefined);
    expect(ended).toMatchObject({
      state: TaskState.TASK_FAILED,
      reason: TaskStatus_Reason.CONTAINER_LIMITATION_DISK,
      message: expect.stringMatching(/^Disk usage \(13\d\d\dKB\) exceeds quota \(10MB\)$/),
      limitation: [{ name: "disk", scalar: { value: expect.closeTo(13, 0) } }],
    });
  }

  it("counts the sandbox and the container's own layer together, and ends what is above, saying why", async () => {
    await overQuota();
    await endsLimited();
  });

  it("is shown with what is used, becomes what an update says, and ends with its container", async () => {
    const subjects = ["one", "two"].map((id) => ({ ...checkpointed(id), resources: [disk] }));
    daemon.add("d1", labels("one"));
    daemon.add("d2", labels("two"));
    daemon.layers.set("d1", 7 * MB);
    await containerizer.recover(subjects);
    await pass(() => daemon.layerLooks > 2);
    const usage = await containerizer.usage("one");
    expect(usage).toMatchObject({ diskLimitBytes: BigInt(10 * MB), diskUsedBytes: expect.any(BigInt) });
    expect(Number(usage?.diskUsedBytes)).toBeGreaterThanOrEqual(7 * MB);
    await containerizer.update("one", [scalar("disk", 20)], {});
    daemon.layers.set("d1", 17 * MB);
    const before = daemon.layerLooks;
    await pass(() => daemon.layerLooks > before + 3);
    expect([daemon.asked, (await containerizer.usage("one"))?.diskLimitBytes]).toEqual([[], BigInt(20 * MB)]);
    daemon.end("d1", 0);
    let isOver = false;
    void containerizer.wait("one").then(() => {
      isOver = true;
    });
    await pass(() => isOver);
    await containerizer.remove("one");
    const since = daemon.layerLooks;
    // Of the two that are looked at in turn only the other is left.
    await pass(() => daemon.layerLooks > since + 2);
    expect(warnings.filter((line) => line.startsWith("Measuring"))).toEqual([]);
  });

  it("ends it also where the disk takes no note of that", async () => {
    const subject = { ...checkpointed("one"), resources: [disk] };
    daemon.add("d1", labels("one"));
    await containerizer.recover([subject]);
    const notes = join(folder, "docker/containers/one");
    rmSync(notes, { recursive: true, force: true });
    writeFileSync(notes, "no folder");
    daemon.layers.set("d1", 11 * MB);
    await pass(() => daemon.asked.length > 1);
    expect(daemon.asked.slice(0, 2)).toEqual(["kill d1 SIGTERM", "kill d1 SIGKILL"]);
  });

  it("says why after a restart, too, and after a kill that comes on top", async () => {
    const subject = await overQuota();
    await containerizer.stop("one", 0);
    await containerizer.close();
    // What it wrote is gone meanwhile: nothing but the note tells of it.
    rmSync(join(subject.sandbox, "file"));
    daemon.layers.set("d1", 0);
    containerizer = await open();
    await containerizer.recover([subject]);
    await endsLimited();
  });
});
