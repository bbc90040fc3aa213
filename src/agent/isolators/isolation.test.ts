import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import { silentLogger } from "../../base/log.ts";
import { ResourceSchema, TaskStatus_Reason, Value_Type } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { AgentFlags } from "../flags/table.ts";
import type { ContainerSpec } from "../model/container.ts";
import type { Isolation, Isolator, Limitation } from "../model/isolation.ts";
import { GroupControl } from "./cgroups/control.ts";
import { DiskWatch } from "./disk.ts";
import { combine, createIsolation, selectIsolators } from "./isolation.ts";

const MB = 1024 * 1024;
const scalar = (name: string, value: number) =>
  create(ResourceSchema, { name, type: Value_Type.SCALAR, scalar: { value } });

let folder: string;
let clock: TestClock;
let used: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isolation-"));
  for (const name of ["cpu", "memory"]) mkdirSync(join(folder, name));
  clock = new TestClock();
  used = 0;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Over folders that look like mounts of v1. */
function open(...names: string[]): Isolation {
  const selected = selectIsolators(names);
  const groups = new Set([...selected.keys()].filter((name) => name.startsWith("cgroups/")));
  const control = () =>
    new GroupControl(groups, {
      clock,
      hierarchy: folder,
      root: "mesos",
      agent: "a",
      destroyTimeout: 1_000,
      settings: { cfs: false, swap: false },
      mounts: `cgroup ${folder}/cpu cgroup rw,cpu,cpuacct 0 0\ncgroup ${folder}/memory cgroup rw,memory 0 0\n`,
    });
  const disk = () =>
    new DiskWatch({ clock, log: silentLogger, interval: 15_000, enforce: true, measure: async () => used });
  return combine(selected, [...(groups.size > 0 ? [control()] : []), ...(selected.has("disk/du") ? [disk()] : [])]);
}

const spec = {
  containerId: "c1",
  sandbox: "/sandbox",
  resources: [scalar("cpus", 1), scalar("mem", 64), scalar("disk", 10)],
  limits: {},
} as unknown as ContainerSpec;
const group = (controller: string, ...names: string[]): string => join(folder, controller, "mesos/a", ...names);

describe("isolators as one", () => {
  it("hold what their rows say, and nothing by names that only measure", async () => {
    expect(open("posix/cpu", "posix/mem", "disk/du").enforces).toEqual({ cpus: false, mem: false });
    expect(open("cgroups/cpu").enforces).toEqual({ cpus: true, mem: false });
    expect(open("cgroups/mem", "posix/cpu").enforces).toEqual({ cpus: false, mem: true });
    expect(open("cgroups").enforces).toEqual({ cpus: true, mem: true });
    expect(open("cgroups", "disk/du").enforces, "which a watch of disks has no say in").toEqual({
      cpus: true,
      mem: true,
    });
  });

  it("prepare a container, each its part, and say what a process of it enters", async () => {
    const isolation = open("cgroups", "disk/du");
    const entered = { controlGroups: [group("cpu", "c1/cgroup.procs"), group("memory", "c1/cgroup.procs")] };
    expect(await isolation.prepare(spec, () => undefined)).toEqual(entered);
    expect(isolation.confinement("c1")).toEqual(entered);
    expect(isolation.confinement("c2")).toEqual({ controlGroups: [] });
    await isolation.update("c1", [scalar("cpus", 2), scalar("mem", 128), scalar("disk", 20)], {});
    expect(readFileSync(group("memory", "c1/memory.limit_in_bytes"), "utf8")).toBe(`${128 * MB}`);
    writeFileSync(group("memory", "c1/memory.stat"), "total_cache 4096\ntotal_rss 8192\n");
    expect(await isolation.usage("c1")).toMatchObject({ memRssBytes: 8192n, diskLimitBytes: BigInt(20 * MB) });
    expect(isolation.limitation("c1")).toBeUndefined();
    writeFileSync(group("memory", "c1/memory.oom_control"), "oom_kill 1\n");
    expect(isolation.limitation("c1")).toMatchObject({ reason: TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY });
    await isolation.close();
    expect(clock.pending).toBe(0);
  });

  it("fail a launch that cannot be isolated, and say so", async () => {
    const isolation = open("cgroups");
    await isolation.prepare(spec, () => undefined);
    await expect(isolation.prepare(spec, () => undefined)).rejects.toMatchObject({
      message: "Failed to isolate the container: the control group of container c1 exists already",
      reason: TaskStatus_Reason.CONTAINER_LAUNCH_FAILED,
    });
    await isolation.close();
  });

  it("take up what an earlier agent started, and clean up behind what is gone", async () => {
    await open("cgroups").prepare(spec, () => undefined);
    for (const controller of ["cpu", "memory"]) {
      // The kernel's files go with their group; these would not.
      for (const name of readdirSync(group(controller, "c1"))) rmSync(group(controller, "c1", name));
      mkdirSync(group(controller, "gone"));
    }
    const isolation = open("cgroups", "disk/du");
    const limited: Limitation[] = [];
    await isolation.recover({ ...spec, pid: undefined }, (limitation) => limited.push(limitation));
    await isolation.sweep(new Set(["c1"]));
    expect(readdirSync(group("cpu"))).toEqual(["c1"]);
    used = 11 * MB;
    await clock.advance(15_000);
    expect(limited).toMatchObject([{ reason: TaskStatus_Reason.CONTAINER_LIMITATION_DISK }]);
    await isolation.cleanup("c1");
    expect([readdirSync(group("cpu")), readdirSync(group("memory"))]).toEqual([[], []]);
    expect(await isolation.usage("c1")).toEqual({});
    await isolation.close();
  });

  it("that cannot clean up keep no other from it", async () => {
    const isolation = open("cgroups");
    const names = ["stuck", "other"];
    for (const controller of ["cpu", "memory"]) for (const name of names) mkdirSync(group(controller, name));
    // As a group with a process that does not die.
    for (const name of names) writeFileSync(group("cpu", name, "process"), "");
    const swept = expect(isolation.sweep(new Set())).rejects.toThrow("ENOTEMPTY");
    await clock.advance(1_100);
    await swept;
    expect([readdirSync(group("cpu")).sort(), readdirSync(group("memory"))]).toEqual([["other", "stuck"], []]);
    await isolation.close();
  });

  it("hold nothing that one of them cannot hold here", () => {
    const isolator = (holds: Isolator["holds"]): Isolator => ({
      ...{ prepare: () => undefined, recover: () => undefined, update: () => undefined, usage: () => ({}) },
      ...{ cleanup: () => undefined, close: () => undefined, ...(holds && { holds }) },
    });
    const selected = selectIsolators(["cgroups"]);
    const all = [isolator((what) => what === "cpus"), isolator(() => true), isolator(undefined)];
    expect(combine(selected, all).enforces).toEqual({ cpus: true, mem: false });
    expect(combine(selected, all.toReversed()).enforces).toEqual({ cpus: true, mem: false });
  });

  it("are opened once by all their names, with the agent's own settings; names that only measure open nothing", async () => {
    const flags = { container_disk_watch_interval: 15_000, enforce_container_disk_quota: true } as AgentFlags;
    const isolation = createIsolation(["posix/cpu", "posix/mem", "posix/disk", "disk/du"], {
      flags,
      clock,
      log: silentLogger,
    });
    expect(isolation.enforces).toEqual({ cpus: false, mem: false });
    expect(clock.pending, "one watch").toBe(1);
    await isolation.prepare(spec, () => undefined);
    expect(await isolation.usage("c1")).toEqual({ diskLimitBytes: BigInt(10 * MB) });
    expect(isolation.status("c1")).toBeUndefined();
    await isolation.close();
    expect(clock.pending).toBe(0);
  });

  it("have the figures of all of them", () => {
    const isolator = (figures?: Isolator["figures"]): Isolator => ({
      ...{ prepare: () => undefined, recover: () => undefined, update: () => undefined, usage: () => ({}) },
      ...{ cleanup: () => undefined, close: () => undefined, ...(figures && { figures }) },
    });
    const [one, two] = [["one", 1] as const, ["two", 2] as const];
    const all = [isolator(() => [one] as never), isolator(), isolator(() => [two] as never)];
    expect([...combine(new Map(), all).figures()]).toEqual([one, two]);
  });

  it("are all told that a container is over, whichever of them fails", async () => {
    const told: string[] = [];
    const isolator = (name: string): Isolator => ({
      ...{ prepare: () => undefined, recover: () => undefined, update: () => undefined, usage: () => ({}) },
      cleanup: (id) => {
        told.push(`${name} ${id}`);
        throw new Error(`${name} failed`);
      },
      close: () => undefined,
    });
    const isolation = combine(new Map(), [isolator("one"), isolator("two")]);
    await expect(isolation.cleanup("c1")).rejects.toThrow("two failed");
    expect(told).toEqual(["two c1", "one c1"]);
  });
});
