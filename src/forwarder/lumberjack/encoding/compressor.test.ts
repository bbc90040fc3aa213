import { randomBytes } from "node:crypto";
import { Deflate, inflateSync } from "node:zlib";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Compressor } from "./compressor.ts";

afterEach(() => vi.restoreAllMocks());

const bulks = [
  Buffer.from("a line\n".repeat(100_000)),
  randomBytes(1_000_000),
  Buffer.from("x"),
  Buffer.from("another line\n".repeat(50_000)),
];

describe("a compressor", () => {
  it.each([0, 1, 3, 9])("makes a whole stream of each bulk, whatever its size, at level %i", async (level) => {
    const compressor = new Compressor(level);
    const streams = await Promise.all(bulks.map((bulk) => compressor.compress(bulk)));
    expect(compressor.busy).toBe(0);
    for (const [index, parts] of streams.entries())
      expect(inflateSync(Buffer.concat(parts)).equals(bulks[index] ?? Buffer.alloc(0))).toBe(true);
    compressor.close();
  });

  it("asks zlib once for a bulk, not a second time for its end", async () => {
    const transform = vi.spyOn(Deflate.prototype, "_transform");
    const compressor = new Compressor(3);
    for (const bulk of bulks) await compressor.compress(bulk);
    expect(transform).toHaveBeenCalledTimes(bulks.length);
    compressor.close();
  });

  it("says so when it is closed before a bulk is compressed", async () => {
    const compressor = new Compressor(3);
    compressor.close();
    await expect(compressor.compress(Buffer.from("late"))).rejects.toThrow();
  });
});
