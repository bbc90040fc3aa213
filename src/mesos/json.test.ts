import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { MessageError } from "./codec.ts";
import {
  AgentInfoSchema,
  CommandInfoSchema,
  FrameworkInfoSchema,
  MasterInfoSchema,
  TaskInfoSchema,
  TaskState,
  TaskStatus_Reason,
  TaskStatus_Source,
  TaskStatusSchema,
} from "./gen/mesos/v1/mesos_pb.ts";
import { CallSchema } from "./gen/mesos/v1/scheduler/scheduler_pb.ts";
import { decodeJson, encodeJson, fromJson, toJson } from "./json.ts";

const status = () =>
  create(TaskStatusSchema, {
    taskId: { value: "t" },
    state: TaskState.TASK_RUNNING,
    source: TaskStatus_Source.AGENT,
    reason: TaskStatus_Reason.AGENT_DISCONNECTED,
    agentId: { value: "a" },
    uuid: new Uint8Array([1, 2, 3]),
    unreachableTime: { nanoseconds: 1_700_000_000_123_456_789n },
  });

describe("writing", () => {
  it("uses proto names, enum names, base64 and numbers", () => {
    expect(encodeJson(TaskStatusSchema, status())).toBe(
      '{"task_id":{"value":"t"},"state":"TASK_RUNNING","agent_id":{"value":"a"},"source":"SOURCE_AGENT",' +
        '"reason":"REASON_AGENT_DISCONNECTED","uuid":"AQID","unreachable_time":{"nanoseconds":1700000000123456789}}',
    );
  });

  it("has the v0 names for old endpoints", () => {
    const json = toJson(TaskStatusSchema, status(), { names: "v0" });
    expect(json).toMatchObject({
      slave_id: { value: "a" },
      source: "SOURCE_SLAVE",
      reason: "REASON_SLAVE_DISCONNECTED",
    });
    expect(json).not.toHaveProperty("agent_id");
  });

  it("writes unset fields that have a default, but not deprecated ones", () => {
    const framework = create(FrameworkInfoSchema, { user: "u", name: "n" });
    expect(toJson(FrameworkInfoSchema, framework)).toEqual({
      user: "u",
      name: "n",
      failover_timeout: 0,
      checkpoint: false,
    });
    expect(toJson(FrameworkInfoSchema, framework, { defaults: false })).toEqual({ user: "u", name: "n" });
    const command = create(CommandInfoSchema, { value: "true" });
    expect(toJson(CommandInfoSchema, command)).toEqual({ value: "true", shell: true });
  });

  it("writes maps as objects", () => {
    const task = create(TaskInfoSchema, {
      name: "n",
      taskId: { value: "t" },
      agentId: { value: "a" },
      limits: { cpus: { value: 1.5 } },
    });
    expect(toJson(TaskInfoSchema, task)).toMatchObject({ limits: { cpus: { value: 1.5 } } });
    expect(fromJson(TaskInfoSchema, toJson(TaskInfoSchema, task)).limits["cpus"]?.value).toBe(1.5);
  });
});

it("a limit without end is a word, both ways", () => {
  const limits = { cpus: { value: Number.POSITIVE_INFINITY }, mem: { value: Number.NaN } };
  const task = create(TaskInfoSchema, { name: "n", taskId: { value: "t" }, agentId: { value: "a" }, limits });
  const shown = JSON.parse(encodeJson(TaskInfoSchema, task));
  expect(shown.limits).toEqual({ cpus: { value: "Infinity" }, mem: { value: 0 } });
  expect(fromJson(TaskInfoSchema, shown).limits["cpus"]?.value).toBe(Number.POSITIVE_INFINITY);
  for (const value of ["infinity", "Inf", "NaN", "1e999"])
    expect(() => fromJson(TaskInfoSchema, { ...shown, limits: { cpus: { value } } })).toThrow(MessageError);
});

describe("reading", () => {
  it("round-trips 64-bit numbers exactly", () => {
    const read = decodeJson(TaskStatusSchema, encodeJson(TaskStatusSchema, status()));
    expect(read.unreachableTime?.nanoseconds).toBe(1_700_000_000_123_456_789n);
    expect(read).toEqual(status());
  });

  it("takes v0 names when asked to", () => {
    const text = encodeJson(TaskStatusSchema, status(), { names: "v0" });
    expect(decodeJson(TaskStatusSchema, text, { v0: true })).toEqual(status());
    expect(decodeJson(TaskStatusSchema, text).agentId).toBeUndefined();
  });

  it("ignores unknown keys, unknown optional enum names and null", () => {
    const read = fromJson(MasterInfoSchema, {
      id: "m",
      ip: 16777226,
      port: "5050",
      hostname: null,
      news: { a: [1] },
      capabilities: [{ type: "AGENT_UPDATE" }, { type: "FUTURE" }],
    });
    expect(read.port).toBe(5050);
    expect(read.hostname).toBe("");
    expect(read.capabilities.map((capability) => Object.hasOwn(capability, "type"))).toEqual([true, false]);
  });

  it.each([
    [{ state: "TASK_RUNNING" }, "task_id"],
    [{ task_id: { value: "t" }, state: "TASK_DANCING" }, "state"],
    [{ task_id: { value: "t" }, state: "TASK_RUNNING", uuid: "&&" }, "uuid"],
    [{ task_id: { value: "t" }, state: "TASK_RUNNING", labels: { labels: [{ value: "v" }] } }, "labels.labels[0].key"],
    [{ task_id: "t", state: "TASK_RUNNING" }, "task_id"],
    [{ task_id: { value: ["t"] }, state: "TASK_RUNNING" }, "task_id.value"],
  ])("names the bad field: %j", (json, path) => {
    expect(() => fromJson(TaskStatusSchema, json)).toThrowError(
      expect.toSatisfy((error) => error instanceof MessageError && error.path === path),
    );
  });

  it.each(["", "{", "[]", "3", "null"])("refuses %j as a message", (text) => {
    expect(() => decodeJson(CallSchema, text)).toThrow(MessageError);
  });

  it("refuses numbers out of range", () => {
    expect(() => fromJson(AgentInfoSchema, { hostname: "h", port: 2 ** 40 })).toThrow("out of range");
  });

  it("bounds nesting", () => {
    const text = ['{"parent":'.repeat(5000), "{}", "}".repeat(5000)].join("");
    expect(() => decodeJson(TaskStatusSchema, `{"container_status":{"container_id":${text}}}`)).toThrow(MessageError);
  });
});
