import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestClock } from "../../../../test/support/test-clock.ts";
import { type Resource, ResourceSchema, TaskStatus_Reason, Value_Type } from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { type ControlOptions, GroupControl } from "./control.ts";

/** Containers on a folder that looks like a cgroup v2 mount: files where the kernel has them, as far as we touch them. */
const MB = 1024 * 1024;
const scalar = (name: string, value: number): Resource =>
  create(ResourceSchema, { name, type: Value_Type.SCALAR, scalar: { value } });

let folder: string;
let clock: TestClock;
let control: GroupControl;
const lines: string[] = [];
const limitations: string[] = [];

/** Writes a file of a group; both are made. */
function put(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}
const read = (path: string): string => readFileSync(join(folder, path), "utf8");

function makeGroups(controllers: string, ...groups: readonly string[]): void {
  for (const group of groups) {
    put(join(group, "cgroup.controllers"), `${controllers}\n`);
    put(join(group, "cgroup.subtree_control"), "");
  }
}

function open(names: readonly string[], more: Partial<ControlOptions> = {}): GroupControl {
  return new GroupControl(new Set(names), {
    clock,
    hierarchy: folder,
    root: "mesos",
    agent: "agent-1",
    destroyTimeout: 1000,
    settings: { cfs: true, swap: false, pids: 500 },
    warn: (line) => lines.push(line),
    mounts: `cgroup2 ${folder} cgroup2 rw 0 0\n`,
    ...more,
  });
}

const limited = ({ message }: { message: string }): void => void limitations.push(message);
const spec = { containerId: "c1", resources: [scalar("cpus", 2), scalar("mem", 64)], limits: {} };
const ALL = ["cgroups/cpu", "cgroups/mem", "cgroups/pids"];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cgroup2-"));
  clock = new TestClock();
  lines.length = 0;
  limitations.length = 0;
  makeGroups("cpu memory pids", "", "mesos", "mesos/agent-1");
});
afterEach(() => {
  control.close();
  rmSync(folder, { recursive: true });
});

describe("a container", () => {
  const group = "mesos/agent-1/c1";

  it("has its limits in its own group, and its processes in a leaf that has the same controllers", async () => {
    control = open(ALL);
    await control.prepare(spec, limited);
    expect(read("mesos/agent-1/cgroup.subtree_control")).toBe("+pids");
    expect([control.holds("cpus"), control.holds("mem")]).toEqual([true, true]);
    const limits = ["cpu.weight", "cpu.max", "memory.max", "pids.max", "cgroup.subtree_control"];
    expect(limits.map((file) => read(join(group, file)))).toEqual([
      "200",
      "200000 100000",
      `${64 * MB}`,
      "500",
      "+cpu +memory +pids",
    ]);
    expect(control.members("c1")).toEqual([join(folder, group, "leaf/cgroup.procs")]);
    await expect(async () => control.prepare(spec, () => undefined)).rejects.toThrow("exists already");
  });

  it("that is ordered another memory limit keeps it, whatever its tasks have and whoever takes it up", async () => {
    control = open(ALL);
    await control.prepare(spec, limited);
    const limits = () => ["memory.low", "memory.max"].map((file) => Number(read(join(group, file))) / MB);
    expect(await control.limitMemory("c1", 40 * MB)).toBe(true);
    expect(limits()).toEqual([40, 40]);
    control.update("c1", [scalar("cpus", 1), scalar("mem", 256)], {});
    expect([limits(), read(join(group, "cpu.weight"))]).toEqual([[40, 40], "100"]);
    control.close();
    control = open(ALL);
    control.recover({ containerId: "c1" }, limited);
    expect(limits(), "a recovery changes nothing").toEqual([40, 40]);
    expect(await control.limitMemory("c1", 40 * MB)).toBe(true);
    control.update("c1", [scalar("mem", 256)], {});
    expect(limits()).toEqual([40, 40]);
    expect(await control.limitMemory("c1", 512 * MB)).toBe(true);
    expect(limits()).toEqual([512, 512]);
    expect(await control.limitMemory("unknown", 64 * MB)).toBe(false);
  });

  it("is not held to another memory limit where none is", async () => {
    control = open(["cgroups/cpu"]);
    await control.prepare(spec, limited);
    expect(await control.limitMemory("c1", 40 * MB)).toBe(false);
  });

  it("that an agent before this layout started stays where its processes are", () => {
    put(join(group, "cgroup.procs"), "77\n");
    control = open(ALL);
    control.recover({ containerId: "c1" }, limited);
    expect(control.members("c1")).toEqual([join(folder, group, "cgroup.procs")]);
  });

  it("sees its leaf alone when it has a cgroup namespace", async () => {
    makeGroups("cpu", "", "mesos", "mesos/agent-1");
    control = open(["namespaces/cgroup"]);
    await control.prepare(spec, limited);
    expect(control.ownGroup("c1")).toEqual({ path: join(folder, group, "leaf"), at: folder });
    expect(control.ownGroup("c2")).toBeUndefined();
    expect([control.members("c1"), control.usage("c1")]).toEqual([[join(folder, group, "leaf/cgroup.procs")], {}]);
    control.close();
    control = open(["cgroups/cpu"]);
    control.recover({ containerId: "c1" }, limited);
    expect(control.ownGroup("c1")).toBeUndefined();
    const v1 = `cgroup ${folder} cgroup rw,cpu,cpuacct 0 0\n`;
    expect(() => open(["cgroups/cpu", "namespaces/cgroup"], { mounts: v1 })).toThrow("needs cgroup v2");
  });

  it("is ended when its limit was reached", async () => {
    control = open(ALL);
    await control.prepare(spec, limited);
    expect(control.limitation("c1")).toBeUndefined();
    put(join(group, "memory.events"), "low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\n");
    put(join(group, "memory.peak"), `${64 * MB}\n`);
    put(join(group, "memory.stat"), "anon 1\n");
    await clock.advance(2000);
    expect(limitations).toEqual([
      "Memory limit exceeded: Requested: 64MB Maximum Used: 64MB\n\nMEMORY STATISTICS: \nanon 1\n",
    ]);
    expect(control.limitation("c1")).toMatchObject({ reason: TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY });
  });

  it("shows what the kernel says of its pressure", async () => {
    control = open(["cgroups/mem"]);
    await control.prepare(spec, limited);
    expect(Object.keys(control.usage("c1")).filter((name) => name.endsWith("Pressure"))).toEqual([]);
    put(
      join(group, "memory.pressure"),
      "some avg10=1.50 avg60=0.20 avg300=0.05 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=10\n",
    );
    // Older kernels have no `full` of the CPU; where PSI is switched off, reading fails or the file is empty.
    put(join(group, "cpu.pressure"), "some avg10=0.00 avg60=0.00 avg300=0.00 total=4\n");
    put(join(group, "io.pressure"), "");
    const { memPressure, cpuPressure, ioPressure } = control.usage("c1");
    expect(memPressure).toMatchObject({
      some: { avg10: 1.5, avg60: 0.2, avg300: 0.05, totalSecs: 2.5 },
      full: { avg10: 0, totalSecs: 0.00001 },
    });
    expect([cpuPressure?.some?.totalSecs, cpuPressure?.full, ioPressure]).toEqual([0.000004, undefined, undefined]);
  });
});

it("limits block I/O and swap where the kernel can, and says where not", async () => {
  makeGroups("memory io", "", "mesos", "mesos/agent-1");
  put("mesos/agent-1/io.max", "");
  const io = { weight: 50, limits: [{ device: "8:0", limits: new Map([["rbps", 4096] as const]) }] };
  control = open(["cgroups/mem", "cgroups/blkio"], { settings: { cfs: true, swap: true, io } });
  await control.prepare(spec, limited);
  expect(read("mesos/agent-1/c1/io.max")).toBe("8:0 rbps=4096");
  expect(existsSync(join(folder, "mesos/agent-1/c1/memory.swap.max"))).toBe(false);
  expect(lines.map((line) => line.slice(0, 45))).toEqual([
    "Not isolated: swap (--cgroups_limit_swap): th",
    "Not isolated: --cgroups_io_weight: the kernel",
  ]);
  put("mesos/agent-1/c1/io.stat", "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n");
  expect(control.usage("c1").blkioStatistics?.throttling[0]?.ioServiceBytes[0]?.value).toBe(4096n);
  control.close();
  put("mesos/agent-1/memory.swap.max", "max\n");
  put("mesos/agent-1/io.bfq.weight", "default 100\n");
  control = open(["cgroups/mem", "cgroups/blkio"], { settings: { cfs: true, swap: true, io } });
  await control.prepare({ ...spec, containerId: "c2" }, limited);
  expect([read("mesos/agent-1/c2/memory.swap.max"), read("mesos/agent-1/c2/io.bfq.weight")]).toEqual(["0", "50"]);
});

it("counts pressure and memory events of all containers together", () => {
  control = open(["cgroups/mem"]);
  expect([...control.figures()]).toEqual([]);
  put("mesos/agent-1/memory.events", "low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\nsock_throttled 9\n");
  put("mesos/agent-1/io.pressure", "some avg10=3.00 avg60=0.00 avg300=0.00 total=7000000\n");
  expect(Object.fromEntries(control.figures())).toEqual({
    "containerizer/mesos/cgroups/io_pressure_some_avg10": 3,
    "containerizer/mesos/cgroups/io_pressure_some_secs": 7,
    "containerizer/mesos/cgroups/mem_events_low": 0,
    "containerizer/mesos/cgroups/mem_events_high": 0,
    "containerizer/mesos/cgroups/mem_events_max": 12,
    "containerizer/mesos/cgroups/mem_events_oom": 2,
    "containerizer/mesos/cgroups/mem_events_oom_kill": 1,
  });
});

it("keeps agents apart whose names are paths", async () => {
  const hash = createHash("sha256").update("/var/lib/mesos").digest("hex").slice(0, 16);
  makeGroups("memory", `mesos/${hash}`);
  control = open(["cgroups/mem"], { agent: "/var/lib/mesos" });
  await control.prepare({ containerId: "c2", resources: [], limits: {} }, () => undefined);
  expect(control.members("c2")).toEqual([join(folder, "mesos", hash, "c2/leaf/cgroup.procs")]);
});
