import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { settle, TestClock } from "../../../test/support/test-clock.ts";
import { type Logger, silentLogger } from "../../base/log.ts";
import { ResourceSchema, TaskStatus_Reason, Value_Type } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { parseMountInfo } from "../model/mount-table.ts";
import { DiskWatch, diskQuota, diskUsage, duArguments } from "./disk.ts";

const MB = 1024 * 1024;
const disk = (value: number, more: object = {}) =>
  create(ResourceSchema, { name: "disk", type: Value_Type.SCALAR, scalar: { value }, ...more });

it("counts ordinary disk only", () => {
  expect(diskQuota([disk(10), disk(5), disk(100, { disk: { persistence: { id: "x" } } })])).toBe(15 * MB);
  expect(diskQuota([])).toBeUndefined();
});

it("ends what is above its quota, and only when told to enforce", async () => {
  for (const enforce of [true, false]) {
    const clock = new TestClock();
    const sizes: Record<string, number> = { "/small": 9 * MB, "/large": 11 * MB };
    const measure = async (folder: string) => sizes[folder] ?? 0;
    const watch = new DiskWatch({ clock, log: silentLogger, interval: 15_000, enforce, measure });
    const told: string[] = [];
    for (const name of ["small", "large"]) {
      watch.prepare({ containerId: name, sandbox: `/${name}`, resources: [disk(10)] }, ({ message, reason }) => {
        expect(reason).toBe(TaskStatus_Reason.CONTAINER_LIMITATION_DISK);
        told.push(`${name}: ${message}`);
      });
    }
    await clock.advance(15_000);
    expect(told).toEqual(enforce ? ["large: Disk usage (11MB) exceeds quota (10MB)"] : []);
    expect(watch.usage("large")).toEqual({ diskUsedBytes: BigInt(11 * MB), diskLimitBytes: BigInt(10 * MB) });
    watch.close();
    expect(clock.pending).toBe(0);
  }
});

it("leaves out what is mounted below, whatever its device and its name", () => {
  const mounts = parseMountInfo(String.raw`21 1 254:0 / / rw - ext4 /dev/vda rw
30 21 254:0 /srv/data /w/s1/data rw - ext4 /dev/vda rw
31 30 0:40 / /w/s1/data/inside rw - tmpfs none rw
32 21 254:0 /x /w/s1/data2 rw - ext4 /dev/vda rw
33 21 254:0 /x /w/s1/[a]*\040? rw - ext4 /dev/vda rw
34 30 254:0 /again /w/s1/data rw - ext4 /dev/vda rw
35 21 254:0 /other /w/s10 rw - ext4 /dev/vda rw
36 21 254:0 /s /w/s1 rw - ext4 /dev/vda rw
`);
  const excluded = [String.raw`--exclude=/w/s1/\[a]\* \?`, "--exclude=/w/s1/data", "--exclude=/w/s1/data2"];
  expect(duArguments("/w/s1", mounts)).toEqual(["-k", "-s", "-x", ...excluded, "--", "/w/s1"]);
  expect(duArguments("/w/s2", mounts)).toEqual(["-k", "-s", "-x", "--", "/w/s2"]);
});

it("measures a sandbox through a link to its work_dir, and says what it cannot measure", async () => {
  const folder = mkdtempSync(join(tmpdir(), "disk-"));
  try {
    mkdirSync(join(folder, "real/sandbox"), { recursive: true });
    symlinkSync(join(folder, "real"), join(folder, "work"));
    writeFileSync(join(folder, "real/sandbox/file"), Buffer.alloc(MB));
    const used = await diskUsage(join(folder, "work/sandbox"));
    expect(used).toBeGreaterThanOrEqual(MB);
    expect(used).toBeLessThan(2 * MB);
    await expect(diskUsage(join(folder, "none"))).rejects.toThrow("ENOENT");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("goes on with the others when one cannot be measured, and says so of those that are still there", async () => {
  const clock = new TestClock();
  const lines: string[] = [];
  const log: Logger = { ...silentLogger, warn: (line) => lines.push(line) };
  const measured: string[] = [];
  const measure = async (folder: string, id: string) => {
    measured.push(id);
    if (id === "ended") watch.cleanup(id);
    if (id !== "fine") throw new Error(`${folder} is gone`);
    return 11 * MB;
  };
  const watch = new DiskWatch({ clock, log, interval: 15_000, enforce: true, measure });
  const told: string[] = [];
  for (const containerId of ["broken", "ended", "fine"])
    watch.prepare({ containerId, sandbox: `/${containerId}`, resources: [disk(10)] }, () => told.push(containerId));
  await clock.advance(15_000);
  expect(measured).toEqual(["broken", "ended", "fine"]);
  expect(lines).toEqual(["Measuring the disk usage of container broken: /broken is gone"]);
  expect(told).toEqual(["fine"]);
  expect([watch.usage("broken"), watch.usage("ended")]).toEqual([{ diskLimitBytes: BigInt(10 * MB) }, {}]);
  watch.close();
});

it("ends nothing that ended while it was measured, and looks no more at what ended before its turn", async () => {
  const clock = new TestClock();
  const measured: string[] = [];
  const measure = async (_folder: string, id: string) => {
    measured.push(id);
    for (const ended of ["first", "second"]) watch.cleanup(ended);
    return 11 * MB;
  };
  const watch = new DiskWatch({ clock, log: silentLogger, interval: 15_000, enforce: true, measure });
  const told: string[] = [];
  for (const containerId of ["first", "second", "third"])
    watch.prepare({ containerId, sandbox: "/", resources: [disk(10)] }, () => told.push(containerId));
  await clock.advance(15_000);
  expect([measured, told]).toEqual([["first", "third"], ["third"]]);
  watch.close();
});

it("measures again only when a round is over, with the quota of that moment, and no more when it is closed", async () => {
  const clock = new TestClock();
  let rounds = 0;
  let slow = Promise.withResolvers<number>();
  const measure = (): Promise<number> => {
    rounds++;
    return slow.promise;
  };
  const watch = new DiskWatch({ clock, log: silentLogger, interval: 15_000, enforce: true, measure });
  const told: string[] = [];
  watch.recover({ containerId: "c", sandbox: "/", resources: [] }, ({ message }) => told.push(message));
  expect(watch.usage("c")).toEqual({});
  await clock.advance(60_000);
  expect(rounds).toBe(1);
  slow.resolve(11 * MB);
  await settle();
  expect([watch.usage("c"), told]).toEqual([{ diskUsedBytes: BigInt(11 * MB) }, []]);
  watch.update("c", [disk(11)]);
  watch.update("other", [disk(1)]);
  await clock.advance(15_000);
  expect([rounds, told], "all of a quota may be used").toEqual([2, []]);
  watch.update("c", [disk(10)]);
  await clock.advance(15_000);
  expect([rounds, told]).toEqual([3, ["Disk usage (11MB) exceeds quota (10MB)"]]);
  slow = Promise.withResolvers();
  await clock.advance(15_000);
  watch.close();
  slow.resolve(0);
  await clock.advance(60_000);
  expect([rounds, clock.pending]).toEqual([4, 0]);
});
