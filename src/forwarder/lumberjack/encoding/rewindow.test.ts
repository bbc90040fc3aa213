import { deflateSync, inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type Batch, cutRuns } from "../../model/batch.ts";
import type { Source } from "../../model/source.ts";
import { frameWindow } from "./frames.ts";
import { framesOf, pairsOf, rewindow } from "./rewindow.ts";

const [a, b] = [{ name: "a" } as Source, { name: "b" } as Source];

function frame(sequence: number, line: string): Buffer {
  const pairs = [
    ["file", "/x"],
    ["line", line],
  ]
    .flat()
    .map((text) => {
      const bytes = Buffer.alloc(4 + Buffer.byteLength(text));
      bytes.writeUInt32BE(bytes.length - 4);
      bytes.write(text, 4);
      return bytes;
    });
  return Buffer.concat([Buffer.from([0x31, 0x44, 0, 0, 0, sequence, 0, 0, 0, 2]), ...pairs]);
}

const lines = ["zero", "one", "zwö", "three", "four"];
const raw = Buffer.concat(lines.map((line, index) => frame(index + 1, line)));
const batch: Batch = {
  sequence: 7,
  version: 1,
  events: 5,
  wire: frameWindow(1, 5, [deflateSync(raw)]),
  ends: Float64Array.from([10, 20, 5, 30, 40]),
  runs: [
    { source: a, until: 2, end: 21, tail: { length: 1, crc: 1 } },
    { source: b, until: 3, end: 5, tail: undefined },
    { source: a, until: 5, end: 44, tail: { length: 1, crc: 2 } },
  ],
  raw: raw.length,
  readAt: 0,
};
const contentOf = ({ wire }: Batch): Buffer[] => [...framesOf(inflateSync(wire.subarray(12)))];

describe("cutting a window anew", () => {
  it("keeps what is not acknowledged, sequences from 1", async () => {
    const windows = await rewindow(batch, 1, 3, 1, 3);
    expect(windows.map(({ events }) => events)).toEqual([3, 1]);
    expect(windows.flatMap(contentOf).map((one) => pairsOf(one)["line"])).toEqual(lines.slice(1));
    expect(windows.flatMap(contentOf).map((one) => one.readUInt32BE(2))).toEqual([1, 2, 3, 1]);
    expect(windows[0]?.wire.readUInt32BE(2)).toBe(3);
    expect([...(windows[0]?.ends ?? [])]).toEqual([20, 5, 30]);
  });

  it("translates to the other version and back", async () => {
    const [two] = await rewindow(batch, 0, 9, 2, 3);
    expect(two).toBeDefined();
    if (two === undefined) return;
    expect(contentOf(two).map((one) => JSON.parse(one.toString("utf8", 10)))).toEqual(
      lines.map((message) => ({ file: "/x", message })),
    );
    const [one] = await rewindow(two, 0, 9, 1, 3);
    expect(one && contentOf(one).map(pairsOf)).toEqual(lines.map((line) => ({ file: "/x", line })));
  });

  it("keeps the digits of numbers when it translates", async () => {
    const json = Buffer.from('{"@timestamp":"t","file":"/x","id":12345678901234567890,"f":1.0,"message":"m"}');
    const head = Buffer.alloc(10, "2J\0\0\0\u0001");
    head.writeUInt32BE(json.length, 6);
    const wire = frameWindow(2, 1, [deflateSync(Buffer.concat([head, json]))]);
    const [one] = await rewindow({ ...batch, version: 2, events: 1, wire }, 0, 9, 1, 3);
    expect(one && contentOf(one).map(pairsOf)).toEqual([
      { file: "/x", id: "12345678901234567890", f: "1.0", line: "m" },
    ]);
  });

  it("cuts runs where their last event ends", () => {
    expect(cutRuns(batch, 0, 5)).toEqual(batch.runs);
    expect(cutRuns(batch, 0, 1)).toEqual([{ source: a, until: 1, end: 10, tail: undefined }]);
    expect(cutRuns(batch, 1, 4)).toMatchObject([
      { source: a, until: 1, end: 21 },
      { source: b, until: 2, end: 5 },
      { source: a, until: 3, end: 30, tail: undefined },
    ]);
  });
});
