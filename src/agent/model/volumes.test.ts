import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  Resource_DiskInfo_Source_Type,
  Resource_ReservationInfo_Type,
  ResourceSchema,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { persistentVolumePath } from "./volumes.ts";

const { MOUNT, PATH } = Resource_DiskInfo_Source_Type;
const { DYNAMIC } = Resource_ReservationInfo_Type;
const volume = (disk: object, more: object = { role: "web" }) =>
  create(ResourceSchema, { name: "disk", type: 0, scalar: { value: 1 }, disk, ...more } as never);
const persistence = { id: "v1" };

describe("the directory of a persistent volume", () => {
  it.each([
    ["of the root disk", volume({ persistence }), "/w/volumes/roles/web/v1"],
    [
      "of a PATH disk",
      volume({ persistence, source: { type: PATH, path: { root: "/d" } } }),
      "/d/volumes/roles/web/v1",
    ],
    [
      "below the work_dir",
      volume({ persistence, source: { type: PATH, path: { root: "d" } } }),
      "/w/d/volumes/roles/web/v1",
    ],
    ["that is a MOUNT disk", volume({ persistence, source: { type: MOUNT, mount: { root: "/mnt/a" } } }), "/mnt/a"],
    [
      "of a role with parts",
      volume(
        { persistence },
        {
          reservations: [
            { type: DYNAMIC, role: "a" },
            { type: DYNAMIC, role: "a/b" },
          ],
        },
      ),
      "/w/volumes/roles/a b/v1",
    ],
  ])("%s", (_what, resource, path) => {
    expect(persistentVolumePath("/w", resource)).toBe(path);
  });

  it.each([
    ["an id", volume({ persistence: { id: "../../../etc" } }), "the id '../../../etc'"],
    ["an id without a name", volume({ persistence: { id: ".." } }), "the id '..'"],
    ["an id that is empty", volume({ persistence: { id: "" } }), "the id ''"],
    ["a role", volume({ persistence }, { role: ".." }), "the role '..'"],
  ])("is refused for %s that leads elsewhere", (_what, resource, part) => {
    expect(() => persistentVolumePath("/w", resource)).toThrow(part);
  });

  it("is none for what is no volume", () => {
    expect(persistentVolumePath("/w", volume({ source: { type: MOUNT, mount: { root: "/mnt/a" } } }))).toBeUndefined();
  });
});
