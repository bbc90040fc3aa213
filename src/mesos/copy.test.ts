import { clone, create, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { copyOf } from "./copy.ts";
import {
  CommandInfoSchema,
  LabelsSchema,
  ResourceSchema,
  TaskState,
  TaskStatusSchema,
  Value_Type,
} from "./gen/mesos/v1/mesos_pb.ts";

const status = () =>
  create(TaskStatusSchema, {
    taskId: { value: "t" },
    state: TaskState.TASK_RUNNING,
    timestamp: 1.5,
    healthy: false,
    uuid: new Uint8Array([1, 2, 3]),
    labels: { labels: [{ key: "a", value: "1" }, { key: "b" }] },
    containerStatus: { networkInfos: [{ ipAddresses: [{ ipAddress: "10.0.0.1" }], groups: ["g", "h"] }] },
  });

describe("a copy of a message", () => {
  it("is what the library's own would be", () => {
    for (const message of [status(), create(TaskStatusSchema, { taskId: { value: "" }, state: TaskState.TASK_LOST })]) {
      expect(copyOf(message)).toEqual(clone(TaskStatusSchema, message));
      expect(equals(TaskStatusSchema, copyOf(message), message)).toBe(true);
      expect(toBinary(TaskStatusSchema, copyOf(message))).toEqual(toBinary(TaskStatusSchema, message));
    }
    const resource = create(ResourceSchema, { name: "cpus", type: Value_Type.SCALAR, scalar: { value: 0.1 } });
    expect(copyOf(resource)).toEqual(clone(ResourceSchema, resource));
  });

  it("shares nothing that can be changed", () => {
    const [message, copy] = [status(), copyOf(status())];
    const kept = copyOf(message);
    message.labels?.labels.push(create(LabelsSchema, { labels: [{ key: "c" }] }).labels[0] as never);
    message.uuid?.fill(9);
    Object.assign(message.containerStatus?.networkInfos[0]?.ipAddresses[0] ?? {}, { ipAddress: "changed" });
    message.containerStatus?.networkInfos[0]?.groups.pop();
    delete message.taskId;
    expect(kept).toEqual(copy);
  });

  it("has the defaults that its kind has, and not as if they were said", () => {
    const command = create(CommandInfoSchema, { value: "true" });
    const copy = copyOf(command);
    expect(copy.shell).toBe(true);
    expect(Object.hasOwn(copy, "shell")).toBe(false);
    copy.shell = false;
    expect(command.shell).toBe(true);
  });

  it("has what is known of newer masters only", () => {
    const newer = new Uint8Array([...toBinary(LabelsSchema, create(LabelsSchema, {})), 0x82, 0x7d, 1, 7]);
    const message = fromBinary(LabelsSchema, newer);
    const copy = copyOf(message);
    expect(message.$unknown).toHaveLength(1);
    expect(toBinary(LabelsSchema, copy)).toEqual(newer);
    copy.$unknown?.pop();
    expect(message.$unknown).toHaveLength(1);
  });
});
