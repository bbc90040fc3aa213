import { isUtf8 } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { framesOf, pairsOf } from "../../../../test/support/frames.ts";
import { type JsonMember, memberOf, membersOf } from "../../model/json-members.ts";
import type { Source } from "../../model/source.ts";
import { Bulk } from "./bulk.ts";
import { templateOf } from "./template.ts";

const constants = { file: "/var/log/a.log", host: "h", fields: { type: "x" } };
const source = { name: "a" } as Source;

/** The events of a bulk as objects, sequences checked. */
function decode(bulk: Bulk): Record<string, unknown>[] {
  const frames = [...framesOf(Buffer.from(bulk.out.buffer, bulk.out.byteOffset, bulk.length))];
  return frames.map((frame, index) => {
    expect(frame.readUInt32BE(2)).toBe(index + 1);
    return bulk.version === 1 ? pairsOf(frame) : (JSON.parse(frame.toString("utf8", 10)) as Record<string, unknown>);
  });
}

/** Feeds all lines of `chunk`, a new bulk whenever one is full; returns the bulks. */
function feed(version: 1 | 2, chunk: Buffer, limit: number, capacity: number, base = 0): Bulk[] {
  const template = templateOf(version, constants);
  template.setTime(1_700_000_000_000);
  const last = chunk.lastIndexOf(10);
  const bulks: Bulk[] = [];
  for (let from = 0; from <= last; ) {
    const bulk = new Bulk(version, limit, new Uint8Array(capacity), 0);
    const next = bulk.appendLines(
      { source, template, chunk, base, utf8: isUtf8(chunk.subarray(0, last + 1)) },
      from,
      last,
    );
    expect(next).toBeGreaterThan(from);
    bulks.push(bulk);
    from = next;
  }
  return bulks;
}

describe("a bulk", () => {
  it.each([1, 2] as const)("holds lines in frames of version %i, with offsets and positions", (version) => {
    const [bulk] = feed(version, Buffer.from("one\r\n\ntwo\n"), 10, 4096, 1_234_567_890_123);
    const text = version === 1 ? "line" : "message";
    const events = bulk === undefined ? [] : decode(bulk);
    expect(events.map((event) => event[text])).toEqual(["one", "", "two"]);
    expect(events.map(({ offset }) => Number(offset))).toEqual([
      1_234_567_890_123, 1_234_567_890_128, 1_234_567_890_129,
    ]);
    expect(events[0]).toMatchObject({ file: "/var/log/a.log", host: "h", type: "x" });
    expect([...(bulk?.ends ?? [])].slice(0, 3)).toEqual([1_234_567_890_128, 1_234_567_890_129, 1_234_567_890_133]);
    expect(bulk?.runs).toMatchObject([{ source, until: 3, end: 1_234_567_890_133 }]);
  });

  it("carries any bytes in version 1, and valid JSON with U+FFFD in version 2", () => {
    const bytes = fc
      .uint8Array({ maxLength: 60 })
      .map((array) => Buffer.from(array.filter((byte) => byte !== 10 && byte !== 13)));
    fc.assert(
      fc.property(
        fc.array(bytes, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 200, max: 900 }),
        (lines, limit, capacity) => {
          const chunk = Buffer.concat(lines.flatMap((line) => [line, Buffer.from("\n")]));
          for (const version of [1, 2] as const) {
            const got = feed(version, chunk, limit, capacity).flatMap(decode);
            const wanted = lines.map((line) => line.toString("utf8"));
            expect(got.map((event) => event[version === 1 ? "line" : "message"])).toEqual(wanted);
          }
        },
      ),
    );
  });

  it("makes room for one event that is larger than its buffer, and takes no other then", () => {
    const chunk = Buffer.from(`${"\u0001".repeat(5000)}\nnext\n`);
    expect(feed(2, chunk, 100, 512).map(({ events }) => events)).toEqual([1, 1]);
    expect(feed(1, chunk, 100, 512).map(({ events }) => events)).toEqual([1, 1]);
  });

  it("takes events made by hand, whose keys win over ours", () => {
    for (const version of [1, 2] as const) {
      const bulk = new Bulk(version, 2, new Uint8Array(4096), 0);
      const template = templateOf(version, constants);
      const extra = [memberOf("host", "other"), memberOf("level", 3)];
      expect(bulk.append(source, template, 5, 9, Buffer.from("{}"), extra)).toBe(true);
      expect(bulk.append(source, template, 9, 12, Buffer.from([0x61, 0xff]))).toBe(true);
      expect(bulk.append(source, template, 12, 13, Buffer.from("full"))).toBe(false);
      expect(decode(bulk)).toMatchObject([
        { host: "other", level: version === 1 ? "3" : 3, [version === 1 ? "line" : "message"]: "{}" },
        { host: "h", [version === 1 ? "line" : "message"]: "a\uFFFD" },
      ]);
      expect(bulk.runs).toMatchObject([{ until: 2, end: 12 }]);
    }
  });

  it("has one message in version 2, whatever the fields are", () => {
    const named = { ...constants, fields: { message: "field" } };
    const decodeOne = (version: 1 | 2, extra?: readonly JsonMember[]) => {
      const bulk = new Bulk(version, 1, new Uint8Array(4096), 0);
      bulk.append(source, templateOf(version, named), 0, 9, Buffer.from("text"), extra);
      return decode(bulk)[0];
    };
    expect(decodeOne(1)).toMatchObject({ message: "field", line: "text" });
    expect(decodeOne(2)).toMatchObject({ message: "text" });
    expect(decodeOne(1, [])).toMatchObject({ message: "field", line: "text" });
    expect(decodeOne(2, [])).toMatchObject({ message: "text" });
  });

  it("carries the members of a JSON line as they stand in it", () => {
    const line = '{"id":12345678901234567890,"f":1.0,"e":1e400,"id":9007199254740993,"message":"\\u00fc"}';
    const frameOf = (version: 1 | 2): Buffer => {
      const bulk = new Bulk(version, 1, new Uint8Array(4096), 0);
      bulk.append(source, templateOf(version, constants), 0, 9, Buffer.from(line), membersOf(line));
      return Buffer.from(bulk.out.buffer, 0, bulk.length);
    };
    expect(frameOf(2).toString("utf8", 10)).toContain(`,"offset":0,${line.slice(1)}`);
    expect(pairsOf(frameOf(1))).toMatchObject({
      id: "9007199254740993",
      f: "1.0",
      e: "1e400",
      message: "ü",
      line: "ü",
    });
  });
});
