import { Duplex } from "node:stream";
import { expect, it } from "vitest";
import { settle, TestClock } from "../../../../test/support/test-clock.ts";
import { inputAttachment } from "./attachment.ts";
import { newestOnly } from "./newest.ts";
import { writeTo } from "./session.ts";

/** An attachment to a process that takes each piece when `taken` is called. */
function attached(clock: TestClock) {
  const seen: string[] = [];
  const waiting: (() => void)[] = [];
  const connection = new Duplex({
    read: () => undefined,
    write: (piece, _encoding, done) => {
      waiting.push(() => {
        seen.push(`${piece}`);
        done();
      });
    },
  });
  const attachment = inputAttachment({
    ...{ containerId: "one", connection, hasTerminal: true, clock, writers: new Set<string>() },
    ...{ ended: new Promise(() => undefined), resize: () => undefined },
    write: (data) => writeTo(connection, data),
  });
  const taken = async (): Promise<void> => {
    waiting.shift()?.();
    await settle();
  };
  return { attachment, connection, seen, taken };
}

it("what was written reaches the process, also when who wrote it goes at once", async () => {
  const { attachment, connection, seen, taken } = attached(new TestClock());
  await attachment.write(Buffer.from("one"));
  await attachment.write(Buffer.from("two"));
  attachment.leave();
  attachment.leave();
  await taken();
  expect(connection.destroyed).toBe(false);
  await taken();
  expect(seen).toEqual(["one", "two"]);
  expect(connection.destroyed).toBe(true);
});

it("a process that takes nothing keeps no connection for more than ten seconds", async () => {
  const clock = new TestClock();
  const { attachment, connection } = attached(clock);
  await attachment.write(Buffer.from("one"));
  attachment.leave();
  await clock.advance(9_900);
  expect(connection.destroyed).toBe(false);
  await clock.advance(200);
  expect(connection.destroyed).toBe(true);
});

it("of sizes that come while one is set the last one is set, after it", async () => {
  const set: number[] = [];
  const done: (() => void)[] = [];
  const resize = newestOnly<number>((value) => {
    set.push(value);
    return new Promise((resolve) => done.push(resolve));
  });
  for (const value of [1, 2, 3, 4]) resize(value);
  expect(set).toEqual([1]);
  done.shift()?.();
  await settle();
  expect(set).toEqual([1, 4]);
  done.shift()?.();
  await settle();
  resize(5);
  expect(set).toEqual([1, 4, 5]);
});
