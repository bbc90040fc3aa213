import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bytesOf } from "../../base/file-names.ts";
import type { Source } from "../model/source.ts";
import { decideNew, isConvincing, type Likeness, namesRelated, SETTLE } from "./continuation.ts";
import { expandBraces, Glob } from "./glob.ts";

describe("globs", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "glob-"));
    for (const path of ["a.log", "b.log", ".hidden.log", "x/a.log", "x/y/c.INFO", "x/y/c.ERROR", "[odd].log"]) {
      mkdirSync(join(folder, path, ".."), { recursive: true });
      writeFileSync(join(folder, path), "");
    }
    mkdirSync(join(folder, "y"));
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/y/`), Buffer.from([0xfc]), Buffer.from("ber.log")]), "");
    writeFileSync(join(folder, "y/{own,brace}.log"), "");
    symlinkSync(join(folder, "a.log"), join(folder, "link.log"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const found = (pattern: string) =>
    [...new Glob(join(folder, pattern)).find().paths].map((path) => path.slice(folder.length + 1));

  it("find what matches on disk", () => {
    // As for the original, a name that begins with a dot is a name like any other.
    expect(found("*.log")).toEqual([".hidden.log", "[odd].log", "a.log", "b.log", "link.log"]);
    expect(found("[a-b].log")).toEqual(["a.log", "b.log"]);
    expect(found("[!a].log")).toEqual(["b.log"]);
    expect(found("[z-a].log"), "a class that runs backwards").toEqual([]);
    expect(found("y/?ber.log").map((name) => bytesOf(name)[2])).toEqual([0xfc]);
    expect(found("y/{own,brace}.log"), "braces that are a name's own").toEqual(["y/{own,brace}.log"]);
    expect(found("\\[odd\\].log")).toEqual(["[odd].log"]);
    expect(found("x/**/*.log")).toEqual(["x/a.log"]);
    expect(found("**/a.log")).toEqual(["a.log", "x/a.log"]);
    expect(found("*/y/c.{ERROR,INFO,WARNING}")).toEqual(["x/y/c.ERROR", "x/y/c.INFO"]);
    expect(found("nothing/*.log")).toEqual([]);
    expect(found(".hid*")).toEqual([".hidden.log"]);
  });

  it("say which folders to watch", () => {
    expect([...new Glob(join(folder, "x/*/c.*")).find().folders]).toEqual([join(folder, "x"), join(folder, "x/y")]);
  });

  it("match names without a disk", () => {
    const matches = (pattern: string, path: string) => new Glob(pattern).matches(path);
    expect(matches("/var/log/mesos/*.{ERROR,INFO}", "/var/log/mesos/a.INFO")).toBe(true);
    expect(matches("/var/log/*", "/var/log/a/b")).toBe(false);
    expect(matches("/var/**/b", "/var/log/a/b")).toBe(true);
    expect(matches("/l/a{b,c}", "/l/a{b,c}")).toBe(true);
    expect(expandBraces("a{b,c{d,e}}{x}")).toEqual(["ab{x}", "acd{x}", "ace{x}", "a{b,c{d,e}}{x}"]);
    expect(expandBraces("{a,b}".repeat(40)).length, "a slip is bounded").toBeLessThan(1100);
  });
});

describe("a file that was not followed before", () => {
  const source = (over: Partial<Source> = {}) =>
    ({
      name: "/l/app.log",
      path: "/l/app.log",
      last: "/l/app.log",
      fingerprint: { length: 300, hash: "" },
      read: 500,
      ...over,
    }) as Source;
  const like = (over: Partial<Likeness> = {}): Likeness => ({
    source: source(),
    orphan: false,
    head: true,
    tail: true,
    whole: undefined,
    known: true,
    ...over,
  });
  const copy = { path: "/l/app.log.1", size: 600, quiet: 0 };

  it("is new when nothing is like it", () => {
    expect(decideNew(copy, []).kind).toBe("new");
    expect(decideNew(copy, [like({ head: false, tail: false })]).kind).toBe("new");
  });

  it("waits while it is a copy, or may become one, of a file that is followed", () => {
    expect(decideNew(copy, [like()]).kind).toBe("hold");
    expect(decideNew({ ...copy, size: 100 }, [like({ tail: false })]).kind).toBe("hold");
    expect(decideNew({ ...copy, size: 100, quiet: SETTLE }, [like({ tail: false })]).kind).toBe("new");
    expect(decideNew({ ...copy, path: "/l/other.log" }, [like()]).kind).toBe("new");
    const unread = like({ tail: false, source: source({ read: 0 }) });
    expect(decideNew({ ...copy, size: 0 }, [unread]).kind, "a copy that has only begun").toBe("hold");
    expect(decideNew({ ...copy, size: 300 }, [unread]).kind).toBe("new");
  });

  it("waits for no file of which nothing is known, or that is seen to hold something else", () => {
    const empty = source({ fingerprint: { length: 0, hash: "" }, read: 0 });
    expect(decideNew(copy, [like({ source: empty, known: false })]).kind).toBe("new");
    expect(decideNew(copy, [like({ source: source({ read: 0 }), whole: false })]).kind).toBe("new");
  });

  it("continues a source whose file is gone", () => {
    const orphan = like({ orphan: true, source: source({ path: undefined }) });
    expect(decideNew(copy, [orphan])).toEqual({ kind: "adopt", source: orphan.source });
    expect(decideNew(copy, [{ ...orphan, tail: false }]).kind).toBe("new");
    expect(decideNew(copy, [{ ...orphan, whole: false }]).kind, "it holds something else than what was seen").toBe(
      "new",
    );
    expect(decideNew(copy, [{ ...orphan, known: false }]).kind, "nothing is known").toBe("new");
    const other = like({ orphan: true, whole: true, source: source({ path: undefined, read: 0 }) });
    expect(decideNew(copy, [orphan, other]), "all that was seen is the better proof").toEqual({
      kind: "adopt",
      source: other.source,
    });
  });

  it("is compared only if rotation could have named it so, or much is shared", () => {
    expect(namesRelated("/l/app.log", "/l/app.log-2026.gz")).toBe(true);
    expect(namesRelated("/l/app.log", "/l/app.log")).toBe(false);
    expect(namesRelated("/l/app.log", "/m/app.log.1")).toBe(false);
    expect(namesRelated("/l/app.log", "/l/old/app.log.1"), "a folder for what is old").toBe(true);
    expect(namesRelated("/l/app.log", "/l/old/older/app.log.1")).toBe(false);
    expect(isConvincing(source({ read: 9, fingerprint: { length: 9, hash: "" } }))).toBe(false);
    expect(isConvincing(source({ read: 256, fingerprint: { length: 9, hash: "" } }))).toBe(true);
    expect(isConvincing(source({ read: 0 })), "it was seen, if not read").toBe(true);
  });
});
