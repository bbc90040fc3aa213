import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  FrameworkInfo_Capability_Type,
  FrameworkInfoSchema,
  TaskState,
  TaskStatus_Reason,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { AdmissionFacts, Verdict } from "./admission.ts";
import { judgeLaunch } from "./admission.ts";

const plain = create(FrameworkInfoSchema, { user: "u", name: "n" });
const aware = create(FrameworkInfoSchema, {
  user: "u",
  name: "n",
  capabilities: [{ type: FrameworkInfo_Capability_Type.PARTITION_AWARE }],
});

const facts: AdmissionFacts = {
  framework: plain,
  frameworkTerminating: false,
  unauthorized: undefined,
  isGroup: false,
  draining: false,
  staleResources: false,
  taskResourcesKnown: true,
  executorResourcesKnown: true,
  launchExecutor: undefined,
  isCommandTask: false,
  limitsProblem: undefined,
  executor: undefined,
};

const judge = (more: Partial<AdmissionFacts>): Verdict => judgeLaunch({ ...facts, ...more });
const R = TaskStatus_Reason;

describe("a launch, by what the master says about its executor (mesos-wire §3.13)", () => {
  const launch = { kind: "launch" };
  const use = { kind: "use" };
  const refused = (more: object = {}) => ({
    kind: "refuse",
    status: { state: TaskState.TASK_LOST, reason: R.EXECUTOR_TERMINATED },
    exited: false,
    shutdownExecutor: false,
    ...more,
  });
  it.each([
    // launch_executor, executor, result
    [undefined, undefined, launch],
    [undefined, "REGISTERING", use],
    [undefined, "RUNNING", use],
    [undefined, "TERMINATING", refused()],
    [undefined, "TERMINATED", refused()],
    [true, undefined, launch],
    [true, "REGISTERING", refused({ shutdownExecutor: true })],
    [true, "RUNNING", refused({ shutdownExecutor: true })],
    [true, "TERMINATING", refused()],
    [true, "TERMINATED", refused({ exited: true })],
    [false, undefined, refused()],
    [false, "REGISTERING", use],
    [false, "RUNNING", use],
    [false, "TERMINATING", refused()],
    [false, "TERMINATED", refused()],
  ] as const)("launch_executor %s, executor %s", (launchExecutor, executor, expected) => {
    expect(judge({ launchExecutor, executor })).toMatchObject(expected);
  });

  it.each([undefined, true, false])(
    "a command task has an executor of its own (launch_executor %s)",
    (launchExecutor) => {
      expect(judge({ isCommandTask: true, launchExecutor })).toEqual(launch);
      expect(judge({ isCommandTask: true, launchExecutor, executor: "RUNNING" })).toMatchObject(refused());
    },
  );
});

describe("refusals", () => {
  it.each([
    [{ draining: true }, R.AGENT_DRAINING],
    [{ staleResources: true }, R.INVALID_OFFERS],
    [{ taskResourcesKnown: false }, R.RESOURCES_UNKNOWN],
    [{ executorResourcesKnown: false }, R.RESOURCES_UNKNOWN],
    [{ limitsProblem: "no isolator" }, R.GC_ERROR],
  ] as const)("%o", (more, reason) => {
    expect(judge(more)).toMatchObject({
      kind: "refuse",
      exited: false,
      status: { state: TaskState.TASK_LOST, reason },
    });
    expect(judge({ ...more, framework: aware })).toMatchObject({ status: { state: TaskState.TASK_DROPPED } });
    // A master that counts on a new executor is told that it will not be.
    expect(judge({ ...more, launchExecutor: true })).toMatchObject({ exited: true });
    expect(judge({ ...more, launchExecutor: true, isCommandTask: true })).toMatchObject({ exited: false });
    expect(judge({ ...more, launchExecutor: true, executor: "RUNNING" })).toMatchObject({ exited: false });
  });

  it("of a terminating framework makes no update, but frees the executor", () => {
    expect(judge({ frameworkTerminating: true, draining: true })).toEqual({
      kind: "refuse",
      status: undefined,
      exited: false,
      shutdownExecutor: false,
    });
    expect(judge({ frameworkTerminating: true, launchExecutor: true })).toMatchObject({ exited: true });
  });

  it("are found in Mesos' order", () => {
    const everything: Partial<AdmissionFacts> = {
      limitsProblem: "no isolator",
      executorResourcesKnown: false,
      taskResourcesKnown: false,
      staleResources: true,
      draining: true,
      executor: "TERMINATING",
    };
    const reasons: unknown[] = [];
    let left: Partial<AdmissionFacts> = everything;
    for (const key of ["draining", "staleResources", "taskResourcesKnown", "executorResourcesKnown", "limitsProblem"]) {
      const verdict = judge(left);
      reasons.push(verdict.kind === "refuse" ? verdict.status?.reason : undefined);
      const { [key as keyof AdmissionFacts]: _mended, ...rest } = left;
      left = rest;
    }
    expect(reasons).toEqual([R.AGENT_DRAINING, R.INVALID_OFFERS, R.RESOURCES_UNKNOWN, R.RESOURCES_UNKNOWN, R.GC_ERROR]);
    expect(judge(left)).toMatchObject({ status: { reason: R.EXECUTOR_TERMINATED } });
  });
});
