import { inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../../base/clock.ts";
import type { Source } from "../../model/source.ts";
import { compressing, type Finisher, FrameEncoder, jsonLines } from "./encoder.ts";
import { framesOf, pairsOf } from "./rewindow.ts";

const source = { name: "/a.log" } as Source;
const chunk = Buffer.from('one\n"two"\n');

function encoderOf(version: 1 | 2, finisher: Finisher): FrameEncoder {
  return new FrameEncoder({
    clock: systemClock,
    finisher,
    version: () => version,
    constantsOf: ({ name }) => ({ file: name, host: "h", fields: {} }),
  });
}

describe("the encoder", () => {
  it("makes W and C frames for receivers", async () => {
    const encoder = encoderOf(1, compressing(3));
    const window = encoder.open(10, 5);
    expect(window.lines(source, chunk, 0, 0, chunk.length - 1)).toBe(chunk.length);
    const batch = await window.seal();
    encoder.close();
    expect(batch).toMatchObject({ sequence: 0, version: 1, events: 2, readAt: 5 });
    expect(batch.wire.subarray(0, 6).toString("latin1")).toBe("1W\0\0\0\u0002");
    const frames = [...framesOf(inflateSync(batch.wire.subarray(12)))];
    expect(frames.map((frame) => pairsOf(frame)["line"])).toEqual(["one", '"two"']);
  });

  it("makes lines of JSON for a tap, without compressing anything", async () => {
    const window = encoderOf(2, jsonLines).open(10, 0);
    window.lines(source, chunk, 0, 0, chunk.length - 1);
    const { wire } = await window.seal();
    const lines = wire.toString().trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).message)).toEqual(["one", '"two"']);
  });

  it("says that it is full while all of its buffers are in use", async () => {
    const encoder = encoderOf(1, compressing(3));
    const windows = [1, 2, 3].map(() => encoder.open(1, 0));
    expect(encoder.full).toBe(true);
    await windows[0]?.seal();
    expect(encoder.full).toBe(false);
    encoder.close();
  });

  it("keeps what all events of a file share for some files, those that are written again", () => {
    const made: string[] = [];
    const encoder = new FrameEncoder({
      clock: systemClock,
      finisher: jsonLines,
      version: () => 1,
      constantsOf: ({ name }) => {
        made.push(name);
        return { file: name, host: "h", fields: {} };
      },
    });
    const window = encoder.open(100_000, 0);
    const take = (...sources: Source[]): string[] => {
      made.length = 0;
      for (const one of sources) window.lines(one, chunk, 0, 0, 3);
      return [...made];
    };
    const [found, again] = [{ name: "found", acked: 0 } as Source, { name: "again", acked: 4 } as Source];
    expect(take(found, found), "the last one is known").toEqual(["found"]);
    expect(take(again, found, again)).toEqual(["again", "found"]);
    const others = Array.from({ length: 512 }, (_, index) => ({ name: String(index), acked: 4 }) as Source);
    take(...others);
    expect(take(again), "too many came since").toEqual(["again"]);
  });
});
