import fc from "fast-check";
import { expect, it } from "vitest";
import { ListingCheck } from "./listing.ts";

function read(...pieces: readonly string[]): void {
  const check = new ListingCheck();
  for (const piece of pieces) check.take(piece);
  check.end();
}

it("finds names that leave the folder", () => {
  expect(() => read("a\nb/c\n..d/e\n.../f")).not.toThrow();
  for (const name of ["b/../../c", "..", "../x", "x/.."]) {
    expect(() => read(`a\n${name}\nc\n`)).toThrow(`the archive has the entry '${name}', which leads out`);
    expect(() => read(name)).toThrow("leads out");
  }
});

it("says the same however the listing is cut", () => {
  const name = fc.array(fc.constantFrom("a", "..", "...", ".", "..b", "b.."), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(name, { maxLength: 20 }), fc.array(fc.nat(300)), (names, cuts) => {
      const text = names.map((parts) => `${parts.join("/")}\n`).join("");
      const at = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
      const pieces = at.slice(1).map((end, index) => text.slice(at[index], end));
      const escapes = names.some((parts) => parts.includes(".."));
      let said = "";
      try {
        read(...pieces);
      } catch (error) {
        said = (error as Error).message;
      }
      if (said.includes("leads out") !== escapes) throw new Error(`'${text}' in ${pieces.length} pieces: ${said}`);
    }),
    { numRuns: 10_000, seed: 20 },
  );
});

it("keeps no more of the listing than one name", () => {
  const check = new ListingCheck();
  for (let file = 0; file < 100_000; file++) check.take(`folder/file-${file}\n`);
  expect(() => {
    for (let piece = 0; piece < 1_000; piece++) check.take("x".repeat(1_000));
  }).toThrow("whose name has over");
});
