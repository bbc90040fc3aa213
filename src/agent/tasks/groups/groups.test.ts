import { existsSync, mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  ResourceSchema,
  TaskInfoSchema,
  TaskState,
  TaskStatus_Reason,
  Volume_Source_SandboxPath_Type,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { memberChain, memberOrder } from "./group-container.ts";
import { endsGroup, groupOutcome } from "./group-outcome.ts";
import { linkTask } from "./task-link.ts";

describe("the end of a group's task", () => {
  const exited = (code: number) => ({ status: code << 8 });
  it.each([
    ["finishes", exited(0), undefined, TaskState.TASK_FINISHED, "Command exited with status 0"],
    ["fails", exited(7), undefined, TaskState.TASK_FAILED, "Command exited with status 7"],
    ["is killed", { status: 15 }, "kill", TaskState.TASK_KILLED, "Command terminated with signal Terminated"],
    ["is killed, whatever it exits with", exited(0), "shutdown", TaskState.TASK_KILLED, "Command exited with status 0"],
    ["is overdue", { status: 9 }, "overdue", TaskState.TASK_FAILED, "Command terminated with signal Killed"],
    ["is unknown", { status: undefined }, undefined, TaskState.TASK_FAILED, "Command terminated with unknown status"],
    [
      "has words",
      { ...exited(1), message: "why" },
      undefined,
      TaskState.TASK_FAILED,
      "Command exited with status 1: why",
    ],
    ["never began", { status: undefined, message: "why" }, undefined, TaskState.TASK_FAILED, "why"],
  ] as const)("%s", (_what, termination, cause, state, message) => {
    expect(groupOutcome(termination, cause)).toMatchObject({ state, message });
  });

  it("says why it was ended", () => {
    expect(groupOutcome({ status: 9 }, "overdue").reason).toBe(TaskStatus_Reason.MAX_COMPLETION_TIME_REACHED);
    expect(groupOutcome({ status: 9 }, "unhealthy").healthy).toBe(false);
    const reason = TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY;
    const limited = { status: 9, state: TaskState.TASK_FAILED, reason, message: "m" };
    expect(groupOutcome(limited, undefined)).toMatchObject({ state: TaskState.TASK_FAILED, reason });
  });

  it("tells what it had too much of, when there is something", () => {
    const limitation = [create(ResourceSchema, { name: "mem" })];
    expect(groupOutcome({ status: 9, limitation }, undefined).limitation).toEqual(limitation);
    for (const none of [{ status: 9 }, { status: 9, limitation: [] }])
      expect(Object.keys(groupOutcome(none, undefined)).toSorted()).toEqual(["message", "state"]);
  });

  it("ends the group unless it finished", () => {
    const ends = [TaskState.TASK_FINISHED, TaskState.TASK_FAILED, TaskState.TASK_KILLED].map((state) =>
      endsGroup({ state }),
    );
    expect(ends).toEqual([false, true, true]);
  });
});

describe("the container of a group's task", () => {
  const task = create(TaskInfoSchema, {
    name: "t",
    taskId: { value: "t" },
    command: { value: "run", environment: { variables: [{ name: "A", value: "1" }] } },
    resources: [
      { name: "cpus", type: 0, scalar: { value: 1 }, allocationInfo: { role: "r" } },
      {
        name: "disk",
        type: 0,
        scalar: { value: 1 },
        disk: { persistence: { id: "p" }, volume: { containerPath: "data", mode: 1 } },
      },
    ],
    limits: { mem: { value: 64 } },
  });

  it("is found again by ids alone", () => {
    expect(memberChain("c", "t")).toEqual(["c", expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)]);
    expect(memberChain("c", "t")).toEqual(memberChain("c", "t"));
    expect(memberChain("c", "t")[1]).not.toBe(memberChain("c", "u")[1]);
  });

  it("has what Mesos' default executor adds, and the executor's persistent volumes", () => {
    const order = memberOrder("c", task, "10.0.0.1");
    const variables = order.command?.environment?.variables.map(({ name, value }) => `${name}=${value}`);
    expect(variables).toEqual(["A=1", "MESOS_CONTAINER_IP=10.0.0.1", "MESOS_ALLOCATION_ROLE=r"]);
    expect(order.command).toMatchObject({ value: "run", shell: true });
    const path = order.container?.volumes[0]?.source?.sandboxPath;
    expect(path).toMatchObject({ type: Volume_Source_SandboxPath_Type.PARENT, path: "data" });
    expect(order.limits).toEqual(task.limits);
    expect(task.command?.environment?.variables).toHaveLength(1);
  });
});

it("a task's sandbox is found by its name", () => {
  const sandbox = mkdtempSync(join(tmpdir(), "group-"));
  try {
    linkTask(sandbox, "t", "first");
    linkTask(sandbox, "t", "second");
    expect(readlinkSync(join(sandbox, "tasks", "t"))).toBe(`${sandbox}/containers/second`);
    expect(existsSync(join(sandbox, "tasks"))).toBe(true);
  } finally {
    rmSync(sandbox, { recursive: true });
  }
});
