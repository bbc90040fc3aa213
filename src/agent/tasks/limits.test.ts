import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ResourceSchema, TaskInfoSchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { executorLimits, limitsProblem } from "./limits.ts";

const resource = (name: string, value: number) => create(ResourceSchema, { name, type: 0, scalar: { value } });
const task = (cpus: number, mem: number, limits: Record<string, number> = {}) =>
  create(TaskInfoSchema, {
    name: "t",
    resources: [resource("cpus", cpus), resource("mem", mem)],
    limits: Object.fromEntries(Object.entries(limits).map(([name, value]) => [name, { value }])),
  });
const values = (limits: ReturnType<typeof executorLimits>) =>
  Object.fromEntries(Object.entries(limits).map(([name, { value }]) => [name, value]));

describe("task limits", () => {
  const all = { cpus: true, mem: true };

  it("need a containerizer that holds them", () => {
    expect(limitsProblem(task(1, 1), { cpus: false, mem: false })).toBeUndefined();
    expect(limitsProblem(task(1, 1, { cpus: 2, mem: 2 }), all)).toBeUndefined();
    expect(limitsProblem(task(1, 1, { cpus: 2 }), { ...all, cpus: false })).toMatch(/'cgroups\/cpu'/);
    expect(limitsProblem(task(1, 1, { mem: 2 }), { ...all, cpus: false })).toBeUndefined();
    expect(limitsProblem(task(1, 1, { mem: 2 }), { ...all, mem: false })).toMatch(/'cgroups\/mem'/);
  });

  it("of an executor are its tasks' and its own, and none where no task has one", () => {
    const executor = [resource("cpus", 0.5), resource("mem", 32)];
    expect(values(executorLimits(executor, [task(1, 64)], { cfs: true }))).toEqual({});
    const tasks = [task(1, 64, { cpus: 2, mem: 128 }), task(1, 64, { cpus: 1.5 })];
    expect(values(executorLimits(executor, tasks, { cfs: false }))).toEqual({ cpus: 4, mem: 128 + 64 + 32 });
    const infinite = [task(1, 64, { cpus: Number.POSITIVE_INFINITY }), task(1, 64, { cpus: 1 })];
    expect(values(executorLimits(executor, infinite, { cfs: true }))).toEqual({ cpus: Number.POSITIVE_INFINITY });
  });

  it("do not throttle a task that has no CPU limit, unless every task is throttled", () => {
    const tasks = [task(1, 64, { cpus: 2 }), task(3, 64)];
    expect(values(executorLimits([], tasks, { cfs: false }))).toEqual({});
    expect(values(executorLimits([], tasks, { cfs: true }))).toEqual({ cpus: 5 });
  });
});
