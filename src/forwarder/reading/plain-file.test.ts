import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FileFacts, factsAt, fingerprintOf } from "../model/content.ts";
import type { Source } from "../model/source.ts";
import { PlainFile } from "./plain-file.ts";

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
    name: path,
    path,
    last: path,
    identity,
    fingerprint: fingerprintOf(Buffer.from(content)),
    hole: false,
    read: 0,
    readTail: undefined,
    size,
  } as Source;
}

function open(source: Source): PlainFile {
  const options = { buffer: Buffer.alloc(65_536), lineEnd: "byte", maximumLine: 1000 } as const;
  const file = PlainFile.open(source, path, options);
  if (!(file instanceof PlainFile)) throw new Error(`opened as ${file}`);
  return file;
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
    source.identity = { ...source.identity };
    expect(await reading).toEqual({ kind: "moved" });
    file.close();
  });
});
