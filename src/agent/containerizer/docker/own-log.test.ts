import { expect, it } from "vitest";
import { TestClock } from "../../../../test/support/test-clock.ts";
import type { Engine, LogOptions } from "../../../docker/engine.ts";
import { EngineError } from "../../../docker/errors.ts";
import type { LogFrame } from "../../../docker/log-frames.ts";
import { OwnLogs } from "./own-log.ts";

const frame = (stream: LogFrame["stream"], text: string): LogFrame => ({ stream, data: Buffer.from(text) });
const engineOf = (logs: (options: LogOptions) => AsyncGenerator<LogFrame[]>) =>
  ({
    inspect: async () => ({ tty: false }),
    logs: async (_id: string, options: LogOptions) => logs(options),
  }) as unknown as Pick<Engine, "inspect" | "logs">;
const read = async (
  engine: Pick<Engine, "inspect" | "logs">,
  offset: number,
  length: number,
  clock = new TestClock(),
) => {
  const wanted = { stdout: { offset, length }, stderr: { offset: 0, length: 1 } };
  const parts = await new OwnLogs(engine, clock).read("id", wanted);
  return parts && [parts.stdout, parts.stderr].map(({ size, data }) => [size, Buffer.from(data).toString()]);
};

const spoken = engineOf(async function* () {
  yield [frame("stdout", "hello "), frame("stderr", "oh no")];
  yield [frame("stdout", "there"), frame("stdout", "\n")];
});

it.each([
  [0, 100, "hello there\n"],
  [0, 5, "hello"],
  [3, 5, "lo th"],
  [6, 100, "there\n"],
  [11, 1, "\n"],
  [12, 10, ""],
  [1e15, 10, ""],
  [0, 0, ""],
])("from %d on %d bytes of a log", async (offset, length, text) => {
  expect(await read(spoken, offset, length)).toEqual([
    [12, text],
    [5, "o"],
  ]);
});

it("of a container that is gone is nothing; of one whose driver keeps none it says so", async () => {
  const failing = (error: Error) => ({ ...spoken, inspect: () => Promise.reject(error) });
  expect(await read(failing(new EngineError("refused", "no such container", { status: 404 })), 0, 1)).toBeUndefined();
  await expect(read(failing(new EngineError("refused", "the driver keeps nothing")), 0, 1)).rejects.toThrow(
    "keeps nothing",
  );
});

it("ends when it takes too long", async () => {
  const clock = new TestClock();
  const endless = engineOf(async function* ({ signal }) {
    yield [frame("stdout", "a")];
    await new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(new Error("aborted"))));
  });
  const reading = read(endless, 0, 1, clock);
  reading.catch(() => undefined);
  await clock.advance(30_000);
  await expect(reading).rejects.toThrow("aborted");
});

it("is read alone: others wait, and those beyond eight are refused", async () => {
  let [open, most] = [0, 0];
  const done = Promise.withResolvers<void>();
  const logs = new OwnLogs(
    engineOf(async function* () {
      most = Math.max(most, ++open);
      await done.promise;
      yield [frame("stdout", "said")];
      open--;
    }),
    new TestClock(),
  );
  const wanted = { stdout: { offset: 0, length: 9 }, stderr: { offset: 0, length: 9 } };
  const reads = Array.from({ length: 8 }, () => logs.read("id", wanted));
  await expect(logs.read("id", wanted)).rejects.toThrow("8 logs are being read from Docker: ask again");
  done.resolve();
  expect((await Promise.all(reads)).map((parts) => parts?.stdout.size)).toEqual(Array(8).fill(4));
  expect(most).toBe(1);
  expect((await logs.read("id", wanted))?.stdout.size).toBe(4);
});
