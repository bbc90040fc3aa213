/** Files that fail where others do not, and filesystems that come back under another number. */
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, it, vi } from "vitest";
import { at, eachInItsFolder, takeAll, unread } from "../../../test/support/prospecting.ts";
import type { OpenFile } from "../model/open-file.ts";
import type { Source } from "../model/source.ts";

eachInItsFolder();

describe("a file that cannot be read", () => {
  /** Memory of a process without anything at its beginning: reading there is an input/output error, as on a broken disk. */
  const BROKEN = "/proc/self/mem";

  it("is said once, and the others are found", async () => {
    const { prospector, contents, said, close } = unread(["*.log"]);
    symlinkSync(BROKEN, at("a.log"));
    writeFileSync(at("b.log"), "b\n");
    await prospector.scan(true);
    writeFileSync(at("c.log"), "c\n");
    await prospector.scan(false);
    expect(contents()).toEqual(["b\n", "c\n"]);
    expect(said).toEqual([`cannot read '${at("a.log")}': EIO: i/o error, read`]);
    await close();
  });

  it("keeps no copy from being found in another", async () => {
    const { prospector, contents, close } = unread(["app.log"]);
    writeFileSync(at("app.log"), "unread\n");
    await prospector.scan(true);
    symlinkSync(BROKEN, at("app.log.0"));
    copyFileSync(at("app.log"), at("app.log.1"));
    truncateSync(at("app.log"));
    await prospector.scan(false);
    expect(contents()).toContain("unread\n");
    await close();
  });

  it("any more, because its filesystem does not answer, keeps nobody from being looked at, or from its turn", async () => {
    const { prospector, descriptors, contents, said, close } = unread(["*.log"], 2);
    for (const name of ["a.log", "b.log"]) writeFileSync(at(name), `${name}\n`);
    await prospector.scan(true);
    const [a, b] = ["a.log", "b.log"].map((name) => prospector.source(at(name)) as Source);
    if (a?.file === undefined || b === undefined) throw new Error("they are not open");
    const { fd } = a.file;
    vi.spyOn(a.file, "facts").mockImplementation(() => {
      throw new Error("ESTALE: stale file handle, fstat");
    });
    for (const name of ["a.log", "b.log"]) appendFileSync(at(name), "more\n");
    await prospector.scan(false);
    prospector.changed(a);
    prospector.tick();
    expect([b.size, said]).toEqual([11, [`cannot read '${a.name}': ESTALE: stale file handle, fstat`]]);
    takeAll(b);
    writeFileSync(at("c.log"), "c\n");
    await prospector.scan(false);
    expect(prospector.source(at("c.log"))?.file, "b gave its descriptor up").toBeDefined();
    prospector.gone(a);
    await expect.poll(() => descriptors.spare).toBe(1);
    expect([contents(), existsSync(`/proc/self/fd/${fd}`)]).toEqual([["c\n"], false]);
    await close();
  });

  it("because another machine has removed it is gone: its descriptor is given back, and what was not read of it said", async () => {
    const { prospector, descriptors, clock, said, close } = unread(["*.log"]);
    writeFileSync(at("a.log"), "unread\n");
    await prospector.scan(true);
    const source = prospector.source(at("a.log")) as Source;
    vi.spyOn(source.file as OpenFile, "facts").mockImplementation(() => {
      throw Object.assign(new Error("ESTALE: stale file handle, fstat"), { code: "ESTALE" });
    });
    unlinkSync(at("a.log"));
    await prospector.scan(false);
    expect([source.stage, descriptors.open]).toEqual(["gone", 0]);
    await clock.advance(60_000);
    await prospector.scan(false);
    expect([said.length, prospector.lostUnread]).toEqual([1, 1]);
    expect(said[0]).toContain("lost 7 bytes before they were read");
    await close();
  });
});

describe("a filesystem that is mounted again", () => {
  /** What a later run knows of the files after the numbers of their devices have changed. */
  async function remounted(change: (one: Source) => Source["identity"]) {
    const before = unread(["*.log", "*.gz"]);
    await before.prospector.scan(true);
    for (const source of before.prospector.sources()) takeAll(source);
    await before.close();
    const sources = [...before.prospector.sources()];
    const after = unread(["*.log", "*.gz"]);
    after.prospector.restore(sources.map((one) => ({ ...one, stage: "found", scan: 0, identity: change(one) })));
    return after;
  }

  it("holds the files that it held, whatever number its device has now", async () => {
    writeFileSync(at("a.log"), "a\n");
    writeFileSync(at("b.log"), "b\n".repeat(1000));
    const { prospector, contents, close } = await remounted(({ identity }) => ({ ...identity, device: "4095" }));
    appendFileSync(at("b.log"), "new\n");
    await prospector.scan(true);
    expect(contents()).toEqual(["", "new\n"]);
    expect([...prospector.sources()].map(({ stage }) => stage)).not.toContain("gone");
    await close();
  });

  it("may have the number that another had, with the same inodes", async () => {
    writeFileSync(at("a.log"), "a\n");
    const elsewhere = { name: "/other/x.log", path: "/other/x.log", last: "/other/x.log" };
    const before = unread(["*.log"]);
    await before.prospector.scan(true);
    const [source] = [...before.prospector.sources()];
    takeAll(source);
    await before.close();
    const after = unread(["*.log"]);
    const { identity } = source as Source;
    const known = { ...(source as Source), stage: "found", scan: 0 } as const;
    const foreign = { ...known, ...elsewhere, read: 1, identity: { ...identity, born: "1" } };
    after.prospector.restore([foreign, { ...known, identity: { ...identity, device: "4095" } }]);
    await after.prospector.scan(true);
    expect(after.contents()).toEqual([""]);
    await after.close();
  });

  it("holds another file where one of that name was, if it has another inode, birth or content", async () => {
    writeFileSync(at("a.log"), "banner\n");
    const kinds = [{ inode: "1" }, { born: "1" }];
    for (const kind of kinds) {
      const { prospector, contents, close } = await remounted(({ identity }) => ({
        ...identity,
        device: "4095",
        ...kind,
      }));
      await prospector.scan(true);
      expect(contents(), JSON.stringify(kind)).toEqual(["banner\n"]);
      await close();
    }
    const { prospector, contents, close } = await remounted(({ identity }) => ({ ...identity, device: "4095" }));
    writeFileSync(at("a.log"), "BANNER\n");
    await prospector.scan(true);
    expect(contents()).toEqual(["BANNER\n"]);
    await close();
  });

  it("holds an archive that it held only where births say so: its content is not compared", async () => {
    writeFileSync(at("a.gz"), gzipSync("a\n"));
    for (const [born, stages] of [
      [undefined, ["found"]],
      ["0", ["found", "gone"]],
    ] as const) {
      const { prospector, close } = await remounted(({ identity }) => ({
        ...identity,
        device: "4095",
        born: born ?? identity.born,
      }));
      await prospector.scan(true);
      expect([...prospector.sources()].map(({ stage }) => (stage === "gone" ? stage : "found")).toSorted()).toEqual(
        stages,
      );
      await close();
    }
  });
});
