import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { writeDecimal, writeEscaped } from "./text.ts";

describe("numbers and JSON strings as bytes", () => {
  it("writes every number as its digits", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.maxSafeNat(), fc.nat(), fc.constantFrom(0, 9, 10, 999_999_999, 1e9, 1e9 + 1, 1e18 / 1000)),
        (value) => {
          const out = Buffer.alloc(20);
          expect(out.toString("latin1", 0, writeDecimal(out, 0, value))).toBe(String(value));
        },
      ),
    );
  });

  it("escapes so that JSON.parse gives the text back", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const bytes = Buffer.from(text.toWellFormed());
        const out = Buffer.alloc(bytes.length * 6);
        const end = writeEscaped(out, 0, bytes, 0, bytes.length);
        expect(JSON.parse(`"${out.toString("utf8", 0, end)}"`)).toBe(text.toWellFormed());
      }),
    );
  });
});
