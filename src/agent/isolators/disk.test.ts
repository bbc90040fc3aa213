import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import { silentLogger } from "../../base/log.ts";
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
