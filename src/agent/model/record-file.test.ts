import { describe, expect, it } from "vitest";
import { encodeRecord, readRecords } from "./record-file.ts";

const messages = [Buffer.from("first"), Buffer.alloc(0), Buffer.from("the third one")];
const file = Buffer.concat(messages.map(encodeRecord));

describe("record files", () => {
  it("have a little-endian length before each message, as the C++ agent writes them", () => {
    expect(encodeRecord(Buffer.from("abc"))).toEqual(Buffer.from([3, 0, 0, 0, 0x61, 0x62, 0x63]));
    expect(readRecords(file)).toEqual({ records: messages, goodLength: file.length, rest: undefined });
    expect(readRecords(Buffer.alloc(0))).toEqual({ records: [], goodLength: 0, rest: undefined });
  });

  it.each(Array.from({ length: file.length }, (_, length) => length))(
    "cut after %i bytes give the whole records",
    (length) => {
      const ends = [0, 9, 13, 30];
      const good = ends.filter((end) => end <= length).length - 1;
      const { records, goodLength, rest } = readRecords(file.subarray(0, length));
      expect(records).toEqual(messages.slice(0, good));
      expect(goodLength).toBe(ends[good]);
      expect(rest).toBe(length === ends[good] ? undefined : "truncated");
    },
  );

  it("end at a length that no record has", () => {
    const data = Buffer.concat([encodeRecord(Buffer.from("x")), Buffer.from([0xff, 0xff, 0xff, 0x7f]), file]);
    expect(readRecords(data)).toMatchObject({ goodLength: 5, rest: "corrupt" });
  });
});
