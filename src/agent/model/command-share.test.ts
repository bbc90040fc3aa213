import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import {
  ContainerInfo_Type,
  ContainerInfoSchema,
  ExecutorInfoSchema,
  ResourceSchema,
  Value_Type,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { executorShare } from "./command-share.ts";

const scalar = (name: string, value: number, more: MessageInitShape<typeof ResourceSchema> = {}) =>
  create(ResourceSchema, { name, type: Value_Type.SCALAR, scalar: { value }, ...more } as never);
const executor = (resources: ReturnType<typeof scalar>[] = []) => create(ExecutorInfoSchema, { resources });
const short = (resources: readonly ReturnType<typeof scalar>[]) =>
  resources.map(({ name, scalar, allocationInfo }) => [name, scalar?.value, allocationInfo?.role]);
const docker = create(ContainerInfoSchema, { type: ContainerInfo_Type.DOCKER });
const mesos = create(ContainerInfoSchema, { type: ContainerInfo_Type.MESOS });
const task = [scalar("cpus", 1, { allocationInfo: { role: "web" } } as never)];

it("a command task's container has what C++ agents add for their executor, of the task's role", () => {
  const share = [
    ["cpus", 0.1, "web"],
    ["mem", 32, "web"],
  ];
  expect(short(executorShare({ kind: "command", info: executor() }, undefined, task))).toEqual(share);
  expect(short(executorShare({ kind: "command", info: executor() }, mesos, task))).toEqual(share);
});

it("a Docker container has none of it: C++'s executor is not in it", () => {
  expect(executorShare({ kind: "command", info: executor() }, docker, task)).toEqual([]);
});

it("an executor has what it asks for, and one of a C++ agent what that agent gave it", () => {
  const own = executor([scalar("cpus", 2)]);
  for (const kind of ["command", "driver", "unknown"] as const)
    expect(short(executorShare({ kind, info: own }, undefined, task))).toEqual([["cpus", 2, undefined]]);
});
