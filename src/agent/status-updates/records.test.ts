import { describe, expect, it } from "vitest";
import { systemError } from "../../../test/support/checkpoint-files.ts";
import { acknowledge, PATH, statusUpdates } from "../../../test/support/status-updates.ts";
import { settle } from "../../../test/support/test-clock.ts";
import { describeRecords, updateOf } from "../../../test/support/updates.ts";
import { TaskState } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { StatusUpdates } from "./streams.ts";

const { TASK_RUNNING, TASK_FINISHED } = TaskState;

describe("records of one file", () => {
  const addAll = (updates: StatusUpdates, ...numbers: number[]) =>
    numbers.map((number) => updates.add(updateOf(number), "task", PATH));

  it("are one append when they come in one go, in the order of the calls", async () => {
    const { updates, files, sent, written } = statusUpdates();
    expect(await Promise.all(addAll(updates, 1, 2))).toEqual([true, true]);
    expect(files.attempts).toBe(1);
    expect(written()).toBe("+1 +2");
    expect(sent).toEqual([1]);
    await Promise.all([acknowledge(updates, 1), ...addAll(updates, 3)]);
    expect(files.attempts).toBe(2);
    expect(written()).toBe("+1 +2 -1 +3");
    expect(sent).toEqual([1, 2]);
  });

  it("are one append of their own while another is written", async () => {
    const { updates, files, written } = statusUpdates();
    files.hold();
    const first = addAll(updates, 1);
    await settle();
    const others = addAll(updates, 2, 3);
    await settle();
    expect(files.attempts).toBe(1);
    files.release();
    await Promise.all([...first, ...others]);
    expect(files.attempts).toBe(2);
    expect(written()).toBe("+1 +2 +3");
  });

  it("are not mixed with those of another", async () => {
    const { updates, files, written } = statusUpdates();
    const other = updates.add(updateOf(5, TASK_RUNNING, { task: "other" }), "other", "/other");
    await Promise.all([...addAll(updates, 1), other]);
    expect(written()).toBe("+1");
    expect(describeRecords(files.contents.get("/other"))).toBe("+5");
  });

  it("are synced together when one of them has to be, and only then", async () => {
    const { updates, files, sent, written } = statusUpdates();
    await Promise.all(addAll(updates, 1, 2));
    await Promise.all([...addAll(updates, 3), updates.add(updateOf(4, TASK_FINISHED), "task", PATH)]);
    await acknowledge(updates, 1);
    expect(written()).toBe("+1 +2 +3 +4 -1");
    expect(files.synced).toEqual([false, true, false]);
    expect(sent).toEqual([1, 2]);
  });

  it("each have their own result when there is no room for all", async () => {
    const { clock, updates, files, sent, written } = statusUpdates();
    await Promise.all(addAll(updates, 1));
    const length = files.contents.get(PATH)?.length ?? 0;
    files.room = 2 * length;
    const durable: number[] = [];
    for (const number of [2, 3, 4, 5])
      void updates.add(updateOf(number), "task", PATH).then((done) => done && durable.push(number));
    await settle();
    expect(written()).toBe("+1 +2 +3");
    expect(durable).toEqual([2, 3]);
    expect(updates.writeTrouble).toContain("ENOSPC");
    // What is smaller than the one that waits does not overtake it.
    files.room = length - 1;
    void acknowledge(updates, 1);
    await clock.advance(30_000);
    expect(sent).toContain(2);
    expect(written()).toBe("+1 +2 +3");
    files.room = Number.POSITIVE_INFINITY;
    await clock.advance(60_000);
    expect(written()).toBe("+1 +2 +3 +4 +5 -1");
    expect(durable).toEqual([2, 3, 4, 5]);
    expect(updates.writeTrouble).toBeUndefined();
    const { attempts } = files;
    await Promise.all(addAll(updates, 6, 7));
    expect(files.attempts).toBe(attempts + 1);
  });
});

describe("a disk that cannot be written", () => {
  it("does not hold back the master; the record follows when it can", async () => {
    const { clock, updates, files, sent, written } = statusUpdates();
    files.failing = systemError("ENOSPC");
    let durable = false;
    void updates.add(updateOf(1), "task", PATH).then((done) => {
      durable = done;
    });
    await settle();
    expect(sent).toEqual([1]);
    expect(durable).toBe(false);
    expect(updates.writeTrouble).toContain("ENOSPC");
    await clock.advance(5_000);
    expect(files.attempts).toBeGreaterThan(2);
    files.failing = undefined;
    await clock.advance(60_000);
    expect(durable).toBe(true);
    expect(updates.writeTrouble).toBeUndefined();
    expect(written()).toBe("+1");
  });

  it("writes update and acknowledgement in their order when it comes back", async () => {
    const { clock, updates, files, sent, written } = statusUpdates();
    files.failing = systemError("EIO");
    void updates.add(updateOf(1), "task", PATH);
    void updates.add(updateOf(2), "task", PATH);
    await settle();
    void acknowledge(updates, 1);
    void updates.add(updateOf(3), "task", PATH);
    await settle();
    void acknowledge(updates, 2);
    await settle();
    expect(sent).toEqual([1, 2, 3]);
    files.failing = undefined;
    await clock.advance(60_000);
    expect(written()).toBe("+1 +2 -1 +3 -2");
  });

  it("does not write into the folder of a framework that is gone", async () => {
    const { clock, updates, files, sent } = statusUpdates();
    files.failing = systemError("ENOSPC");
    const added = updates.add(updateOf(1), "task", PATH);
    await settle();
    updates.drop("framework");
    files.failing = undefined;
    await clock.advance(60_000);
    expect(await added).toBe(false);
    expect(files.contents.size).toBe(0);
    expect(sent).toEqual([1]);
  });

  it("does not write into the folder of a task that is over", async () => {
    const { clock, updates, files, sent } = statusUpdates();
    files.failing = systemError("ENOSPC");
    const added = updates.add(updateOf(1, TASK_FINISHED), "task", PATH);
    await settle();
    expect(await acknowledge(updates, 1)).toMatchObject({ kind: "acknowledged", closed: true });
    files.failing = undefined;
    await clock.advance(60_000);
    expect(await added).toBe(true);
    expect(updates.writeTrouble).toBeUndefined();
    expect(files.contents.size).toBe(0);
    expect(sent).toEqual([1]);
  });

  it("does not delay the end of the agent", async () => {
    const { clock, updates, files } = statusUpdates();
    files.failing = systemError("ENOSPC");
    const added = [1, 2].map((number) => updates.add(updateOf(number), "task", PATH));
    await settle();
    await updates.close();
    expect(await Promise.all(added)).toEqual([false, false]);
    expect(clock.pending).toBe(0);
  });

  it("keeps the agent until what was added is written", async () => {
    const { updates, files, written } = statusUpdates();
    files.hold();
    const added = [1, 2].map((number) => updates.add(updateOf(number), "task", PATH));
    let over = false;
    const closed = updates.close().then(() => {
      over = true;
    });
    await settle();
    expect(over).toBe(false);
    files.release();
    await closed;
    expect(await Promise.all(added)).toEqual([true, true]);
    expect(written()).toBe("+1 +2");
  });
});
