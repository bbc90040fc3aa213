import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FileFacts, factsAt, fingerprintOf } from "../model/content.ts";
import type { Source } from "../model/source.ts";
import { judge } from "./candidates.ts";

const text = Buffer.from(Array.from({ length: 200 }, (_, line) => `line ${line}\n`).join(""));

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "candidates-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A source whose file held `text` and is gone, read up to `position`. */
function vanished(position: number): Source {
  const source = {
    name: join(folder, "app.log"),
    path: undefined,
    last: join(folder, "app.log"),
    identity: { device: "1", inode: "1", born: "1" },
    fingerprint: fingerprintOf(text),
    compressed: false,
  } as Source;
  moveTo(source, position);
  return source;
}

function moveTo(source: Source, position: number): void {
  const before = text.subarray(Math.max(0, position - 64), position);
  source.read = position;
  source.readTail = before.length === 0 ? undefined : { length: before.length, crc: crc32(before) };
}

function candidate(name: string, bytes: Buffer) {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return { name: path, path, facts: factsAt(path) as FileFacts, compressed: name.endsWith(".gz") };
}

describe("a candidate that is compared while its source is read on", () => {
  it.each([
    ["an archive", "app.log.1.gz", gzipSync(text)],
    ["a copy", "app.log.1", text],
  ])("%s is still where the source goes on", async (_, name, bytes) => {
    const source = vanished(100);
    const decision = judge(candidate(name, bytes), [{ source, orphan: true }], Date.now());
    // The deleted file is open, and its reader takes what it had read before the comparison is done.
    moveTo(source, 1500);
    expect(await decision).toEqual({ kind: "adopt", source });
  });

  it("an archive is not where a source goes on of which nothing was known at first, and something else by the end", async () => {
    const source = vanished(0);
    source.fingerprint = fingerprintOf(Buffer.alloc(0));
    const decision = judge(candidate("app.log.4.gz", gzipSync(text)), [{ source, orphan: true }], Date.now());
    // Its reader has the first bytes of the file that is gone.
    source.fingerprint = fingerprintOf(Buffer.from("something else\n"));
    expect((await decision).kind).toBe("new");
    source.fingerprint = fingerprintOf(Buffer.alloc(0));
    const again = judge(candidate("app.log.4.gz", gzipSync(text)), [{ source, orphan: true }], Date.now());
    expect((await again).kind, "nothing is known, so nothing is continued").toBe("new");
  });

  it("a short one waits only if it can be a copy in progress of a file that is there", async () => {
    const source = vanished(0);
    source.path = source.last;
    writeFileSync(source.path, text);
    source.identity = (factsAt(source.path) as FileFacts).identity;
    const kindOf = async (name: string, bytes: Buffer) =>
      (await judge(candidate(name, bytes), [{ source, orphan: false }], Date.now())).kind;
    expect(await kindOf("app.log.5", text.subarray(0, 100))).toBe("hold");
    expect(await kindOf("app.log.6", Buffer.from("another log\n"))).toBe("new");
    expect(await kindOf("app.log.7.gz", gzipSync(text.subarray(0, 100))), "a whole archive").toBe("new");
    rmSync(source.path);
  });

  it("an archive waits while the plain file is still there", async () => {
    const source = vanished(100);
    source.path = source.last;
    const decision = judge(candidate("app.log.2.gz", gzipSync(text)), [{ source, orphan: false }], Date.now());
    moveTo(source, text.length);
    expect((await decision).kind).toBe("hold");
  });

  it("an archive is waited for until it is whole", async () => {
    const whole = gzipSync(text);
    const found = candidate("app.log.3.gz", whole.subarray(0, whole.length >> 1));
    expect(readFileSync(found.path).length).toBeLessThan(whole.length);
    expect((await judge(found, [{ source: vanished(100), orphan: true }], Date.now())).kind).toBe("incomplete");
  });
});
