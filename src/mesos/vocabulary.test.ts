import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encode } from "./codec.ts";
import { StatusUpdateSchema } from "./gen/mesos/internal/messages_pb.ts";
import { FrameworkInfo_Capability_Type, TaskState, TaskStatus_Source } from "./gen/mesos/v1/mesos_pb.ts";
import { idProblem, isUuid, newUuid, uuidBytes, uuidText } from "./ids.ts";
import { isTerminal, stateForFramework, stateForMaster, stateName } from "./states.ts";
import { makeStatus, makeStatusUpdate, makeUnacknowledgedStatus } from "./status.ts";
import { atLeast, compareVersions, MESOS_VERSION, parseVersion, type Version } from "./version.ts";

describe("idProblem", () => {
  it.each(["a", "a b", "...", "é".repeat(127), "a:b@c", "-"])("accepts %j", (id) => {
    expect(idProblem(id)).toBeUndefined();
  });

  it.each(["", ".", "..", "a/b", "a\\b", "a\nb", "\u0000", "\u007f", "é".repeat(128)])("refuses %j", (id) => {
    expect(idProblem(id)).toMatch(/^must not/);
  });
});

describe("uuids", () => {
  it("are 16 bytes and round-trip through text", () => {
    const uuid = newUuid();
    expect(isUuid(uuid)).toBe(true);
    expect(uuidBytes(uuidText(uuid))).toEqual(uuid);
    expect(() => uuidBytes("nonsense")).toThrow(RangeError);
  });
});

describe("task states", () => {
  it("knows which are terminal", () => {
    const terminal = Object.values(TaskState).filter(isTerminal).map(stateName);
    expect(terminal.sort()).toEqual([
      "TASK_DROPPED",
      "TASK_ERROR",
      "TASK_FAILED",
      "TASK_FINISHED",
      "TASK_GONE",
      "TASK_GONE_BY_OPERATOR",
      "TASK_KILLED",
      "TASK_LOST",
    ]);
  });

  const framework = (...names: (keyof typeof FrameworkInfo_Capability_Type)[]) =>
    ({ capabilities: names.map((name) => ({ type: FrameworkInfo_Capability_Type[name] })) }) as unknown as Parameters<
      typeof stateForFramework
    >[1];

  it("tells a framework only what it knows", () => {
    expect(stateForFramework(TaskState.TASK_GONE, framework())).toBe(TaskState.TASK_LOST);
    expect(stateForFramework(TaskState.TASK_GONE, framework("PARTITION_AWARE"))).toBe(TaskState.TASK_GONE);
    expect(stateForFramework(TaskState.TASK_KILLING, framework("PARTITION_AWARE"))).toBe(TaskState.TASK_RUNNING);
    expect(stateForFramework(TaskState.TASK_KILLING, framework("TASK_KILLING_STATE"))).toBe(TaskState.TASK_KILLING);
    expect(stateForFramework(TaskState.TASK_FAILED, framework())).toBe(TaskState.TASK_FAILED);
  });

  it("sends an old master no number that it does not have", () => {
    for (const state of Object.values(TaskState)) {
      expect(stateForMaster(state, "0.24.1")).toBeLessThanOrEqual(TaskState.TASK_ERROR);
      expect(stateForMaster(state, "1.11.0")).toBe(state);
      expect(stateForMaster(state, undefined)).toBe(state);
    }
    expect(stateForMaster(TaskState.TASK_KILLING, "1.0.0")).toBe(TaskState.TASK_KILLING);
    expect(stateForMaster(TaskState.TASK_DROPPED, "1.0.0")).toBe(TaskState.TASK_LOST);
  });
});

describe("statuses", () => {
  it("copies what the update repeats", () => {
    const status = makeStatus(1_500, {
      taskId: { value: "t" },
      state: TaskState.TASK_RUNNING,
      agentId: { value: "a" },
      executorId: { value: "e" },
    });
    expect(status.source).toBe(TaskStatus_Source.AGENT);
    const update = makeStatusUpdate("f", status);
    expect(update).toMatchObject({ timestamp: 1.5, uuid: status.uuid, agentId: { value: "a" } });
    expect(encode(StatusUpdateSchema, update).length).toBeGreaterThan(30);
    const plain = makeUnacknowledgedStatus(0, { taskId: { value: "t" }, state: TaskState.TASK_LOST });
    expect(Object.hasOwn(plain, "uuid")).toBe(false);
    expect(Object.hasOwn(makeStatusUpdate("f", plain), "uuid")).toBe(false);
  });
});

describe("versions", () => {
  it("orders as semantic versioning does", () => {
    const ordered = ["0.9.9", "0.24.1", "1.0.0-rc1", "1.0.0-rc.2", "1.0.0-rc.10", "1.0.0", "1.4", "1.11.0", "2.0.0"];
    const parsed = ordered.map(parseVersion) as Version[];
    const shuffled = fc.sample(fc.shuffledSubarray(parsed, { minLength: parsed.length }), 10);
    const wanted = ["0.9.9", "0.24.1", "1.0.0-rc.2", "1.0.0-rc.10", "1.0.0-rc1", "1.0.0", "1.4", "1.11.0", "2.0.0"];
    for (const list of shuffled) expect([...list].sort(compareVersions)).toEqual(wanted.map(parseVersion));
  });

  it("claims what masters since 1.3 want", () => {
    expect(atLeast(MESOS_VERSION, "1.0.0")).toBe(true);
    expect(atLeast("1.0.0-rc1", "1.0.0")).toBe(false);
    expect(atLeast("nonsense", "0.0.1")).toBe(false);
    expect(atLeast(undefined, "0.0.1")).toBe(false);
  });
});
