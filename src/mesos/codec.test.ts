import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { decode, encode, enumName, has, MessageError, shallowCopy } from "./codec.ts";
import { ReregisterSlaveMessageSchema, RunTaskMessageSchema } from "./gen/mesos/internal/messages_pb.ts";
import {
  AgentInfoSchema,
  ContainerIDSchema,
  FrameworkInfoSchema,
  TaskState,
  TaskStateSchema,
  TaskStatus_Source,
  TaskStatusSchema,
} from "./gen/mesos/v1/mesos_pb.ts";

function thrown(action: () => unknown): MessageError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(MessageError);
    return error as MessageError;
  }
  throw new Error("nothing was thrown");
}

describe("decode", () => {
  it("refuses a missing required field and names its path", () => {
    // RunTaskMessage{framework{user, name}, task{name}}
    const bytes = Buffer.from("12060a017512016e22030a0174", "hex");
    const error = thrown(() => decode(RunTaskMessageSchema, bytes));
    expect(error.path).toBe("task.task_id");
    expect(error.message).toContain("mesos.internal.RunTaskMessage");
  });

  it("names the element of a list", () => {
    const message = create(ReregisterSlaveMessageSchema, {
      agent: { hostname: "h" },
      frameworks: [{ user: "u", name: "n" }, { user: "u" }],
    });
    expect(thrown(() => encode(ReregisterSlaveMessageSchema, message)).path).toBe("frameworks[1].name");
  });

  it("finds missing fields through recursive types", () => {
    const id = create(ContainerIDSchema, { value: "a", parent: { value: "b", parent: {} } });
    expect(thrown(() => encode(ContainerIDSchema, id)).path).toBe("parent.parent.value");
  });

  it("refuses an unknown number in a required enum", () => {
    // TaskStatus{task_id{value "t"}, state 99}
    expect(thrown(() => decode(TaskStatusSchema, Buffer.from("0a030a01741063", "hex"))).path).toBe("state");
  });

  it("reads an unknown number in an optional enum as unset, and keeps it", () => {
    // TaskStatus{task_id, state 1, source 99}
    const bytes = Buffer.from("0a030a017410014863", "hex");
    const status = decode(TaskStatusSchema, bytes);
    expect(has(status, "source")).toBe(false);
    expect(status.source).toBe(TaskStatus_Source.MASTER);
    expect(Buffer.from(encode(TaskStatusSchema, status)).toString("hex")).toBe(bytes.toString("hex"));
  });

  it("keeps unknown fields", () => {
    const bytes = Buffer.concat([
      Buffer.from("0a0175", "hex"),
      Buffer.from("12016e", "hex"),
      Buffer.from("fa3e03616263", "hex"),
    ]);
    expect(Buffer.from(encode(FrameworkInfoSchema, decode(FrameworkInfoSchema, bytes)))).toEqual(bytes);
  });

  it("turns garbage into a MessageError", () => {
    expect(thrown(() => decode(TaskStatusSchema, Buffer.from("ffffffffffffff", "hex"))).path).toBeUndefined();
  });

  it("survives endless nesting", () => {
    let bytes = Buffer.from("0a0161", "hex");
    for (let depth = 0; depth < 5000; depth++) {
      const length: number[] = [];
      let left = bytes.length;
      for (; left > 127; left >>>= 7) length.push((left & 127) | 128);
      length.push(left);
      bytes = Buffer.concat([Buffer.from([0x12, ...length]), bytes]);
    }
    thrown(() => decode(ContainerIDSchema, bytes));
  });
});

describe("has", () => {
  it("tells a default from a value", () => {
    const info = create(AgentInfoSchema, { hostname: "h" });
    expect([info.port, has(info, "port")]).toEqual([5051, false]);
    info.port = 5051;
    expect(has(info, "port")).toBe(true);
  });
});

describe("shallowCopy", () => {
  it("keeps defaults, and leaves the original alone", () => {
    const info = create(AgentInfoSchema, { hostname: "h" });
    const copy = shallowCopy(info);
    copy.port = 1;
    expect([info.port, copy.port, copy.checkpoint, has(copy, "checkpoint")]).toEqual([5051, 1, false, false]);
  });
});

describe("enumName", () => {
  it("is the name in the .proto file", () => {
    expect(enumName(TaskStateSchema, TaskState.TASK_GONE)).toBe("TASK_GONE");
    expect(enumName(TaskStateSchema, 77)).toBe("77");
  });
});
