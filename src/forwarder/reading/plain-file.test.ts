import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type FileFacts, factsAt, fingerprintOf } from "../model/content.ts";
import { OpenFile } from "../model/open-file.ts";
import { BEGINNING, type Source } from "../model/source.ts";
import { PlainFile, type PlainOptions } from "./plain-file.ts";

let folder = "";
let path = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "plain-file-"));
  path = join(folder, "app.log");
});
afterAll(() => rmSync(folder, { recursive: true }));

function sourceOf(content: string): Source {
  const { identity, size } = factsAt(path) as FileFacts;
  return {
    ...BEGINNING,
    name: path,
    path,
    last: path,
    identity,
    fingerprint: fingerprintOf(Buffer.from(content)),
    group: 0,
    size,
  };
}

function open(source: Source, more: Partial<PlainOptions> = {}): PlainFile {
  const options = { buffer: Buffer.alloc(65_536), encoding: "utf-8", maximumLine: 1000, ...more } as const;
  source.file?.close();
  source.file = OpenFile.at(path);
  if (source.file === undefined) throw new Error("no file");
  const reader = PlainFile.of(source, source.file, options);
  if (!(reader instanceof PlainFile)) throw new Error(`opened as ${reader}`);
  return reader;
}

const lines = (word: string, count: number): string => `${word}\n`.repeat(count);

describe("a file that is copied, truncated and written anew before anything of it is taken", () => {
  it.each([
    ["shorter than what was known of it", 20],
    ["as long", 100],
    ["longer", 400],
  ])("is told from what it was when it is %s", async (_, count) => {
    writeFileSync(path, lines("before", 100));
    const file = open(sourceOf(lines("before", 100)));
    writeFileSync(path, lines("behind", count));
    expect(await file.next(false)).toEqual({ kind: "replaced" });
    file.close();
  });

  it("is known by the bytes that are taken, not by those that lie there a moment later", async () => {
    for (let round = 0; round < 100; round++) {
      writeFileSync(path, "");
      const source = sourceOf("");
      const file = open(source);
      writeFileSync(path, lines("before", 30));
      const reading = file.next(false);
      writeFileSync(path, lines("behind", 30));
      const read = await reading;
      // Truncated at the very moment, it is empty: nothing is taken then.
      if (read.kind === "lines") expect(source.fingerprint).toEqual(fingerprintOf(read.bytes));
      file.close();
    }
  });
});

describe("a source that is found elsewhere while its old file is read", () => {
  it("takes nothing more from the old file", async () => {
    writeFileSync(path, lines("before", 10));
    const source = sourceOf("");
    const file = open(source);
    const reading = file.next(false);
    source.file = undefined;
    expect(await reading).toEqual({ kind: "moved" });
    file.close();
  });
});

/** Everything that is read of the file as it is, as a follower takes it. */
async function readAll(file: PlainFile, finish = false): Promise<{ text: string; at: number }[]> {
  const got: { text: string; at: number }[] = [];
  for (;;) {
    const reading = await file.next(finish);
    if (reading.kind === "again") continue;
    if (reading.kind === "lines") {
      got.push({ text: reading.bytes.toString("latin1", 0, reading.last + 1), at: reading.base });
      file.took(reading.base + reading.last + 1, reading.bytes, reading.base);
    } else if (reading.kind === "piece") {
      got.push({ text: reading.bytes.toString("latin1"), at: reading.base });
      file.took(reading.base + reading.bytes.length, reading.bytes, reading.base);
    } else if (reading.kind === "hole") file.took(reading.until, reading.bytes, reading.base);
    else if (reading.kind === "end") return got;
    else throw new Error(`it is ${reading.kind}`);
  }
}

describe("bytes that are no content", () => {
  it.each([
    ["utf-8", Buffer.from("\ufeffone\n"), [{ text: "one\n", at: 3 }]],
    ["utf-16le", Buffer.from("\ufeffa\n", "utf16le"), [{ text: "a\0\n\0", at: 2 }]],
    ["latin1", Buffer.from([0xef, 0xbb, 0xbf, 0x0a]), [{ text: "\xef\xbb\xbf\n", at: 0 }]],
  ] as const)("a byte order mark of %s is none, another's is", async (encoding, bytes, wanted) => {
    writeFileSync(path, bytes);
    const file = open(sourceOf(""), { encoding });
    expect(await readAll(file)).toEqual(wanted);
  });

  it("half a byte order mark waits for the rest", async () => {
    writeFileSync(path, Buffer.from([0xef, 0xbb]));
    const file = open(sourceOf(""));
    expect(await file.next(false)).toEqual({ kind: "end", rest: 2 });
    appendFileSync(path, Buffer.from([0xbf, 0x61, 0x0a]));
    expect(await readAll(file)).toEqual([{ text: "a\n", at: 3 }]);
  });

  it.each([
    ["at the head of a file, however few", [7], "after\n", 7],
    ["more than the buffer", [300_000], "after\n", 300_000],
    ["a sparse gigabyte", [1024 ** 3], "after\n", 1024 ** 3],
  ] as const)("NULs are none: %s", async (_, [size], text, at) => {
    writeFileSync(path, "");
    truncateSync(path, size);
    const file = open(sourceOf(""));
    expect(await readAll(file), "nothing yet").toEqual([]);
    expect(file.source.read, "the room may be filled from its beginning").toBe(0);
    appendFileSync(path, text);
    expect(await readAll(file)).toEqual([{ text, at }]);
  });

  it("room that a writer took and fills is read as it is filled", async () => {
    writeFileSync(path, "");
    truncateSync(path, 1_000_000);
    const file = open(sourceOf(""));
    expect(await readAll(file)).toEqual([]);
    const writer = openSync(path, "r+");
    writeSync(writer, "one\nhalf", 0);
    expect(await readAll(file)).toEqual([{ text: "one\n", at: 0 }]);
    expect(await readAll(file), "half a line waits").toEqual([]);
    writeSync(writer, " whole\n", 8);
    closeSync(writer);
    expect(await readAll(file)).toEqual([{ text: "half whole\n", at: 4 }]);
  });

  it("a hole between lines, and one that cuts a line, are passed; a few NULs in a line are text", async () => {
    writeFileSync(path, Buffer.concat([Buffer.from("a\0\0b\nhalf"), Buffer.alloc(20_000), Buffer.from("next\n")]));
    const file = open(sourceOf(""));
    expect(await readAll(file)).toEqual([
      { text: "a\0\0b\n", at: 0 },
      { text: "half", at: 5 },
      { text: "next\n", at: 20_009 },
    ]);
  });

  it("in UTF-16 a hole ends between two characters", async () => {
    const text = Buffer.from("h\n", "utf16le").swap16();
    writeFileSync(path, Buffer.concat([Buffer.alloc(10_001 * 2), text]));
    const file = open(sourceOf(""), { encoding: "utf-16be" });
    expect(await readAll(file)).toEqual([{ text: "\0h\0\n", at: 20_002 }]);
  });
});

describe("a position of the old program", () => {
  it.each([
    ["in the last line end, which it counted as one byte", "one\r\ntwo\r\n", 9, 10],
    ["after a line end, when it was restarted", "one\r\ntwo\r\n", 10, 10],
    ["with every line end counted as one byte", "one\r\ntwo\r\nthree\r\nfour\r\n", 14, 17],
    ["between lines", "one\ntwo\n", 4, 4],
    ["in a line", "one\ntwo\n", 6, 4],
  ])("%s", async (_, content, offset, wanted) => {
    writeFileSync(path, content);
    const source = { ...sourceOf(""), read: offset, acked: offset, imported: true };
    const file = open(source);
    await file.next(false);
    expect([source.read, source.acked, source.imported]).toEqual([wanted, wanted, false]);
  });
});

it("takes lines that are longer than its buffer from one buffer, and gives it back behind the last", async () => {
  const long = (letter: string): string => `${letter.repeat(9000)}\n`;
  writeFileSync(path, `${["a", "b", "c", "d"].map(long).join("")}${lines("short", 300)}`);
  const source = sourceOf("");
  const buffer = Buffer.alloc(4096);
  const file = open(source, { buffer, maximumLine: 100_000 });
  const used = new Set<Buffer>();
  const held = source.file as OpenFile;
  const read = held.read.bind(held);
  vi.spyOn(held, "read").mockImplementation((into, at) => {
    used.add(into);
    return read(into, at);
  });
  const taken = (await readAll(file)).map(({ text }) => text).join("");
  expect(taken).toBe(`${["a", "b", "c", "d"].map(long).join("")}${lines("short", 300)}`);
  // The shared one, and one that has grown once.
  const large = [...used].filter((one) => one !== buffer);
  expect(large).toHaveLength(1);
  used.clear();
  appendFileSync(path, "more\n");
  expect((await readAll(file)).map(({ text }) => text)).toEqual(["more\n"]);
  expect([...used]).toEqual([buffer]);
});
