import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { settle, TestClock } from "../../../../test/support/test-clock.ts";
import { Pace } from "../../../base/pace.ts";
import { type Resource, ResourceSchema, Value_Type } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { GroupControl } from "./control.ts";
import { Groups } from "./group.ts";
import type { Controller, Mount } from "./hierarchy.ts";

const MB = 1024 * 1024;

let folder: string;
/** Mounts that look like those of v1: one for CPU and its accounting, one for memory. */
let mounts: ReadonlyMap<Controller, Mount>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cgroup1-"));
  for (const name of ["cpu", "memory"]) mkdirSync(join(folder, name));
  const cpu: Mount = { version: 1, path: join(folder, "cpu") };
  mounts = new Map([
    ["cpu", cpu],
    ["cpuacct", cpu],
    ["memory", { version: 1, path: join(folder, "memory") }],
  ]);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const prepared = (agent = "agent-1"): Groups => {
  const groups = new Groups(mounts, "/mesos", agent);
  expect(groups.prepare()).toEqual([]);
  return groups;
};
const at = (controller: string, ...names: string[]): string => join(folder, controller, "mesos/agent-1", ...names);

describe("memory that is ordered on v1", () => {
  const limits = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes"];
  /** A container of 64 MB, by an agent that limits swap; returns what its files say now. */
  function contained() {
    mkdirSync(at("memory"), { recursive: true });
    writeFileSync(at("memory", "memory.memsw.limit_in_bytes"), "");
    const control = new GroupControl(new Set(["cgroups/mem"]), {
      ...{ clock: new TestClock(), hierarchy: folder, root: "mesos", agent: "agent-1", destroyTimeout: 1000 },
      settings: { cfs: false, swap: true },
      mounts: `cgroup ${folder}/memory cgroup rw,memory 0 0\n`,
    });
    const mem = create(ResourceSchema, { name: "mem", type: Value_Type.SCALAR, scalar: { value: 64 } });
    control.prepare({ containerId: "c1", resources: [mem], limits: {} }, () => undefined);
    const now = () => limits.map((name) => Number(readFileSync(at("memory", "c1", name), "utf8")) / MB);
    return { control, now };
  }

  it("is in force in each file", async () => {
    const { control, now } = contained();
    for (const megabytes of [40, 100]) {
      expect(await control.limitMemory("c1", megabytes * MB)).toBe(true);
      expect(now()).toEqual([megabytes, megabytes, megabytes]);
    }
    control.close();
  });

  it("leaves the limit as it was when the kernel takes it only in part", async () => {
    const { control } = contained();
    const both = at("memory", "c1/memory.memsw.limit_in_bytes");
    rmSync(both);
    mkdirSync(both);
    await expect(control.limitMemory("c1", 40 * MB)).rejects.toThrow("memory.memsw.limit_in_bytes");
    const left = [limits[0], limits[2]].map((name) => Number(readFileSync(at("memory", "c1", `${name}`), "utf8")) / MB);
    expect(left).toEqual([64, 64]);
    control.close();
  });
});

describe("the groups of a container", () => {
  it("are one in each mount, below the agent's own", () => {
    const groups = prepared();
    expect(groups.exists("c1")).toBe(false);
    groups.create("c1");
    expect(groups.homes("c1")).toEqual([at("cpu", "c1"), at("memory", "c1")]);
    expect(groups.homes("c1").map((path) => existsSync(path))).toEqual([true, true]);
    expect([groups.exists("c1"), groups.exists("c2")]).toEqual([true, false]);
    expect(groups.ids()).toEqual(["c1"]);
    writeFileSync(at("cpu", "cpu.shares"), "");
    expect(groups.ids(), "files of the kernel are no containers").toEqual(["c1"]);
  });

  it("are written and read where the controller is, and nowhere when it is not had", () => {
    const groups = prepared();
    groups.create("c1");
    groups.write("c1", { controller: "memory", file: "memory.limit_in_bytes", value: "64" });
    expect(readFileSync(at("memory", "c1/memory.limit_in_bytes"), "utf8")).toBe("64");
    expect(groups.read("c1", "memory", "memory.limit_in_bytes")).toBe("64");
    expect(groups.read("c1", "memory", "memory.none")).toBeUndefined();
    groups.write("c1", { controller: "pids", file: "pids.max", value: "1" });
    expect(groups.read("c1", "pids", "pids.max")).toBeUndefined();
    expect([groups.has("memory"), groups.has("pids"), groups.version("memory")]).toEqual([true, false, 1]);
    expect(() => groups.write("c2", { controller: "memory", file: "x", value: "64" })).toThrow(
      `writing '64' to '${at("memory", "c2/x")}': ENOENT`,
    );
  });

  it("of a container within another lie in its own, and are listed before it", async () => {
    const groups = prepared();
    groups.create("c1");
    groups.create("c1.n1");
    groups.create("c2");
    expect(groups.homes("c1.n1")).toEqual([at("cpu", "c1/mesos/n1"), at("memory", "c1/mesos/n1")]);
    expect(existsSync(at("memory", "c1/mesos/n1"))).toBe(true);
    expect(groups.ids().toSorted()).toEqual(["c1", "c1.n1", "c2"]);
    expect(groups.ids().indexOf("c1.n1")).toBeLessThan(groups.ids().indexOf("c1"));
    await groups.remove("c1.n1", new TestClock(), 0);
    expect([groups.exists("c1.n1"), groups.exists("c1")]).toEqual([false, true]);
    expect([groups.unified(), groups.leaf("c1"), groups.readUnified("c1", "x")]).toEqual(Array(3).fill(undefined));
  });

  it("of agents whose names lie within each other do not", () => {
    const [outer, inner] = [prepared("/var/lib"), prepared("/var/lib/mesos")];
    outer.create("c1");
    expect(inner.ids()).toEqual([]);
    expect(outer.homes("c1")[0]).toMatch(/\/mesos\/[0-9a-f]{16}\/c1$/);
  });

  it("go, and what still runs in them is killed until they can", async () => {
    const groups = prepared();
    groups.create("c1");
    const sleeper = spawn("sleep", ["1000"], { stdio: "ignore" });
    const ended = new Promise((resolve) => sleeper.once("exit", (_code, signal) => resolve(signal)));
    // A folder with a file in it cannot be removed, as a group with a process.
    writeFileSync(at("memory", "c1/cgroup.procs"), `0\n${sleeper.pid}\n`);
    const clock = new TestClock();
    const removed = groups.remove("c1", clock, 1_000);
    expect(await ended).toBe("SIGKILL");
    expect(existsSync(at("cpu", "c1"))).toBe(false);
    await clock.advance(100);
    rmSync(at("memory", "c1/cgroup.procs"));
    await clock.advance(100);
    await removed;
    expect(groups.exists("c1")).toBe(false);
    await groups.remove("c1", clock, 1_000);
  });

  it("that cannot be removed in time are an error", async () => {
    const groups = prepared();
    groups.create("c1");
    writeFileSync(at("cpu", "c1/cgroup.procs"), "");
    const clock = new TestClock();
    let failed: unknown;
    groups.remove("c1", clock, 1_000).catch((error: unknown) => {
      failed = error;
    });
    await clock.advance(980);
    expect(failed).toBeUndefined();
    await clock.advance(20);
    expect(failed).toMatchObject({ code: "ENOTEMPTY" });
  });
});

it("groups that may not be made name the rights that are missing", () => {
  // Nobody makes folders in /proc.
  const groups = new Groups(new Map([["cpu", { version: 1, path: "/sys/kernel" } as const]]), "mesos", "agent-1");
  expect(() => groups.prepare()).toThrow(/^cannot make the control group '\/sys\/kernel\/mesos\/agent-1': E/);
});

describe("control groups of v1", () => {
  const scalar = (name: string, value: number): Resource =>
    create(ResourceSchema, { name, type: Value_Type.SCALAR, scalar: { value } });
  const open = (clock = new TestClock(), names = ["cgroups/cpu", "cgroups/mem"], pace = new Pace(64)) =>
    new GroupControl(new Set(names), {
      clock,
      pace,
      hierarchy: folder,
      root: "mesos",
      agent: "agent-1",
      destroyTimeout: 1_000,
      settings: { cfs: true, swap: false },
      mounts: [
        `cgroup ${folder}/cpu cgroup rw,cpu,cpuacct 0 0`,
        `cgroup ${folder}/memory cgroup rw,memory 0 0`,
        "",
      ].join("\n"),
    });
  const read = (controller: string, file: string): string => readFileSync(at(controller, "c1", file), "utf8");
  const spec = { containerId: "c1", resources: [scalar("cpus", 2), scalar("mem", 64)], limits: {} };

  it("are set, changed, and measured", () => {
    const control = open();
    control.prepare(spec, () => undefined);
    expect(read("cpu", "cpu.shares")).toBe("2048");
    expect(read("cpu", "cpu.cfs_quota_us")).toBe("200000");
    expect(read("memory", "memory.limit_in_bytes")).toBe(`${64 * MB}`);
    expect(control.members("c1")).toEqual([at("cpu", "c1/cgroup.procs"), at("memory", "c1/cgroup.procs")]);
    control.update("c1", [scalar("cpus", 1), scalar("mem", 128)], {});
    expect([read("cpu", "cpu.shares"), read("memory", "memory.limit_in_bytes")]).toEqual(["1024", `${128 * MB}`]);
    writeFileSync(at("cpu", "c1/cpuacct.stat"), "user 250\nsystem 50\n");
    writeFileSync(at("memory", "c1/memory.stat"), "total_cache 4096\ntotal_rss 8192\n");
    expect(control.usage("c1")).toMatchObject({ cpusUserTimeSecs: 2.5, cpusSystemTimeSecs: 0.5, memRssBytes: 8192n });
    control.close();
  });

  it("of a container that nobody knows are nobody's", () => {
    const control = open();
    control.update("c1", spec.resources, {});
    expect([control.members("c1"), control.usage("c1"), control.limitation("c1")]).toEqual([[], {}, undefined]);
    control.recover({ containerId: "c1" }, () => undefined);
    expect(control.members("c1"), "an earlier agent did not make any").toEqual([]);
    control.close();
  });

  it("are taken up after a restart, with their limit; what is no container's any more goes", async () => {
    open().prepare(spec, () => undefined);
    const clock = new TestClock();
    const control = open(clock);
    const told: string[] = [];
    control.recover({ containerId: "c1" }, ({ message }) => told.push(message));
    await clock.advance(2_000);
    expect(told).toEqual([]);
    writeFileSync(at("memory", "c1/memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
    writeFileSync(at("memory", "c1/memory.max_usage_in_bytes"), `${63 * MB}\n`);
    await clock.advance(2_000);
    expect(told).toEqual([expect.stringContaining("Requested: 64MB Maximum Used: 63MB")]);
    expect(control.limitation("c1")?.resources).toMatchObject([{ name: "mem", scalar: { value: 63 }, role: "*" }]);
    for (const name of ["c1", "left"])
      for (const one of ["cpu", "memory"]) mkdirSync(at(one, name), { recursive: true });
    await control.sweep(new Set(["c1"]));
    expect([existsSync(at("cpu", "left")), existsSync(at("memory", "left")), existsSync(at("cpu", "c1"))]).toEqual([
      false,
      false,
      true,
    ]);
    control.close();
    await settle();
    expect(clock.pending).toBe(0);
  });

  it("are looked at in turns when there are many, and no more once nobody wants to know", async () => {
    const [clock, pace, told] = [new TestClock(), new Pace(10), [] as string[]];
    const control = open(clock, ["cgroups/mem"], pace);
    for (let index = 0; index < 100; index++) {
      const containerId = `c${index}`;
      control.prepare({ ...spec, containerId }, () => {
        if (told.push(containerId) === 130) control.close();
      });
      writeFileSync(at("memory", `${containerId}/memory.oom_control`), "oom_kill_disable 0\noom_kill 1\n");
      writeFileSync(at("memory", `${containerId}/memory.max_usage_in_bytes`), `${64 * MB}\n`);
    }
    const before = pace.turns;
    await clock.advance(2_000);
    await expect.poll(() => told.length).toBe(100);
    expect(pace.turns - before).toBeGreaterThanOrEqual(10);
    await clock.advance(2_000);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(told).toHaveLength(130);
  });

  it("hold what they are asked for, and measure no more", () => {
    const control = open(new TestClock(), ["cgroups/mem"]);
    expect([control.holds("cpus"), control.holds("mem")]).toEqual([false, true]);
    control.prepare(spec, () => undefined);
    expect(existsSync(at("cpu", "c1"))).toBe(false);
    control.close();
  });

  it("are what a container has that is made twice: it is refused", () => {
    const control = open();
    control.prepare(spec, () => undefined);
    expect(() => control.prepare(spec, () => undefined)).toThrow("the control group of container c1 exists already");
    control.close();
  });
});
