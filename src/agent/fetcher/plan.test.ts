import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CommandInfo_URISchema } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { CacheBook, type CacheEntry, cacheFileName } from "./cache-book.ts";
import { planFetch, shownUri, wordsWithoutPassword } from "./plan.ts";

const plan = (value: string, more: object = {}, home?: string) =>
  planFetch(create(CommandInfo_URISchema, { value, ...more }), home);

describe("planFetch", () => {
  it.each([
    ["http://h/a/b.tgz", { kind: "http", url: "http://h/a/b.tgz" }, "b.tgz", "tar"],
    ["  https://h/x.zip", { kind: "http", url: "https://h/x.zip" }, "x.zip", "zip"],
    ["http://h/x.tgz?v=1", { kind: "http", url: "http://h/x.tgz?v=1" }, "x.tgz?v=1", "none"],
    ["ftp://h/x.gz", { kind: "ftp", url: "ftp://h/x.gz" }, "x.gz", "gzip"],
    ["file:///a/x.tar.xz", { kind: "file", path: "/a/x.tar.xz" }, "x.tar.xz", "tar"],
    ["file://localhost/a/x", { kind: "file", path: "/a/x" }, "x", "none"],
    ["/a/x.TGZ", { kind: "file", path: "/a/x.TGZ" }, "x.TGZ", "none"],
    ["hdfs://nn:8020/x.tbz2", { kind: "hadoop", url: "hdfs://nn:8020/x.tbz2" }, "x.tbz2", "tar"],
    ["s3n://bucket/x", { kind: "hadoop", url: "s3n://bucket/x" }, "x", "none"],
    ["HTTP+x.y-z://h/x", { kind: "hadoop", url: "HTTP+x.y-z://h/x" }, "x", "none"],
    ["ftps://h/x.txz", { kind: "ftp", url: "ftps://h/x.txz" }, "x.txz", "tar"],
    ["/a/see:http://x", { kind: "file", path: "/a/see:http://x" }, "x", "none"],
    ["/a/x.tgz.bak", { kind: "file", path: "/a/x.tgz.bak" }, "x.tgz.bak", "none"],
  ])("%s", (value, source, destination, unpacking) => {
    expect(plan(value)).toMatchObject({ source, destination, unpacking });
  });

  it.each([
    ["", "empty"],
    ["http://host-only", "missing path"],
    ["http://host/", "does not name a file"],
    ["http://host/a/..", "does not name a file"],
    ["/a/it's", "illegal character"],
    ["a\\b", "illegal character"],
    ["relative/x", "--frameworks_home"],
    ["file://relative/x", "absolute"],
  ])("refuses %j", (value, why) => {
    expect(() => plan(value)).toThrow(why);
  });

  it("takes relative paths from frameworks_home", () => {
    expect(plan("a/x", {}, "/home").source).toEqual({ kind: "file", path: "/home/a/x" });
  });

  it("never unpacks what is executable or not to be unpacked", () => {
    expect(plan("/x.tgz", { executable: true }).unpacking).toBe("none");
    expect(plan("/x.tgz", { extract: false }).unpacking).toBe("none");
    expect(plan("/x", { outputFile: "y.tgz" }).unpacking).toBe("tar");
  });

  it("keeps output_file within the sandbox", () => {
    expect(plan("/x", { outputFile: "a/./b" }).destination).toBe("a/b");
    for (const outputFile of ["/etc/passwd", "../x", "a/../../x", ".", "..", "a/..", "a/"]) {
      expect(() => plan("/x", { outputFile })).toThrow("output_file");
    }
  });

  it("shows no password", () => {
    expect(shownUri("http://me:secret@h/x")).toBe("http://me:****@h/x");
    expect(shownUri("s3+x://:secret@h/x")).toBe("s3+x://:****@h/x");
    // With what no URI should have in it, and people have: an @, a blank, a line break, a secret of S3 with its slashes.
    expect(shownUri("http://me:se@cr@et@h/x@y")).toBe("http://me:****@h/x@y");
    expect(shownUri("http://me:se cr\net@h/x")).toBe("http://me:****@h/x");
    expect(shownUri("s3n://KEY:ab/cd+e/f@bucket/x")).toBe("s3n://KEY:****@bucket/x");
    for (const plain of [
      ...["http://h:80/x@y", "http://h:80?x@y", "http://h:/x@y", "http://[::1]:80/x@y", "http://me@h/x"],
      ...["http://h/a:b@c", "/a:b@c", "see http://a:b@c"],
    ])
      expect(shownUri(plain)).toBe(plain);
  });

  it("shows no password in what a program says of a URI", () => {
    const uri = "s3n://KEY:ab/cd@bucket/x";
    expect(wordsWithoutPassword(`no such file: ${uri} at KEY:ab/cd@bucket`, uri)).toBe(
      "no such file: s3n://KEY:****@bucket/x at KEY:****@bucket",
    );
    expect(wordsWithoutPassword("a:b@c", "http://h/x")).toBe("a:b@c");
  });

  it("takes no FTP URI that curl would read as two lines", () => {
    expect(() => plan("ftp://h/x\noutput = y")).toThrow("control characters");
  });
});

it("names cache files as Mesos does", () => {
  expect(cacheFileName(3, "short.tgz")).toBe("c3-short.tgz");
  expect(cacheFileName(4, "abcdefghijklmnopqrstuvwxyz.tgz")).toBe("c4-abcdefghij_uvwxyz.tgz");
});

describe("CacheBook", () => {
  const entry = (key: string, bytes: number): CacheEntry => ({
    key,
    bytes,
    path: key,
    users: 0,
    ready: Promise.resolve(),
  });

  it("drops what was used longest ago, and nothing that is in use", () => {
    const book = new CacheBook(10);
    const [a, b, c] = [entry("a", 4), entry("b", 4), entry("c", 4)];
    expect(book.reserve(a)).toEqual([]);
    expect(book.reserve(b)).toEqual([]);
    book.release(book.use("a") as CacheEntry);
    expect(book.reserve(c)).toEqual(["b"]);
    book.use("a");
    book.use("c");
    expect(book.reserve(entry("d", 4))).toBeUndefined();
    expect(book.usedBytes).toBe(8);
  });

  it("counts exactly what it holds, whatever happens", () => {
    const step = fc.record({
      key: fc.constantFrom("a", "b", "c", "d", "e"),
      bytes: fc.integer({ min: 1, max: 6 }),
      act: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const book = new CacheBook(12);
        const held = new Map<string, CacheEntry>();
        for (const { key, bytes, act } of steps) {
          const present = held.get(key);
          if (act === 0 && present !== undefined) book.use(key);
          else if (act === 1 && present !== undefined && present.users > 0) book.release(present);
          else if (act === 2 && present !== undefined) {
            book.remove(present);
            held.delete(key);
          } else if (present === undefined) {
            const fresh = entry(key, bytes);
            const busy = [...held.values()].filter(({ users }) => users > 0);
            const victims = book.reserve(fresh);
            if (victims === undefined) continue;
            for (const victim of victims) held.delete(victim);
            held.set(key, fresh);
            for (const each of busy) expect(held.get(each.key)).toBe(each);
          }
          const sum = [...held.values()].reduce((total, each) => total + each.bytes, 0);
          expect(book.usedBytes).toBe(sum);
          expect(sum).toBeLessThanOrEqual(12);
        }
      }),
    );
  });
});
