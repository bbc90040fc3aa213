import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FileFacts, factsAt, fingerprintOf, tailFrom } from "../model/content.ts";
import { OpenFile } from "../model/open-file.ts";
import { BEGINNING, type Source } from "../model/source.ts";
import { judge } from "./candidates.ts";

const text = Buffer.from(Array.from({ length: 200 }, (_, line) => `line ${line}\n`).join(""));

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "candidates-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A source whose file held `text` and is gone, read up to `position`. */
function vanished(position: number): Source {
  const source: Source = {
    ...BEGINNING,
    name: join(folder, "app.log"),
    path: undefined,
    last: join(folder, "app.log"),
    identity: { device: "1", inode: "1", born: "1" },
    fingerprint: fingerprintOf(text),
    group: 0,
  };
  moveTo(source, position);
  return source;
}

function moveTo(source: Source, position: number): void {
  const before = text.subarray(Math.max(0, position - 64), position);
  source.read = position;
  source.readTail = before.length === 0 ? undefined : { length: before.length, crc: crc32(before) };
}

const open: OpenFile[] = [];
afterAll(() => {
  for (const file of open) file.close();
});

function candidate(name: string, bytes: Buffer) {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  const file = OpenFile.at(path);
  if (file === undefined) throw new Error("no file");
  open.push(file);
  return { name: path, path, facts: file.facts(), compressed: name.endsWith(".gz"), file };
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

describe("copies of contents that begin alike", () => {
  /** An unread source: all that is known of it is what was seen. */
  function unread(content: Buffer): Source {
    const source = vanished(0);
    source.fingerprint = fingerprintOf(content);
    source.size = content.length;
    source.sizeTail = tailFrom(content.subarray(-64));
    return source;
  }
  const banner = Buffer.from("banner ".repeat(300));
  const [first, second] = ["first\n", "second\n"].map((line) =>
    Buffer.concat([banner, Buffer.from(line.repeat(50))]),
  ) as [Buffer, Buffer];

  it("are told by what lay before the end that was seen, read or not", async () => {
    const sources = [unread(first), unread(second)].map((source) => ({ source, orphan: true }));
    for (const [name, content, wanted] of [
      ["app.log.20", first, 0],
      ["app.log.21", second, 1],
      ["app.log.22.gz", gzipSync(second), 1],
    ] as const)
      expect(await judge(candidate(name, content), sources, Date.now())).toEqual({
        kind: "adopt",
        source: sources[wanted]?.source,
      });
    const other = Buffer.concat([banner, Buffer.from("other\n".repeat(60))]);
    expect((await judge(candidate("app.log.23", other), sources, Date.now())).kind).toBe("new");
  });

  it("wait while the file is deleted and still being read, whatever their names", async () => {
    const source = vanished(1500);
    source.stage = "draining";
    const known = [{ source, orphan: false }];
    expect((await judge(candidate("elsewhere", text), known, Date.now())).kind).toBe("hold");
    expect((await judge(candidate("elsewhere.gz", gzipSync(text)), known, Date.now())).kind).toBe("hold");
  });
});

it.each([
  [0, "hold"],
  [86_400, "new"],
  [-86_400, "new"],
])("what may become a copy and was changed %s seconds from now: %s", async (seconds, kind) => {
  const path = join(folder, "app.log");
  writeFileSync(path, text);
  const log = OpenFile.at(path);
  if (log === undefined) throw new Error("no file");
  open.push(log);
  const source = { ...vanished(1000), path, file: log };
  const found = candidate("app.log.1", text.subarray(0, 20));
  utimesSync(found.path, Date.now() / 1000 + seconds, Date.now() / 1000 + seconds);
  const decision = await judge({ ...found, facts: found.file.facts() }, [{ source, orphan: false }], Date.now());
  expect(decision.kind).toBe(kind);
});
