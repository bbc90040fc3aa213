import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cursorSince, type OutputCursor, StreamFilter, type StreamName } from "./output-cursor.ts";

interface Entry {
  readonly stream: StreamName;
  readonly time: string;
  readonly data: Buffer;
}

const timeOf = (nanoseconds: number): string => `2026-01-01T00:00:${String(nanoseconds).padStart(2, "0")}.000000000Z`;

function newCursor(replay = false): OutputCursor {
  const stream = () => ({ bytesAtTime: 0, total: 0, inode: 1, size: 0 });
  return { stdout: stream(), stderr: stream(), replay, complete: false };
}

/** What the daemon sends for `since`: inclusive, in the order of the log. */
const logSince = (log: readonly Entry[], since: string | undefined): Entry[] =>
  log.filter(({ time }) => since === undefined || Number(since) <= Date.parse(time) / 1000);

/** Reads `log` in several runs that are cut anywhere; the cursor is kept now and then, and the process dies. */
function readInRuns(log: readonly Entry[], runs: readonly { cut: number; keepEvery: number }[], replay: boolean) {
  const files = { stdout: "", stderr: "" };
  let kept = structuredClone(newCursor(replay));
  for (const { cut, keepEvery } of [...runs, { cut: Number.POSITIVE_INFINITY, keepEvery: 1 }]) {
    const cursor = structuredClone(kept);
    const extra = (name: StreamName): number => files[name].length - cursor[name].size;
    const filters = {
      stdout: new StreamFilter(cursor, "stdout", extra("stdout")),
      stderr: new StreamFilter(cursor, "stderr", extra("stderr")),
    };
    for (const [index, { stream, time, data }] of logSince(log, cursorSince(cursor)).entries()) {
      if (index >= cut) break;
      const rest = filters[stream].take(replay ? undefined : time, data);
      if (rest.length > 0) {
        files[stream] += rest.toString();
        cursor[stream].size = files[stream].length;
      }
      if (index % keepEvery === 0) kept = structuredClone(cursor);
    }
  }
  return files;
}

const entries = fc
  .array(fc.record({ stream: fc.constantFrom<StreamName>("stdout", "stderr"), step: fc.nat(3), length: fc.nat(5) }), {
    maxLength: 25,
  })
  .map((steps) => {
    let now = 0;
    let letter = 0;
    return steps.map(({ stream, step, length }): Entry => {
      now = Math.min(59, now + step);
      const text = Array.from({ length }, () => String.fromCharCode(97 + (letter++ % 26))).join("");
      return { stream, time: timeOf(now), data: Buffer.from(text) };
    });
  });
const cuts = fc.array(fc.record({ cut: fc.nat(30), keepEvery: fc.integer({ min: 1, max: 6 }) }), { maxLength: 5 });

describe("the cursor of a container's output", () => {
  it.each([false, true])("brings every byte once, in order, whenever the agent dies (replay: %s)", (replay) => {
    fc.assert(
      fc.property(entries, cuts, (log, runs) => {
        const of = (name: StreamName): string =>
          log
            .filter(({ stream }) => stream === name)
            .map(({ data }) => data.toString())
            .join("");
        expect(readInRuns(log, runs, replay)).toEqual({ stdout: of("stdout"), stderr: of("stderr") });
      }),
      { numRuns: 1000 },
    );
  });

  it("asks from a little before the latest entry, and from the start while there is none", () => {
    const cursor = newCursor();
    expect(cursorSince(cursor)).toBeUndefined();
    new StreamFilter(cursor, "stdout", 0).take("2026-01-01T00:00:30.500000000Z", Buffer.from("x"));
    expect(cursorSince(cursor)).toBe(`${Date.parse("2026-01-01T00:00:20Z") / 1000}.500000000`);
  });

  it("turns to reading all of it when the clock went backwards", () => {
    const cursor = newCursor();
    const filter = new StreamFilter(cursor, "stdout", 0);
    filter.take(timeOf(30), Buffer.from("one"));
    expect(filter.take(timeOf(10), Buffer.from("two")).toString()).toBe("two");
    expect(cursor.replay).toBe(true);
    expect(cursorSince(cursor)).toBeUndefined();
    const again = new StreamFilter(cursor, "stdout", 0);
    expect(again.take(timeOf(30), Buffer.from("one"))).toHaveLength(0);
    expect(again.take(timeOf(10), Buffer.from("two"))).toHaveLength(0);
    expect(again.take(timeOf(11), Buffer.from("three")).toString()).toBe("three");
  });
});
