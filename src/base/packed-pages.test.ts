import { expect, it } from "vitest";
import { PackedPages } from "./packed-pages.ts";

const HEAD = 7;

/** Pages with the place of each owner, as it is told. */
function kept() {
  const places = new Map<number, number>();
  const pages = new PackedPages((owner, place) => places.set(owner, place));
  const add = (owner: number, bytes: Buffer): void => void places.set(owner, pages.add(owner, bytes, bytes.length));
  const remove = (owner: number): void => {
    pages.delete(places.get(owner) as number);
    places.delete(owner);
  };
  const read = (owner: number): Buffer => {
    const place = places.get(owner) as number;
    const start = pages.start(place);
    return Buffer.from(pages.bytes(place).subarray(start, start + pages.length(place)));
  };
  return { pages, places, add, remove, read };
}

const piece = (owner: number): Buffer => Buffer.alloc(100, `piece ${owner} `);

it("gives back pieces of any length, one longer than a page as well", () => {
  const { add, read } = kept();
  const lengths = [0, 1, 65_529, 65_530, 200_000, 3];
  for (const [owner, length] of lengths.entries()) add(owner, Buffer.alloc(length, owner + 1));
  for (const [owner, length] of lengths.entries())
    expect(read(owner).equals(Buffer.alloc(length, owner + 1))).toBe(true);
});

it("refuses a piece whose length it cannot write", () => {
  expect(() => kept().pages.add(0, Buffer.alloc(1), 2 ** 24)).toThrow("16777216 bytes are more than a piece may have");
});

it("takes at most twice what is in use and a page, whichever are taken out, and moves none to the wrong owner", () => {
  const { pages, places, add, remove, read } = kept();
  for (let owner = 0; owner < 20_000; owner++) add(owner, piece(owner));
  // Of ten one stays: pages with little in them would stay whole.
  for (let owner = 0; owner < 20_000; owner++) if (owner % 10 !== 3) remove(owner);
  expect(places.size).toBe(2_000);
  expect(pages.size).toBeLessThan(2 * 2_000 * (100 + HEAD) + 2 * 65_536);
  for (const owner of places.keys()) expect(read(owner)).toEqual(piece(owner));
  for (const owner of [...places.keys()]) remove(owner);
  expect(pages.size).toBeLessThanOrEqual(65_536);
});

it("uses one page for ever for what comes and goes", () => {
  const { pages, add, remove } = kept();
  for (let owner = 0; owner < 10_000; owner++) {
    add(owner, piece(owner));
    remove(owner);
  }
  expect(pages.size).toBe(65_536);
});
