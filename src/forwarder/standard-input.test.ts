import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { StandardInput } from "./standard-input.ts";

const collect = async (view: AsyncIterable<Buffer>, bytes: number): Promise<string> => {
  let text = "";
  for await (const chunk of view) {
    text += chunk.toString();
    if (text.length >= bytes) break;
  }
  return text;
};

describe("standard input", () => {
  it("is read again from what is not acknowledged, and goes on behind it", async () => {
    const stream = new PassThrough();
    const input = new StandardInput(() => stream);
    stream.write("one\ntwo\n");
    expect(await collect(input.view(), 8)).toBe("one\ntwo\n");
    input.release(4);
    expect([input.position, input.held]).toEqual([4, 4]);
    const next = input.view();
    stream.write("three\n");
    expect(await collect(next, 10)).toBe("two\nthree\n");
    stream.end();
    input.release(14);
    expect(await collect(input.view(), 1), "its end is seen by every view").toBe("");
    expect(input.held).toBe(0);
  });

  it("asks for more only when what is here was taken", async () => {
    const stream = new PassThrough({ highWaterMark: 1 });
    const input = new StandardInput(() => stream);
    const view = input.view();
    expect(stream.isPaused()).toBe(true);
    const iterator = view[Symbol.asyncIterator]();
    const first = iterator.next();
    stream.write(Buffer.alloc(100_000));
    expect((await first).value).toHaveLength(100_000);
    stream.write("more");
    expect(String((await iterator.next()).value)).toBe("more");
  });

  it("tells its failure", async () => {
    const stream = new PassThrough();
    const input = new StandardInput(() => stream);
    const reading = collect(input.view(), 1);
    stream.destroy(new Error("broken"));
    await expect(reading).rejects.toThrow("broken");
  });
});
