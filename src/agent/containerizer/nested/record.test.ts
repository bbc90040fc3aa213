import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  CommandInfoSchema,
  ContainerInfoSchema,
  ResourceSchema,
  TaskState,
  TaskStatus_Reason,
  Value_ScalarSchema,
} from "../../../mesos/gen/mesos/v1/mesos_pb.ts";
import { formatEnd, formatRecord, type NestedRecord, parseEnd, parseRecord } from "./record.ts";

const record: NestedRecord = {
  order: {
    chain: ["root", "child"],
    command: create(CommandInfoSchema, {
      value: "line\nbreak",
      environment: { variables: [{ name: "A", value: "\u00e9" }] },
    }),
    container: create(ContainerInfoSchema, { type: 2, linuxInfo: { shareCgroups: false } }),
    resources: [create(ResourceSchema, { name: "cpus", type: 0, scalar: { value: 0.5 } })],
    limits: { mem: create(Value_ScalarSchema, { value: 64 }) },
  },
  sandbox: "/s/containers/child",
  within: "/s",
  user: "u",
  groupsOf: "root.child",
};

describe("the record of a container", () => {
  it("comes back whole, in one line", () => {
    const text = formatRecord(record);
    expect(text.split("\n")).toHaveLength(2);
    expect(parseRecord(text)).toMatchObject(record);
  });

  it("may name no user", () => {
    expect(parseRecord(formatRecord({ ...record, user: undefined }))?.user).toBeUndefined();
  });

  it.each([
    "",
    "{}",
    "null",
    '{"call":"!","sandbox":"/","within":"/","groupsOf":"x"}',
    formatRecord(record).slice(0, 50),
  ])("that is damaged is none: %j", (text) => {
    expect(parseRecord(text)).toBeUndefined();
  });
});

it("the end of a container is kept where its status does not say all", () => {
  expect(formatEnd({ status: 9 })).toBeUndefined();
  const end = {
    state: TaskState.TASK_FAILED,
    reason: TaskStatus_Reason.CONTAINER_LIMITATION_MEMORY,
    message: "Memory limit exceeded",
  };
  expect(parseEnd(formatEnd({ status: 9, ...end }) ?? "")).toEqual(end);
  const limitation = [create(ResourceSchema, { name: "mem", type: 0, scalar: { value: 64 } })];
  expect(parseEnd(formatEnd({ status: 9, ...end, limitation }) ?? "")).toEqual({ ...end, limitation });
  expect(parseEnd("damaged")).toEqual({});
});
