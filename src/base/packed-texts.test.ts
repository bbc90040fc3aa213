import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PackedTexts, TextPool } from "./packed-texts.ts";

const UUID = "0d1c2b3a-4f5e-6789-abcd-ef0123456789";
/** All that may be written in another way: UUIDs and what looks like one, letters beyond ASCII, halves of surrogate pairs. */
const SPECIAL = [
  ...["", "a", "\0", UUID, `runs/${UUID}`, `${UUID}/x`, `x${UUID.slice(1)}`, UUID.toUpperCase(), `µ/${UUID}`],
  ...[
    UUID.replaceAll("-", "0"),
    UUID.replace("-", "0"),
    UUID.replace("0", "-"),
    UUID.replace("d", "g"),
    "-".repeat(36),
  ],
  ...["\u{1f600}", "\ud83d", "\ude00", `\ud83d${UUID}`, "é".repeat(5_000), "x".repeat(70_000)],
];

describe("a text", () => {
  it.each(SPECIAL.map((text) => [text.slice(0, 40), text]))("comes back as it was: %j", (_, text) => {
    const pool = new TextPool();
    expect(pool.text(pool.add(text))).toBe(text);
    const texts = new PackedTexts();
    const number = texts.add(text);
    expect([texts.find(text), texts.text(number)]).toEqual([number, text]);
  });

  it("whatever it is", () => {
    const pool = new TextPool();
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(pool.text(pool.add(text))).toBe(text);
      }),
    );
  });

  it("with a UUID at its end takes 20 bytes less", () => {
    const bytes = (texts: readonly string[]): number => {
      const pool = new TextPool();
      for (const text of texts) pool.add(text);
      return pool.pageBytes;
    };
    const uuids = Array.from({ length: 20_000 }, () => randomUUID() as string);
    const others = uuids.map((uuid) => uuid.toUpperCase());
    expect(bytes(others) - bytes(uuids)).toBeGreaterThan(0.9 * 20_000 * 20);
  });
});

it("does what a map of texts would do, and gives each a number of its own", () => {
  const text = fc.oneof(fc.nat(300).map(String), fc.constantFrom(...SPECIAL));
  const step = fc.record({ act: fc.constantFrom("add", "add", "delete"), text });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: "max" }), (steps) => {
      const texts = new PackedTexts();
      const plain = new Map<string, number>();
      for (const { act, text } of steps) {
        const number = plain.get(text);
        expect(texts.find(text)).toBe(number);
        if (act === "add") {
          const given = texts.add(text);
          if (number === undefined) expect(new Set(plain.values())).not.toContain(given);
          else expect(given).toBe(number);
          plain.set(text, given);
        } else if (number !== undefined) {
          texts.delete(number);
          plain.delete(text);
        }
        expect(texts.size).toBe(plain.size);
      }
      for (const [text, number] of plain) expect([texts.find(text), texts.text(number)]).toEqual([number, text]);
    }),
    { numRuns: 60 },
  );
});

it("finds each of many while it grows, and shrinks again", () => {
  const texts = new PackedTexts();
  const numbers = Array.from({ length: 30_000 }, (_, index) => texts.add(`task-${index}`));
  expect(new Set(numbers).size).toBe(30_000);
  for (const [index, number] of numbers.entries()) if (index % 100 !== 0) texts.delete(number);
  expect(texts.size).toBe(300);
  for (const [index, number] of numbers.entries())
    expect(texts.find(`task-${index}`)).toBe(index % 100 === 0 ? number : undefined);
});

it("gives small numbers again", () => {
  const texts = new PackedTexts();
  let most = 0;
  for (let index = 0; index < 5_000; index++) {
    const number = texts.add(`${index}`);
    most = Math.max(most, number);
    if (index >= 10) texts.delete(texts.find(`${index - 10}`) as number);
  }
  expect(most).toBeLessThan(12);
});
