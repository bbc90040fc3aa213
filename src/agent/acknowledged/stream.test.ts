import { describe, expect, it } from "vitest";
import { updateOf, uuidOf } from "../../../test/support/updates.ts";
import type { StatusUpdate } from "../../mesos/gen/mesos/internal/messages_pb.ts";
import { TaskState } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { AcknowledgedStream } from "./stream.ts";

const { TASK_RUNNING, TASK_FINISHED } = TaskState;

const open = () =>
  new AcknowledgedStream<StatusUpdate>({
    uuidOf: ({ uuid }) => uuid,
    isLast: ({ status }) => status?.state === TASK_FINISHED,
  });

describe("one stream of updates", () => {
  it("keeps the order and has only the oldest in flight", () => {
    const stream = open();
    for (const number of [1, 2, 3]) expect(stream.receive(updateOf(number))).toBe(true);
    expect(stream.head?.uuid).toEqual(uuidOf(1));
    expect(stream.judge(uuidOf(2))).toBe("unexpected");
    expect(stream.judge(uuidOf(1))).toBe("head");
    expect(stream.acknowledge().uuid).toEqual(uuidOf(1));
    expect(stream.pending.map(({ uuid }) => uuid)).toEqual([uuidOf(2), uuidOf(3)]);
  });

  it("knows a uuid for ever, acknowledged or not", () => {
    const stream = open();
    stream.receive(updateOf(1));
    expect(stream.receive(updateOf(1))).toBe(false);
    stream.acknowledge();
    expect(stream.receive(updateOf(1))).toBe(false);
    expect(stream.judge(uuidOf(1))).toBe("duplicate");
    expect(stream.pending).toHaveLength(0);
  });

  it("closes with the acknowledgement of a terminal update, not with its arrival", () => {
    const stream = open();
    stream.receive(updateOf(1, TASK_RUNNING));
    stream.receive(updateOf(2, TASK_FINISHED));
    stream.acknowledge();
    expect(stream.closed).toBe(false);
    stream.acknowledge();
    expect(stream.closed).toBe(true);
  });

  it("refuses what has no uuid of 16 bytes", () => {
    const stream = open();
    expect(() => stream.receive({ ...updateOf(1), uuid: new Uint8Array(15) })).toThrow("16-byte uuid");
    expect(() => stream.acknowledge()).toThrow("nothing in flight");
  });
});
