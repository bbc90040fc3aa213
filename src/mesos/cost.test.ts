import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ownMilliseconds } from "../../test/support/own-time.ts";
import { decode, decodeForeign } from "./codec.ts";
import { DEEPEST, jsonProblem, MOST_OBJECTS, wireProblem } from "./cost.ts";
import { PingSlaveMessageSchema, RunTaskMessageSchema } from "./gen/mesos/internal/messages_pb.ts";
import { CallSchema } from "./gen/mesos/v1/executor/executor_pb.ts";
import { ContainerIDSchema, LabelsSchema, TaskInfoSchema } from "./gen/mesos/v1/mesos_pb.ts";
import { decodeForeignJson } from "./json.ts";

/** `record`, `count` times. */
const flood = (record: readonly number[], count: number): Buffer =>
  Buffer.alloc(record.length * count, Buffer.from(record));

const task = create(TaskInfoSchema, {
  name: "n",
  taskId: { value: "t" },
  agentId: { value: "a" },
  command: { value: "x".repeat(20_000), environment: { variables: [{ name: "A", value: "b" }] } },
  labels: { labels: Array.from({ length: 2_000 }, (_, index) => ({ key: `k${index}`, value: "v" })) },
});

/** Milliseconds that the refusal of a body takes. */
function time(refuse: () => unknown): number {
  const start = ownMilliseconds();
  refuse();
  return ownMilliseconds() - start;
}

describe("what a protobuf body would cost", () => {
  it("lets a real message pass, and decodes it to the same", () => {
    const bytes = toBinary(TaskInfoSchema, task);
    expect(wireProblem(TaskInfoSchema, bytes, MOST_OBJECTS)).toBeUndefined();
    expect(decodeForeign(TaskInfoSchema, bytes, MOST_OBJECTS)).toEqual(decode(TaskInfoSchema, bytes));
  });

  it.each([
    ["fields that nobody knows", PingSlaveMessageSchema, flood([0x78, 0x00], 8_000_000)],
    ["fields that nobody knows, with a length", PingSlaveMessageSchema, flood([0x7a, 0x00], 8_000_000)],
    ["empty elements", LabelsSchema, flood([0x0a, 0x00], 8_000_000)],
    ["one message again and again", RunTaskMessageSchema, flood([0x0a, 0x00], 8_000_000)],
  ] as const)("refuses 16 MB of %s in no time", (_what, schema, bytes) => {
    expect(time(() => expect(() => decodeForeign(schema, bytes, MOST_OBJECTS)).toThrow("objects"))).toBeLessThan(2_000);
  });

  it("counts inside of elements, too", () => {
    // A label with two fields that nobody knows: three objects in six bytes.
    const bytes = Buffer.from([0x0a, 0x04, 0x78, 0x00, 0x78, 0x00]);
    expect(wireProblem(LabelsSchema, bytes, 3)).toBeUndefined();
    expect(wireProblem(LabelsSchema, bytes, 2)).toBe("more than 2 objects");
  });

  it("does not take the bytes of a text for objects", () => {
    const long = toBinary(TaskInfoSchema, create(TaskInfoSchema, { ...task, name: "x".repeat(4_000_000) }));
    expect(wireProblem(TaskInfoSchema, long, MOST_OBJECTS)).toBeUndefined();
  });

  it("refuses what nests too deeply, groups, and what is cut off", () => {
    // ContainerID.parent is a ContainerID.
    let deep = Buffer.alloc(0);
    for (let depth = 0; depth < DEEPEST + 10; depth++) {
      const length = deep.length < 0x80 ? [deep.length] : [(deep.length & 0x7f) | 0x80, deep.length >> 7];
      deep = Buffer.concat([Buffer.from([0x12, ...length]), deep]);
    }
    expect(wireProblem(ContainerIDSchema, deep, 1_000)).toBe("nested too deeply");
    expect(wireProblem(CallSchema, Buffer.from([0x7b]), 10)).toBe("it has a group");
    expect(wireProblem(CallSchema, Buffer.from([0x0a, 0x05, 0x0a]), 10)).toBe("it is cut off or malformed");
    expect(wireProblem(CallSchema, Buffer.from([0xff]), 10)).toBe("it is cut off or malformed");
    expect(wireProblem(CallSchema, Buffer.from([0x00]), 10)).toBe("it is cut off or malformed");
  });

  it("never throws, whatever the bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        wireProblem(TaskInfoSchema, bytes, 20);
      }),
      { numRuns: 2_000, seed: 11 },
    );
  });
});

describe("what a JSON text would cost", () => {
  const text = (value: string): Buffer => Buffer.from(value);

  it("lets a real call pass", () => {
    expect(jsonProblem(text('{"type":"HEARTBEAT","executor_id":{"value":"[[[,,,\\"{{{"}}'), 5)).toBeUndefined();
  });

  it.each([
    ["nested lists", "[".repeat(16_000_000), "nested too deeply"],
    ["nested objects", '{"a":'.repeat(3_000_000), "nested too deeply"],
    ["small values", `[${"1,".repeat(8_000_000)}1]`, "values"],
    ["one number", "9".repeat(16_000_000), "digits"],
    ["empty objects", `[${"{},".repeat(5_000_000)}{}]`, "values"],
  ])("refuses 16 MB of %s in no time", (_what, body, problem) => {
    const bytes = text(body);
    expect(time(() => expect(() => decodeForeignJson(CallSchema, bytes, MOST_OBJECTS)).toThrow(problem))).toBeLessThan(
      500,
    );
  });
});
