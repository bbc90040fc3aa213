import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ResourceSchema } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { Resources } from "../mesos/resources.ts";
import { createProblem } from "./volume-validation.ts";

const [RO, RW] = [2, 1] as const;
type Disk = NonNullable<MessageInitShape<typeof ResourceSchema>["disk"]>;
const disk = (given: Disk, role = "r") =>
  create(ResourceSchema, {
    name: "disk",
    type: 0,
    scalar: { value: 8 },
    ...(role !== "*" && { reservations: [{ type: 2, role }] }),
    disk: given,
  });
const volume = (id: string, role?: string, mode: 1 | 2 = RW) =>
  disk({ persistence: { id }, volume: { mode, containerPath: "kept" } }, role);
const total = Resources.of([volume("old")]);

test.for([
  ["Read-only persistent volume not supported", [volume("new", "r", RO)]],
  ["Persistence ID 'old' is not unique", [volume("old")]],
  ["Persistence ID 'new' is not unique", [volume("new"), volume("new")]],
  ["from unreserved resources", [volume("new", "*")]],
  ["Expecting 'volume' to be set", [disk({ persistence: { id: "new" } })]],
  ["Invalid persistence ID", [volume("a/b")]],
] as const)("%s", ([words, volumes]) => {
  expect(createProblem(volumes, total)).toContain(words);
});

test("the same id of another role, and the role in the old form, are fine", () => {
  expect(createProblem([volume("new"), volume("old", "q")], total)).toBeUndefined();
  const old = create(ResourceSchema, { ...volume("new"), reservations: [], role: "r" });
  expect(createProblem([old], total)).toBeUndefined();
  expect(createProblem([{ ...old, disk: volume("old").disk }] as never, total)).toContain("not unique");
});
