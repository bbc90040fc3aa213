import { describe, expect, it } from "vitest";
import { acknowledge, PATH, statusUpdates } from "../../../test/support/status-updates.ts";
import { settle } from "../../../test/support/test-clock.ts";
import { updateOf, uuidOf } from "../../../test/support/updates.ts";
import { TaskState } from "../../mesos/gen/mesos/v1/mesos_pb.ts";

const { TASK_STARTING, TASK_RUNNING, TASK_FINISHED } = TaskState;

describe("order", () => {
  it("sends the next update when the one in flight is acknowledged", async () => {
    const { updates, sent, written } = statusUpdates();
    for (const [number, state] of [
      [1, TASK_STARTING],
      [2, TASK_RUNNING],
      [3, TASK_FINISHED],
    ] as const)
      expect(await updates.add(updateOf(number, state), "task", PATH)).toBe(true);
    expect(sent).toEqual([1]);
    expect(updates.pendingCount).toBe(3);
    expect(await acknowledge(updates, 1)).toMatchObject({ kind: "acknowledged", closed: false });
    expect(await acknowledge(updates, 2)).toMatchObject({ kind: "acknowledged", closed: false });
    expect(await acknowledge(updates, 3)).toMatchObject({ kind: "acknowledged", closed: true });
    expect(sent).toEqual([1, 2, 3]);
    expect(written()).toBe("+1 +2 +3 -1 -2 -3");
    expect(updates.pendingCount).toBe(0);
  });

  it("keeps tasks apart", async () => {
    const { updates, sent } = statusUpdates();
    await updates.add(updateOf(1), "task", PATH);
    await updates.add(updateOf(2, TASK_RUNNING, { task: "other" }), "other", "/other");
    expect(sent).toEqual([1, 2]);
    expect(await updates.acknowledge("framework", "other", uuidOf(1))).toMatchObject({ kind: "ignored" });
  });

  it("never sends what is not written down yet", async () => {
    const { updates, files, sent } = statusUpdates();
    files.hold();
    const added = updates.add(updateOf(1), "task", PATH);
    await settle();
    updates.pause();
    updates.resume();
    updates.resend("framework");
    expect(sent).toEqual([]);
    files.release();
    await added;
    expect(sent).toEqual([1]);
  });

  it("never sends what is not written down yet, even while an acknowledgement is written", async () => {
    const { updates, files, sent, written } = statusUpdates();
    await updates.add(updateOf(1), "task", PATH);
    files.hold();
    const acknowledged = acknowledge(updates, 1);
    await settle();
    const added = updates.add(updateOf(2), "task", PATH);
    await settle();
    files.release();
    files.hold();
    await acknowledged;
    await settle();
    expect(written()).toBe("+1 -1");
    expect(sent).toEqual([1]);
    files.release();
    await added;
    expect(sent).toEqual([1, 2]);
  });

  it("sends the next one once, when the acknowledgement before it is written", async () => {
    const { updates, files, sent, written } = statusUpdates();
    await updates.add(updateOf(1), "task", PATH);
    files.hold();
    const added = updates.add(updateOf(2), "task", PATH);
    await settle();
    const acknowledged = acknowledge(updates, 1);
    await settle();
    files.release();
    files.hold();
    await added;
    await settle();
    expect(written()).toBe("+1 +2");
    expect(sent).toEqual([1]);
    files.release();
    await acknowledged;
    expect(sent).toEqual([1, 2]);
  });

  it("resolves a duplicate once the first is durable", async () => {
    const { updates, files, sent, written } = statusUpdates();
    files.hold();
    const first = updates.add(updateOf(1), "task", PATH);
    let repeated: boolean | undefined;
    const second = updates.add(updateOf(1), "task", PATH).then((durable) => {
      repeated = durable;
    });
    await settle();
    expect(repeated).toBeUndefined();
    files.release();
    await Promise.all([first, second]);
    expect(repeated).toBe(true);
    expect(sent).toEqual([1]);
    expect(written()).toBe("+1");
  });

  it("writes nothing for a framework that does not checkpoint", async () => {
    const { updates, files, sent } = statusUpdates();
    expect(await updates.add(updateOf(1), "task", undefined)).toBe(true);
    await acknowledge(updates, 1);
    expect(sent).toEqual([1]);
    expect(files.attempts).toBe(0);
  });
});

describe("retry", () => {
  it("sends again after 10 s, doubling up to 10 minutes, and from 10 s for the next update", async () => {
    const { clock, updates, sent } = statusUpdates();
    await updates.add(updateOf(1), "task", PATH);
    await updates.add(updateOf(2), "task", PATH);
    for (const seconds of [10, 20, 40, 80, 160, 320, 600, 600]) {
      const before = sent.length;
      await clock.advance(seconds * 1000 - 1);
      expect(sent).toHaveLength(before);
      await clock.advance(1);
      expect(sent).toHaveLength(before + 1);
    }
    await acknowledge(updates, 1);
    expect(sent.at(-1)).toBe(2);
    const before = sent.length;
    await clock.advance(10_000);
    expect(sent).toHaveLength(before + 1);
  });

  it("is silent while paused and sends every head on resume, from 10 s again", async () => {
    const { clock, updates, sent } = statusUpdates();
    await updates.add(updateOf(1), "task", PATH);
    await clock.advance(10_000);
    updates.pause();
    await updates.add(updateOf(7, TASK_RUNNING, { task: "other" }), "other", "/other");
    await clock.advance(3_600_000);
    expect(sent).toEqual([1, 1]);
    updates.resume();
    expect(sent).toEqual([1, 1, 1, 7]);
    await clock.advance(10_000);
    expect(sent).toEqual([1, 1, 1, 7, 1, 7]);
  });

  it("sends again for a scheduler that failed over, but not what went out a moment ago", async () => {
    const { clock, updates, sent } = statusUpdates();
    await updates.add(updateOf(1), "task", PATH);
    await updates.add(updateOf(2, TASK_RUNNING, { framework: "other" }), "task", "/other");
    updates.resend("framework");
    expect(sent).toEqual([1, 2]);
    await clock.advance(1_000);
    expect(sent).toEqual([1, 2, 1]);
    await clock.advance(5_000);
    updates.resend("framework");
    expect(sent).toEqual([1, 2, 1, 1]);
    await clock.advance(10_000);
    expect(sent.filter((number) => number === 1)).toHaveLength(4);
  });

  it("leaves no timer behind when all is acknowledged, dropped or closed", async () => {
    const { clock, updates } = statusUpdates();
    await updates.add(updateOf(1, TASK_FINISHED), "task", PATH);
    await acknowledge(updates, 1);
    expect(clock.pending).toBe(0);
    await updates.add(updateOf(2), "task", PATH);
    updates.drop("framework");
    expect(clock.pending).toBe(0);
    await updates.add(updateOf(3), "task", PATH);
    await updates.close();
    expect(clock.pending).toBe(0);
  });
});

describe("acknowledgements that are ignored", () => {
  it.each([
    ["a uuid that is none", "task", new Uint8Array(15), "15 bytes"],
    ["another task", "other", uuidOf(1), "no update of that task"],
    ["not the one in flight", "task", uuidOf(2), "not the update in flight"],
    ["one that was never seen", "task", uuidOf(9), "not the update in flight"],
  ])("%s", async (_what, task, uuid, why) => {
    const { updates, written } = statusUpdates();
    await updates.add(updateOf(1), "task", PATH);
    await updates.add(updateOf(2), "task", PATH);
    const result = await updates.acknowledge("framework", task, uuid);
    expect(result).toMatchObject({ kind: "ignored", why: expect.stringContaining(why) });
    expect(written()).toBe("+1 +2");
  });

  it("a duplicate", async () => {
    const { updates, written } = statusUpdates();
    await updates.add(updateOf(1), "task", PATH);
    await updates.add(updateOf(2), "task", PATH);
    const both = await Promise.all([acknowledge(updates, 1), acknowledge(updates, 1)]);
    expect(both.map(({ kind }) => kind)).toEqual(["acknowledged", "ignored"]);
    expect(written()).toBe("+1 +2 -1");
  });
});

describe("recovery of streams", () => {
  const record = (number: number, state?: TaskState) => ({ update: updateOf(number, state) });
  const recovered = (records: readonly object[]) =>
    ({ frameworkId: "framework", taskId: "task", path: PATH, records }) as never;

  it("goes on where it stopped", async () => {
    const { updates, sent, written } = statusUpdates();
    updates.pause();
    expect(updates.recover(recovered([record(1), record(2), { acknowledged: uuidOf(1) }]))).toEqual({ closed: false });
    expect(sent).toEqual([]);
    updates.resume();
    expect(sent).toEqual([2]);
    expect(await updates.add(updateOf(1), "task", PATH)).toBe(true);
    expect(await updates.add(updateOf(3, TASK_FINISHED), "task", PATH)).toBe(true);
    await acknowledge(updates, 2);
    expect(sent).toEqual([2, 3]);
    expect(written()).toBe("+3 -2");
  });

  it("does not keep a closed one", () => {
    const { updates } = statusUpdates();
    expect(updates.recover(recovered([record(1, TASK_FINISHED), { acknowledged: uuidOf(1) }]))).toEqual({
      closed: true,
    });
    expect(updates.head("framework", "task")).toBeUndefined();
  });

  it("bears records that make no sense", () => {
    const { updates } = statusUpdates();
    const bad = { update: { ...updateOf(4), uuid: new Uint8Array(3) } };
    const records = [{}, { acknowledged: uuidOf(8) }, bad, record(1), record(1), { acknowledged: new Uint8Array(2) }];
    expect(updates.recover(recovered(records))).toEqual({ closed: false });
    expect(updates.head("framework", "task")?.uuid).toEqual(uuidOf(1));
    expect(updates.pendingCount).toBe(1);
  });
});
