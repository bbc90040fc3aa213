import { describe, expect, it } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import type { FileGroup } from "../model/settings.ts";
import { isPlain, LineEvents } from "./events.ts";
import { cutPiece, lastLineEnd } from "./reader.ts";

const group: FileGroup = {
  paths: [],
  exclude: [],
  fields: {},
  encoding: "utf-8",
  includeLines: [],
  excludeLines: [],
  maximumLine: 1000,
  ignoreOlder: 0,
  closeInactive: 0,
  lineEndWait: 0,
  multiline: undefined,
  json: false,
};

function run(settings: Partial<FileGroup>, lines: (string | Buffer)[], clock = new TestClock()) {
  const events = new LineEvents({ ...group, ...settings }, clock);
  let at = 0;
  const got = lines.flatMap((line) => {
    const bytes = Buffer.from(line);
    const start = at;
    at += bytes.length + 1;
    return events.line(bytes, start, at);
  });
  return { events, got, texts: got.map(({ text }) => text.toString()) };
}

const multiline = { pattern: "^\\s", negate: false, match: "after", maximumLines: 3, maximumTime: 1000 } as const;

describe("lines on their way to events", () => {
  it("are joined to the line before, and held until the next begins or time is up", async () => {
    const clock = new TestClock();
    const { events, got, texts } = run({ multiline }, ["a", " b", "c", " d"], clock);
    expect(texts).toEqual(["a\n b"]);
    expect(got[0]).toMatchObject({ start: 0, end: 5 });
    expect(events.flush(false)).toEqual([]);
    await clock.advance(1000);
    expect(events.flush(false).map(({ text, end }) => [text.toString(), end])).toEqual([["c\n d", 10]]);
    expect(events.pending).toBe(false);
  });

  it("are joined as long as lines keep coming: the time counts from the last", async () => {
    const clock = new TestClock();
    const events = new LineEvents({ ...group, multiline: { ...multiline, maximumLines: 100 } }, clock);
    const texts: string[] = [];
    for (const line of ["a", " b", " c", " d"]) {
      texts.push(
        ...[...events.line(Buffer.from(line), 0, 1), ...events.flush(false)].map(({ text }) => text.toString()),
      );
      await clock.advance(999);
    }
    expect(texts).toEqual([]);
    await clock.advance(1);
    expect(events.flush(false).map(({ text }) => text.toString())).toEqual(["a\n b\n c\n d"]);
  });

  it("are joined to the line after", () => {
    const { texts } = run({ multiline: { ...multiline, pattern: "\\\\$", match: "before" } }, ["a\\", "b", "c"]);
    expect(texts).toEqual(["a\\\nb", "c"]);
  });

  it("are joined up to a bound of lines and bytes", () => {
    expect(run({ multiline }, ["a", " b", " c", " d", "e"]).texts).toEqual(["a\n b\n c", " d"]);
    expect(run({ multiline, maximumLine: 4 }, ["a", " bcd", "e"]).texts).toEqual(["a", " bcd"]);
  });

  it("are joined with a negated pattern, as stack traces want it", () => {
    const { texts } = run({ multiline: { ...multiline, pattern: "^\\d", negate: true } }, ["1 x", "at y", "2 z"]);
    expect(texts).toEqual(["1 x\nat y"]);
  });

  it("are left out or let in", () => {
    expect(run({ excludeLines: ["DEBUG"], includeLines: ["a", "b"] }, ["a", "b DEBUG", "c"]).texts).toEqual(["a"]);
  });

  it("are decoded", () => {
    expect(run({ encoding: "latin1" }, [Buffer.from([0x66, 0xfc])]).texts).toEqual(["fü"]);
    expect(run({ encoding: "utf-16le" }, [Buffer.from("hü", "utf16le")]).texts).toEqual(["hü"]);
  });

  it("give their keys when they are JSON objects", () => {
    const { got } = run({ json: true }, ['{"a":1,"offset":2}', "[1]", "no"]);
    expect(got.map(({ extra }) => extra?.map(({ text }) => text))).toEqual([
      ['"a":1'],
      ['"json_error":"not a JSON object"'],
      ['"json_error":"not a JSON object"'],
    ]);
  });

  it("need none of this in most groups", () => {
    expect(isPlain(group)).toBe(true);
    expect(isPlain({ ...group, json: true })).toBe(false);
  });
});

describe("line ends", () => {
  it("are pairs at even distance in UTF-16", () => {
    const text = Buffer.from("aĊ\nb", "utf16le");
    expect(lastLineEnd(text, 0, "utf-16le")).toBe(5);
    expect(lastLineEnd(text.subarray(1), 1, "utf-16le")).toBe(4);
    expect(lastLineEnd(Buffer.from("a\nb\nc"), 0, "byte")).toBe(3);
  });

  it("are not needed to cut a long line, but characters stay whole", () => {
    expect(cutPiece(Buffer.from("aüb"), 2).toString()).toBe("a");
    expect(cutPiece(Buffer.from("abc"), 2).toString()).toBe("ab");
  });
});
