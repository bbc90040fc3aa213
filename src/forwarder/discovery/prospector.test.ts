import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, it, vi } from "vitest";
import { ownMilliseconds } from "../../../test/support/own-time.ts";
import { at, eachInItsFolder, takeAll, unread } from "../../../test/support/prospecting.ts";
import { OpenFile } from "../model/open-file.ts";
import type { Source } from "../model/source.ts";
import type { Prospector } from "./prospector.ts";

eachInItsFolder();

describe("while nothing is read", () => {
  it("files are opened when they are found, and read from then on whatever becomes of their names", async () => {
    const { prospector, contents, close } = unread(["*.log"]);
    writeFileSync(at("a.log"), "first\n");
    await prospector.scan(true);
    for (let round = 1; round <= 3; round++) {
      renameSync(at("a.log"), at("a.log.1"));
      writeFileSync(at("a.log"), `round ${round}\n`);
      await prospector.scan(false);
      unlinkSync(at("a.log.1"));
      await prospector.scan(false);
    }
    expect(contents().sort()).toEqual(["first\n", "round 1\n", "round 2\n", "round 3\n"]);
    expect([...prospector.sources()].map(({ stage }) => stage)).toContain("draining");
    await close();
  });

  it("a file that lives between two scans is opened when its name appears", async () => {
    const { prospector, contents, close } = unread(["*.log"]);
    await prospector.scan(true);
    writeFileSync(at("short.log"), "its only line\n");
    prospector.glimpse(at("short.log"));
    unlinkSync(at("short.log"));
    writeFileSync(at("moved.log"), "moved\n");
    prospector.glimpse(at("moved.log"));
    renameSync(at("moved.log"), at("moved.log.1"));
    writeFileSync(at("other.txt"), "no pattern leads here\n");
    prospector.glimpse(at("other.txt"));
    await prospector.scan(false);
    expect(contents().sort()).toEqual(["its only line\n", "moved\n"]);
    await prospector.scan(false);
    expect(contents().sort(), "found once").toEqual(["its only line\n", "moved\n"]);
    await close();
  });

  it("a file that was gone before it could be opened is said and counted, once, and nothing else is", async () => {
    const { prospector, said, clock, close } = unread(["*.log"]);
    writeFileSync(at("known.log"), "known\n");
    await prospector.scan(true);
    // Its beginning and its end, noticed together, when it is gone.
    for (const name of ["gone.log", "gone.log", "no-pattern.txt"]) prospector.glimpse(at(name));
    writeFileSync(at("short.log"), "opened in time\n");
    prospector.glimpse(at("short.log"));
    unlinkSync(at("short.log"));
    unlinkSync(at("known.log"));
    for (const name of ["short.log", "known.log"]) prospector.glimpse(at(name));
    await prospector.scan(false);
    expect([prospector.missed, said]).toEqual([
      1,
      [`'${at("gone.log")}' was gone before being opened: what was written there is not shipped`],
    ]);
    // The end of a file that a scan had seen go.
    for (const name of ["short.log", "known.log"]) prospector.glimpse(at(name));
    await prospector.scan(false);
    expect(prospector.missed).toBe(1);
    for (let file = 0; file < 3; file++) prospector.glimpse(at(`${file}.log`));
    await prospector.scan(false);
    expect([prospector.missed, said.length], "said once a minute").toEqual([4, 1]);
    await clock.advance(60_000);
    await prospector.scan(false);
    expect(said[1]).toContain(`'${at("0.log")}' and 2 other files were gone before being opened`);
    await close();
  });

  it("a file for which no descriptor was free when its name appeared is counted when it is gone", async () => {
    const { prospector, close } = unread(["*.log"], 1);
    writeFileSync(at("first.log"), "unread\n");
    await prospector.scan(true);
    for (const name of ["gone.log", "there.log"]) {
      writeFileSync(at(name), "no room\n");
      prospector.glimpse(at(name));
    }
    unlinkSync(at("gone.log"));
    await prospector.scan(false);
    expect(prospector.missed).toBe(1);
    await close();
  });

  it("each truncation is noticed, and what was lost by it is found in the copies, outside the patterns too", async () => {
    const { prospector, contents, close } = unread(["a.log"]);
    mkdirSync(at("old"));
    writeFileSync(at("a.log"), "");
    await prospector.scan(true);
    const copies = ["a.log.1", "old/a.log.2", "a.log.3"];
    for (const [round, copy] of copies.entries()) {
      appendFileSync(at("a.log"), `round ${round}\n`.repeat(300));
      await prospector.scan(false);
      copyFileSync(at("a.log"), at(copy));
      truncateSync(at("a.log"));
      // As long as before, before anybody looks: sizes say nothing.
      if (round === 1) appendFileSync(at("a.log"), "round 2\n".repeat(300));
      if (round === 1) await prospector.scan(false);
    }
    await prospector.scan(false);
    const lines = contents()
      .join("")
      .split("\n")
      .filter((line) => line !== "");
    expect(new Set(lines)).toEqual(new Set(["round 0", "round 1", "round 2"]));
    await close();
  });

  it("a content without a copy is said and counted as lost after a minute", async () => {
    const { prospector, clock, abandoned, said, close } = unread(["a.log"]);
    writeFileSync(at("a.log"), "never to be read\n");
    await prospector.scan(true);
    const source = prospector.source(at("a.log"));
    truncateSync(at("a.log"));
    await prospector.scan(false);
    expect([prospector.lostUnread, source?.stage]).toEqual([0, "replaced"]);
    await clock.advance(60_000);
    await prospector.scan(false);
    expect(prospector.lostUnread).toBe(1);
    expect(abandoned).toEqual([source]);
    expect(said.join()).toContain("lost 17 bytes before they were read");
    await close();
  });
});

describe("a log that is rotated again before the first rotation was seen", () => {
  it("is not read in its copy and in its own file", async () => {
    const { prospector, close } = unread(["app.log*"]);
    const [log, copy] = [at("app.log"), at("app.log.1")];
    const places = () => [...prospector.sources()].flatMap(({ path }) => path ?? []);
    writeFileSync(log, "first content\n");
    await prospector.scan(true);
    const first = prospector.source(log);
    // Truncated and written anew, and the new content copied: copytruncate is at its second round.
    writeFileSync(log, "second content\n");
    copyFileSync(log, copy);
    await prospector.scan(false);
    const second = prospector.source(log);
    expect(second).not.toBe(first);
    expect(places(), "the copy waits").toEqual([log]);
    truncateSync(log);
    if (second === undefined) throw new Error("the log is not followed");
    prospector.replaced(second);
    await prospector.scan(false);
    expect(prospector.source(copy), "it is where the second content goes on").toBe(second);
    expect(places().sort()).toEqual([log, copy]);
    await close();
  });
});

describe("archives beside a log", () => {
  const places = (prospector: Prospector) => [...prospector.sources()].flatMap(({ path }) => path ?? []).sort();

  it("are followed while it is empty", async () => {
    const { prospector, close } = unread(["app.log*"]);
    writeFileSync(at("app.log"), "");
    writeFileSync(at("app.log.1"), "what came before\n");
    writeFileSync(at("app.log.2.gz"), gzipSync("and before that\n"));
    await prospector.scan(true);
    expect(places(prospector)).toEqual([at("app.log"), at("app.log.1"), at("app.log.2.gz")]);
    await close();
  });

  it("are copies of what it got while they were compared", async () => {
    const { prospector, close } = unread(["app.log*"]);
    writeFileSync(at("app.log"), "");
    await prospector.scan(true);
    const log = prospector.source(at("app.log"))?.file;
    if (log === undefined) throw new Error("the log is not open");
    writeFileSync(at("app.log.1"), "");
    const { facts } = OpenFile.prototype;
    let looks = 0;
    const looking = vi.spyOn(log, "facts").mockImplementation(() => {
      const before = facts.call(log);
      // The scan itself has looked by name; this is for the sake of the file beside.
      if (++looks === 1) {
        appendFileSync(log.place() as string, "first line\n");
        copyFileSync(at("app.log"), at("app.log.1"));
      }
      return before;
    });
    await prospector.scan(false);
    expect(looks).toBeGreaterThan(1);
    expect(places(prospector), "the copy waits").toEqual([at("app.log")]);
    looking.mockRestore();
    await close();
  });

  it("that begin like it are followed before it is read", async () => {
    const { prospector, close } = unread(["app.log*"]);
    const banner = "banner\n".repeat(50);
    writeFileSync(at("app.log"), `${banner}today\n`);
    writeFileSync(at("app.log.1"), `${banner}yesterday, and more than today\n`);
    await prospector.scan(true);
    expect(places(prospector)).toEqual([at("app.log"), at("app.log.1")]);
    await close();
  });
});

describe("a budget of descriptors", () => {
  it("takes those of files that are wholly acknowledged, never one with unread lines, and says who waits", async () => {
    const { prospector, descriptors, clock, said, close } = unread(["*.log"], 2);
    writeFileSync(at("a.log"), "a\n");
    writeFileSync(at("b.log"), "b\n");
    await prospector.scan(true);
    takeAll(prospector.source(at("a.log")));
    writeFileSync(at("c.log"), "c\n");
    writeFileSync(at("d.log"), "d\n");
    await prospector.scan(false);
    const isOpen = (name: string) => prospector.source(at(name))?.file !== undefined;
    expect(["a.log", "b.log", "c.log", "d.log"].map(isOpen)).toEqual([false, true, true, false]);
    expect([descriptors.open, descriptors.waiting, descriptors.refused]).toEqual([2, 1, 1]);
    await clock.advance(1000);
    expect(said.join()).toContain(`1 files with unread lines wait for a descriptor, '${at("d.log")}' first`);
    takeAll(prospector.source(at("b.log")));
    descriptors.retry();
    expect(["b.log", "c.log", "d.log"].map(isOpen)).toEqual([false, true, true]);
    expect([descriptors.open, descriptors.waiting]).toEqual([2, 0]);
    await close();
  });

  it("gives back what is closed", async () => {
    const { prospector, close } = unread(["*.log"], 4);
    const open = () =>
      readdirSync("/proc/self/fd").filter((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`).startsWith(at());
        } catch {
          return false;
        }
      }).length;
    for (let file = 0; file < 9; file++) writeFileSync(at(`${file}.log`), `${file}\n`);
    await prospector.scan(true);
    expect(open()).toBe(4);
    prospector.glimpse(at("later.log"));
    await close();
    expect(open()).toBe(0);
  });
});

describe("deleted files that are read to their end", () => {
  it("give their descriptors back one after the other, and nothing waits for that", async () => {
    const { prospector, descriptors, close } = unread(["*.log"], 10);
    const files = [..."abcdefgh"].map((name) => `${name}.log`);
    for (const file of files) writeFileSync(at(file), `${file}\n`);
    await prospector.scan(true);
    const sources = files.map((file) => prospector.source(at(file)) as Source);
    const fds = sources.map(({ file }) => file?.fd ?? -1);
    const isOpen = (fd: number) => existsSync(`/proc/self/fd/${fd}`);
    for (const file of files) unlinkSync(at(file));
    await prospector.scan(false);
    for (const source of sources) takeAll(source);
    // Each close frees disk space, which takes a busy disk milliseconds: a crowd of them would stand everything still.
    for (const source of sources) prospector.gone(source);
    expect(fds.every(isOpen), "still open when everything else goes on").toBe(true);
    expect([descriptors.open, descriptors.spare], "and no room for others until they are not").toEqual([0, 2]);
    await expect.poll(() => descriptors.spare).toBe(10);
    expect(fds.some(isOpen)).toBe(false);
    await close();
  });
});

describe("a folder of which every file is rotated at once", () => {
  it("costs work in proportion to its files", async () => {
    const { prospector, contents, close } = unread(["*.log"], 10_000);
    const files = 1000;
    for (let file = 0; file < files; file++) writeFileSync(at(`${file}.log`), `a${file}\n`);
    await prospector.scan(true);
    for (let file = 0; file < files; file++) {
      renameSync(at(`${file}.log`), at(`${file}.log.1`));
      writeFileSync(at(`${file}.log`), `b${file}\n`);
    }
    const begun = ownMilliseconds();
    await prospector.scan(false);
    const taken = ownMilliseconds() - begun;
    expect(new Set(contents()).size).toBe(2 * files);
    // Each file looking for itself in the folder took 10 s; once through it takes a tenth of one.
    expect(taken).toBeLessThan(3000);
    await close();
  });
});
