import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bytesOf, pathOf } from "../../base/file-names.ts";
import { type Logger, silentLogger } from "../../base/log.ts";
import type { Batch } from "../model/batch.ts";
import { BEGINNING, type Source } from "../model/source.ts";
import { entryOf, formatRegistry, parseRegistry } from "./format.ts";
import { Ledger } from "./ledger.ts";
import { takeLock } from "./lock.ts";
import { loadRegistry } from "./registrar.ts";
import { inheritedSource, restoredSource } from "./restore.ts";

const sourceAt = (acked: number): Source => ({
  ...BEGINNING,
  name: "/var/log/a",
  path: "/var/log/a",
  last: "/var/log/a",
  identity: { device: "1", inode: "18446744073709551615", born: "5" },
  fingerprint: { length: 3, hash: "abc" },
  group: 0,
  read: acked,
  readTail: undefined,
  acked,
  ackedTail: { length: 4, crc: 9 },
  touched: 1,
  size: 0,
  modified: 0,
});

const batchOf = (source: Source, first: number, events: number): Batch => ({
  sequence: 0,
  version: 1,
  events,
  wire: Buffer.alloc(0),
  ends: Float64Array.from({ length: events }, (_, index) => first + index + 1),
  runs: [{ source, until: events, end: first + events, tail: undefined }],
  raw: 0,
  readAt: 0,
});

describe("the ledger", () => {
  it("moves a position over what is acknowledged without a gap, in whatever order acknowledgements come", () => {
    const scenario = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 6 }).chain((sizes) => {
      const pieces = sizes.flatMap((size, batch) => Array.from({ length: size }, (_, event) => ({ batch, event })));
      return fc.tuple(fc.constant(sizes), fc.shuffledSubarray(pieces, { minLength: pieces.length }));
    });
    fc.assert(
      fc.property(scenario, ([sizes, order]) => {
        const source = sourceAt(0);
        const ledger = new Ledger();
        let total = 0;
        const batches = sizes.map((size) => {
          const batch = batchOf(source, total, size);
          total += size;
          ledger.add(batch);
          return { batch, first: total - size };
        });
        const taken = new Set<number>();
        for (const { batch, event } of order) {
          const entry = batches[batch];
          if (entry === undefined) throw new Error("no batch");
          ledger.acknowledge(entry.batch, event, event + 1);
          taken.add(entry.first + event);
          ledger.apply(1);
          let prefix = 0;
          while (taken.has(prefix)) prefix++;
          expect(source.acked).toBe(prefix);
          expect(ledger.outstanding).toBe(total - prefix);
        }
        expect(ledger.batches).toBe(0);
      }),
    );
  });

  it("passes over a batch that only moves positions", () => {
    const source = sourceAt(0);
    const ledger = new Ledger();
    ledger.add({ ...batchOf(source, 0, 0), runs: [{ source, until: 0, end: 12, tail: undefined }] });
    ledger.apply(1);
    expect([source.acked, ledger.batches]).toEqual([12, 0]);
  });
});

describe("the registry file", () => {
  let folder = "";
  const lines: string[] = [];
  const log: Logger = { ...silentLogger, error: (line) => lines.push(line), info: (line) => lines.push(line) };
  const settings = () => ({
    path: join(folder, "registry.json"),
    importFrom: join(folder, ".logstash-forwarder"),
    forgetAfter: 1,
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "registrar-"));
    lines.length = 0;
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("gives back what was written, and leaves out broken entries only", () => {
    const entry = entryOf(sourceAt(77));
    const text = [...formatRegistry([JSON.stringify(entry), '{"source":"x","offset":-1}'])].join("");
    expect(parseRegistry(text)).toEqual({ entries: [{ ...entry, last: entry.path }], broken: 1, old: false });
  });

  it("is written in pieces, and says once where a file lies", () => {
    const entry = entryOf(sourceAt(77));
    expect(entry).not.toHaveProperty("last");
    expect(entryOf({ ...sourceAt(77), path: undefined })).toHaveProperty("last");
    const pieces = [...formatRegistry(Array.from({ length: 1000 }, () => JSON.stringify(entry)))];
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(100_000);
    expect(parseRegistry(pieces.join("")).entries).toHaveLength(1000);
    expect(parseRegistry([...formatRegistry([])].join("")).entries).toEqual([]);
  });

  it("takes over the old program's", () => {
    writeFileSync(
      settings().importFrom,
      '{"/var/log/syslog":{"source":"/var/log/syslog","offset":123,"inode":42,"device":64512}}',
    );
    expect(loadRegistry(settings(), log, 9)).toMatchObject([
      { source: "/var/log/syslog", offset: 123, inode: "42", device: "64512", touched: 9 },
    ]);
    expect(lines[0]).toContain("took over 1 positions");
    const [entry] = loadRegistry(settings(), log, 9);
    if (entry === undefined) throw new Error("no entry");
    // What its positions mean is found out when the file is read: until then the registry says that they are its.
    const again = parseRegistry([...formatRegistry([JSON.stringify(entryOf(restoredSource(entry, 0)))])].join(""));
    expect(again.entries[0]).toMatchObject({ offset: 123, imported: true });
  });

  it.each([
    ["null", "it holds no positions"],
    ["[]", "it holds no positions"],
    ['{"format":2,"files":[]}', "its format 2 is not known here"],
    ['{"/a":{"offset":-1}}', "it holds no positions"],
  ])("says of %s in a few words why it is none", (text, words) => {
    expect(() => parseRegistry(text)).toThrow(new Error(words));
  });

  it("takes the old program's positions over one by one, with all digits of their inodes", () => {
    const text =
      '{"/a":{"offset":7,"inode":18446744073709551615,"device":9007199254740993},"/b":{"offset":-1},"/c":{"offset":3}}';
    const { entries, broken, old } = parseRegistry(text);
    expect([broken, old]).toEqual([1, true]);
    expect(entries.map(({ path, offset, inode, device }) => [path, offset, inode, device])).toEqual([
      ["/a", 7, "18446744073709551615", "9007199254740993"],
      ["/c", 3, "0", "0"],
    ]);
  });

  it("keeps a broken file, says so, and starts without positions", () => {
    writeFileSync(settings().path, '{"format":1,"files":[{"sou');
    expect(loadRegistry(settings(), log, 9)).toEqual([]);
    expect(readFileSync(`${settings().path}.broken-9`, "utf8")).toBe('{"format":1,"files":[{"sou');
    expect(lines[0]).toContain("is broken");
  });

  it("keeps names that are not UTF-8, and goes on from what was acknowledged when another pipeline takes over", () => {
    const name = pathOf(Buffer.from([0x2f, 0x6c, 0xe9, 0x2e]));
    const source = { ...sourceAt(5), name, path: name, last: name, read: 90, ended: true };
    const { entries } = parseRegistry([...formatRegistry([JSON.stringify(entryOf(source))])].join(""));
    expect(bytesOf(entries[0]?.source ?? "")).toEqual(Buffer.from([0x2f, 0x6c, 0xe9, 0x2e]));
    expect(inheritedSource(source, 3)).toMatchObject({ read: 5, acked: 5, group: 3, ended: false, stage: "found" });
  });

  it("is locked for one process, and a dead one's lock is taken over", () => {
    const path = join(folder, "x/registry.lock");
    const release = takeLock(path);
    expect(() => takeLock(path)).toThrow(`process ${process.pid} already uses this registry`);
    release();
    writeFileSync(path, "4194305 1 another-boot\n");
    takeLock(path)();
    writeFileSync(path, "");
    takeLock(path)();
    expect(readdirSync(join(folder, "x"))).toEqual([]);
  });
});
