import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Resource_DiskInfo_Source_Type, ResourceSchema, Value_Type } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { diskMachine, holdDisks } from "./disks.ts";

const { MOUNT, PATH } = Resource_DiskInfo_Source_Type;
type Source = NonNullable<NonNullable<MessageInitShape<typeof ResourceSchema>["disk"]>["source"]>;
const disk = (source?: Source) =>
  create(ResourceSchema, {
    name: "disk",
    type: Value_Type.SCALAR,
    scalar: { value: 100 },
    ...(source && { disk: { source } }),
  });

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "disks-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const hold = (mounts: readonly string[], ...sources: Source[]) =>
  holdDisks([disk(), ...sources.map(disk)], folder, { ...diskMachine, mounts: () => new Set(mounts) });

describe("a MOUNT disk", () => {
  it("must be mounted, by its real path", () => {
    const root = join(folder, "link");
    symlinkSync(folder, root);
    hold([folder], { type: MOUNT, mount: { root } });
    expect(() => hold([root], { type: MOUNT, mount: { root } })).toThrow(`nothing is mounted at '${folder}'`);
    expect(() => hold(["/"], { type: MOUNT, mount: { root: folder } })).toThrow(/nothing is mounted/);
  });

  it("that is not there is named", () => {
    const root = join(folder, "gone");
    expect(() => hold([root], { type: MOUNT, mount: { root } })).toThrow(root);
    expect(existsSync(root), "and not made").toBe(false);
    expect(() => hold([], { type: MOUNT })).toThrow(/has no root/);
  });

  it("is one disk", () => {
    const source = { type: MOUNT, mount: { root: folder } };
    expect(() => hold([folder], source, source)).toThrow(/two MOUNT disks/);
  });

  it("is looked for among the real mounts", () => {
    holdDisks([disk({ type: MOUNT, mount: { root: "/proc" } })], folder);
    expect(() => holdDisks([disk({ type: MOUNT, mount: { root: folder } })], folder)).toThrow(/nothing is mounted/);
  });
});

describe("a PATH disk", () => {
  it("has its root made, relative ones in the work_dir", () => {
    hold([], { type: PATH, path: { root: join(folder, "a/b") } }, { type: PATH, path: { root: "c" } });
    for (const made of ["a/b", "c"]) expect(existsSync(join(folder, made))).toBe(true);
  });

  it("whose root cannot be made is named", () => {
    writeFileSync(join(folder, "file"), "");
    for (const root of ["file", "file/below"])
      expect(() => hold([], { type: PATH, path: { root } })).toThrow(join(folder, root));
    expect(() => hold([], { type: PATH })).toThrow(/has no root/);
  });
});
