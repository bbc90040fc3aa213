import fc from "fast-check";
import { expect, it } from "vitest";
import { encodeRecord, RecordDecoder, RecordError } from "./recordio.ts";

it("gives back any records however the stream is cut", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), fc.integer({ min: 1, max: 50 }), (records, step) => {
      const stream = Buffer.concat(records.map((record) => encodeRecord(record)));
      const decoder = new RecordDecoder();
      const found: Uint8Array[] = [];
      for (let at = 0; at < stream.length; at += step) found.push(...decoder.push(stream.subarray(at, at + step)));
      expect(found.map((record) => Buffer.from(record).toString("hex"))).toEqual(
        records.map((record) => Buffer.from(record).toString("hex")),
      );
      expect(decoder.complete).toBe(true);
    }),
  );
});

it.each(["x", "-1\n", "\n", "9".repeat(30), "1 \n"])("refuses %j", (text) => {
  expect(() => new RecordDecoder().push(Buffer.from(text))).toThrow(RecordError);
});

it("bounds a record before its bytes arrive", () => {
  expect(() => new RecordDecoder(10).push(Buffer.from("11\n"))).toThrow("exceeds the bound");
  const decoder = new RecordDecoder(10);
  expect(decoder.push(Buffer.from("10\nabc"))).toEqual([]);
  expect(decoder.complete).toBe(false);
});
