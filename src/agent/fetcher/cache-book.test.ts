import { describe, expect, it } from "vitest";
import { CacheBook, cacheFileName } from "./cache-book.ts";

describe("the books of the cache", () => {
  const entry = (key: string, bytes: number) => ({ key, path: key, bytes, users: 0, ready: Promise.resolve() });

  it("keep both ends of a long name", () => {
    expect(cacheFileName(7, "short.tar.gz")).toBe("c7-short.tar.gz");
    expect(cacheFileName(7, "exactly-twenty-chars")).toBe("c7-exactly-twenty-chars");
    expect(cacheFileName(7, "a-very-long-name-1.2.3.tar.gz")).toBe("c7-a-very-lon_2.3.tar.gz");
  });

  it("free no more than is needed, nothing that is used, and nothing when it would not do", () => {
    const book = new CacheBook(30);
    const [a, b, c] = ["a", "b", "c"].map((key) => entry(key, 10)) as [ReturnType<typeof entry>, never, never];
    for (const one of [a, b, c]) expect(book.reserve(one)).toEqual([]);
    expect(book.reserve(entry("d", 10))).toEqual(["a"]);
    expect(book.use("b")).toBe(b);
    expect(book.reserve(entry("e", 25)), "b is in use").toBeUndefined();
    expect(book.usedBytes).toBe(30);
    expect(book.reserve(entry("f", 20))).toEqual(["c", "d"]);
    book.release(b);
    expect(book.reserve(entry("g", 30))).toEqual(["b", "f"]);
    book.remove(a);
    expect(book.usedBytes, "it was not there any more").toBe(30);
  });
});
