import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import { silentLogger } from "../../base/log.ts";
import { ResourceSchema, TaskStatus_Reason, Value_Type } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { DiskWatch, diskQuota } from "./disk.ts";

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
