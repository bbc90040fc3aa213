import { appendFileSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { settle, TestClock } from "../../../test/support/test-clock.ts";
import { silentLogger } from "../../base/log.ts";
import { enter, stages, transitions } from "../model/lifecycle.ts";
import { OpenFile } from "../model/open-file.ts";
import type { FileGroup } from "../model/settings.ts";
import type { EventSink, SinkEvent } from "../model/sink.ts";
import { BEGINNING, type Source } from "../model/source.ts";
import { Descriptors } from "./descriptors.ts";
import { Follower } from "./follower.ts";
import { descriptorBudget, openFilesLimit } from "./limits.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "follower-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const group = {
  encoding: "utf-8",
  includeLines: [],
  excludeLines: [],
  maximumLine: 1000,
  closeInactive: 60_000,
  lineEndWait: 30_000,
} as unknown as FileGroup;

/** Takes lines when it is told to, as a collector does whose window is full. */
class SlowSink implements EventSink {
  readonly taken: string[] = [];
  /** Lets the lines in that wait. */
  admit: () => void = () => undefined;
  /** false: whatever comes is taken at once. */
  isSlow = false;
  /** Called when lines have come and wait. */
  arrived: () => void = () => undefined;

  async #take(text: string): Promise<void> {
    if (this.isSlow)
      await new Promise<void>((resolve) => {
        this.admit = resolve;
        this.arrived();
      });
    this.taken.push(text);
  }
  isFull = false;
  lines = async (_: Source, bytes: Buffer, base: number, last: number): Promise<number> => {
    await this.#take(`${base}: ${bytes.subarray(0, last)}`);
    return last + 1;
  };
  event = (_: Source, { text, start }: SinkEvent): Promise<void> => this.#take(`${start}: ${text}`);
  passed = (): Promise<void> => Promise.resolve();
}

function reading(settings: Partial<FileGroup> = {}, limit = 10) {
  const sink = new SlowSink();
  const clock = new TestClock();
  const events: string[] = [];
  const descriptors = new Descriptors({ limit, clock, log: silentLogger, admit: () => undefined });
  let rested: () => void = () => undefined;
  const follower = new Follower({
    groups: [{ ...group, ...settings }],
    reading: { bufferSize: 4096 },
    clock,
    log: silentLogger,
    sink,
    descriptors,
    finishing: false,
    stdin: () => process.stdin,
    replaced: () => events.push("replaced"),
    gone: () => events.push("gone"),
    idle: () => rested(),
  });
  const follow = (name: string): Source => {
    const path = join(folder, name);
    const file = OpenFile.at(path);
    if (file === undefined) throw new Error("no file");
    const { identity, size } = file.facts();
    const fingerprint = { length: 0, hash: "" };
    const source: Source = { ...BEGINNING, name: path, path, last: path, identity, fingerprint, group: 0, size };
    descriptors.give(source, file);
    return source;
  };
  /** Reads what there is; resolves when everything is read that can be. */
  const changed = async (source: Source): Promise<void> => {
    const idle = new Promise<void>((resolve) => {
      rested = resolve;
    });
    follower.changed(source);
    await idle;
  };
  const tick = async (milliseconds: number): Promise<void> => {
    await clock.advance(milliseconds);
    follower.tick();
    while (!follower.resting) await settle();
  };
  const stop = () => {
    follower.stop();
    descriptors.closeAll();
  };
  return { sink, clock, events, descriptors, follower, follow, changed, tick, stop };
}

const acknowledge = (source: Source): void => {
  source.acked = source.read;
  source.ackedTail = source.readTail;
};

describe("a truncated file whose copy is found while its lines wait to be taken", () => {
  it("goes on in the copy where the lines ended", async () => {
    const { sink, descriptors, follower, follow, changed, stop } = reading();
    writeFileSync(join(folder, "app.log"), "one\ntwo\n");
    const source = follow("app.log");
    sink.isSlow = true;
    await new Promise<void>((resolve) => {
      sink.arrived = resolve;
      follower.changed(source);
    });
    // What the prospector does: the file begins anew, and the source goes on in the copy.
    writeFileSync(join(folder, "app.log.1"), "one\ntwo\nthree\n");
    descriptors.take(source)?.close();
    const copy = OpenFile.at(join(folder, "app.log.1"));
    if (copy === undefined) throw new Error("no copy");
    enter(source, "replaced");
    enter(source, "found");
    source.identity = copy.identity;
    source.size = copy.facts().size;
    descriptors.give(source, copy);
    const done = changed(source);
    sink.isSlow = false;
    sink.admit();
    await done;
    expect(sink.taken).toEqual(["0: one\ntwo", "8: three"]);
    expect(source.stage).toBe("at-end");
    stop();
  });
});

describe("a last line without its end", () => {
  it("goes out when the file was quiet for long enough, and its end later makes no line of its own twice", async () => {
    const { sink, follow, changed, tick, stop } = reading();
    writeFileSync(join(folder, "a.log"), "one\nlast words");
    const source = follow("a.log");
    await changed(source);
    await tick(29_000);
    expect(sink.taken).toEqual(["0: one"]);
    await tick(1000);
    expect(sink.taken).toEqual(["0: one", "4: last words"]);
    appendFileSync(join(folder, "a.log"), " and more\n");
    await changed(source);
    expect(sink.taken.at(-1)).toBe("14:  and more");
    stop();
  });

  it("of a deleted file goes out when its writer was quiet for a moment; what is acknowledged is given back", async () => {
    const { sink, events, follow, changed, tick, stop } = reading();
    writeFileSync(join(folder, "a.log"), "one\nlast words");
    const source = follow("a.log");
    unlinkSync(join(folder, "a.log"));
    source.path = undefined;
    enter(source, "draining");
    await changed(source);
    await tick(1000);
    expect(sink.taken).toEqual(["0: one"]);
    await tick(1000);
    await tick(1000);
    expect([sink.taken, events]).toEqual([["0: one", "4: last words"], []]);
    acknowledge(source);
    await tick(1000);
    expect(events).toEqual(["gone"]);
    stop();
  });
});

describe("a quiet file", () => {
  it("is closed when everything of it is acknowledged, not before, and read again when it changes", async () => {
    const { sink, descriptors, follow, changed, tick, stop } = reading();
    writeFileSync(join(folder, "a.log"), "one\n");
    const source = follow("a.log");
    await changed(source);
    await tick(120_000);
    expect(source.stage).toBe("at-end");
    acknowledge(source);
    await tick(1000);
    expect([source.stage, source.file, descriptors.open]).toEqual(["found", undefined, 0]);
    appendFileSync(join(folder, "a.log"), "two\n");
    expect(descriptors.hold(source)).toEqual({ kind: "held" });
    await changed(source);
    expect(sink.taken).toEqual(["0: one", "4: two"]);
    stop();
  });
});

/** Calls `asked` whenever somebody looks whether what was read of `source` is acknowledged. */
function watchAcked(source: Source, asked: () => void): void {
  let { acked } = source;
  Object.defineProperty(source, "acked", {
    get: () => {
      asked();
      return acked;
    },
    set: (position: number) => {
      acked = position;
    },
  });
}

describe("a file that rests", () => {
  it("is not looked at every second, but every ten, to be closed in the end", async () => {
    const { follow, changed, tick, stop } = reading({ closeInactive: 60_000 });
    writeFileSync(join(folder, "a.log"), "one\n");
    const source = follow("a.log");
    await changed(source);
    let looks = 0;
    watchAcked(source, () => looks++);
    await tick(1000);
    const [atFirst] = [looks, await tick(1000)];
    expect(looks, "not acknowledged, it is looked at").toBeGreaterThan(atFirst);
    acknowledge(source);
    await tick(1000);
    const [before] = [looks, await tick(1000), await tick(1000), await tick(1000)];
    expect(looks).toBe(before);
    for (let second = 0; second < 10; second++) await tick(1000);
    expect(looks).toBeGreaterThan(before);
    await tick(60_000);
    expect(source.stage).toBe("found");
    stop();
  });

  it("is closed in time if it is to be closed sooner than that", async () => {
    const { follow, changed, tick, stop } = reading({ closeInactive: 2000 });
    writeFileSync(join(folder, "a.log"), "one\n");
    const source = follow("a.log");
    await changed(source);
    acknowledge(source);
    for (let second = 0; second < 4; second++) await tick(1000);
    expect(source.stage).toBe("found");
    stop();
  });

  it("is looked at again from when it was written to until that is acknowledged", async () => {
    const { sink, follow, changed, tick, stop } = reading();
    writeFileSync(join(folder, "a.log"), "one\n");
    const source = follow("a.log");
    await changed(source);
    acknowledge(source);
    await tick(1000);
    await tick(1000);
    appendFileSync(join(folder, "a.log"), "half");
    await changed(source);
    await tick(30_000);
    expect(sink.taken).toEqual(["0: one", "4: half"]);
    stop();
  });
});

describe("a stop", () => {
  it("reads to where files end at that moment, and gives out what is being joined", async () => {
    const multiline = { pattern: "^ ", negate: false, match: "after", maximumLines: 9, maximumTime: 9e9 } as const;
    const { sink, follower, follow, stop } = reading({ multiline });
    writeFileSync(join(folder, "a.log"), "one\n more\nhalf");
    follow("a.log");
    const source = follow("a.log");
    follower.changed(source);
    follower.drain();
    while (!follower.resting) await settle();
    expect(sink.taken, "half a line is for the next start").toEqual(["0: one\n more"]);
    // A writer that never rests does not keep the program.
    appendFileSync(join(folder, "a.log"), " a line\nanother\n");
    follower.changed(source);
    while (!follower.resting) await settle();
    expect(sink.taken.length).toBeLessThanOrEqual(3);
    stop();
  });
});

describe("a content that is lost", () => {
  it("gives out what was being joined of it", async () => {
    const multiline = { pattern: "^ ", negate: false, match: "after", maximumLines: 9, maximumTime: 9e9 } as const;
    const { sink, descriptors, follower, follow, changed, stop } = reading({ multiline });
    writeFileSync(join(folder, "a.log"), "one\n more\n");
    const source = follow("a.log");
    await changed(source);
    expect(sink.taken).toEqual([]);
    descriptors.release(source);
    enter(source, "replaced");
    follower.abandoned(source);
    while (!follower.resting) await settle();
    expect([sink.taken, follower.held]).toEqual([["0: one\n more"], 0]);
    stop();
  });
});

describe("the life of a content", () => {
  it("leads nowhere that the table does not have, and from everywhere to an end", () => {
    for (const from of stages)
      for (const to of stages) {
        const source = { stage: from, name: "a.log" };
        if (from === to || transitions[from].includes(to)) {
          enter(source, to);
          expect(source.stage).toBe(to);
        } else expect(() => enter(source, to)).toThrow(`'a.log' cannot go from ${from} to ${to}`);
      }
    for (const from of stages)
      expect(from === "gone" || transitions[from].some((to) => to === "gone" || to === "found")).toBe(true);
  });
});

describe("how many files may be open", () => {
  it("is what the process may, less what it has and needs, and what is configured at most", () => {
    const limits =
      "Limit  Soft Limit  Hard Limit  Units\nMax open files            100                  4096                 files\n";
    expect(openFilesLimit(limits)).toBe(100);
    expect(openFilesLimit(limits.replace("100 ", "unlimited "))).toBeUndefined();
    expect(descriptorBudget(100, 22, undefined)).toBe(46);
    expect(descriptorBudget(1_000_000, 22, 5)).toBe(5);
    expect(descriptorBudget(30, 22, 512), "there is one at least").toBe(1);
  });
});

describe("of many files", () => {
  it("one that is read once keeps no reader, and one that is read again does", async () => {
    const { sink, follower, follow, changed, stop } = reading();
    writeFileSync(join(folder, "a.log"), "one\n");
    const source = follow("a.log");
    await changed(source);
    expect(follower.readers).toBe(0);
    for (const line of ["two", "three"]) {
      appendFileSync(join(folder, "a.log"), `${line}\n`);
      await changed(source);
      expect(follower.readers).toBe(1);
    }
    expect(sink.taken).toEqual(["0: one", "4: two", "8: three"]);
    stop();
  });

  it("those that were read last keep theirs, and the others go on where they were", async () => {
    const { sink, follower, follow, changed, stop } = reading({}, 2000);
    const sources = Array.from({ length: 600 }, (_, index) => {
      writeFileSync(join(folder, `${index}.log`), "one\n");
      return follow(`${index}.log`);
    });
    for (let round = 0; round < 3; round++)
      for (const source of sources) {
        appendFileSync(source.name, `${round}\n`);
        await changed(source);
      }
    expect(follower.readers).toBe(512);
    expect(sink.taken.filter((text) => text === "4: 0" || text === "6: 1" || text === "8: 2")).toHaveLength(1200);
    stop();
  });

  it("other content is noticed without a reader, too", async () => {
    const { events, follow, changed, follower, stop } = reading();
    writeFileSync(join(folder, "a.log"), "first content\n");
    const source = follow("a.log");
    await changed(source);
    writeFileSync(join(folder, "a.log"), "other content, and longer\n");
    follower.changed(source);
    while (!follower.resting) await settle();
    expect(events).toEqual(["replaced"]);
    stop();
  });

  it("a read that found everything is not followed by one that finds nothing", async () => {
    const { follow, changed, stop } = reading();
    writeFileSync(join(folder, "a.log"), "one\ntwo\n");
    const source = follow("a.log");
    if (source.file === undefined) throw new Error("no file");
    const reads = vi.spyOn(source.file, "read");
    await changed(source);
    expect(reads).toHaveBeenCalledTimes(1);
    expect(source).toMatchObject({ stage: "at-end", read: 8 });
    stop();
  });
});

it("a file whose filesystem does not answer keeps no other from being closed when it is quiet, or read at the end", async () => {
  const { sink, descriptors, follower, follow, changed, tick, stop } = reading();
  for (const name of ["a.log", "b.log", "c.log"]) writeFileSync(join(folder, name), `${name}\n`);
  const [a, b] = [follow("a.log"), follow("b.log")];
  for (const source of [a, b]) await changed(source).then(() => acknowledge(source));
  vi.spyOn(a.file as OpenFile, "facts").mockImplementation(() => {
    throw new Error("ESTALE: stale file handle, fstat");
  });
  await tick(120_000);
  expect(b.file).toBeUndefined();
  follower.drain();
  follower.changed(follow("c.log"));
  while (!follower.resting) await settle();
  expect(sink.taken).toEqual(["0: a.log", "0: b.log", "0: c.log"]);
  descriptors.release(a);
  await expect.poll(() => descriptors.spare).toBe(9);
  stop();
});
