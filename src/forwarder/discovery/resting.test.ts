import { appendFileSync, linkSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import { silentLogger } from "../../base/log.ts";
import { enter } from "../model/lifecycle.ts";
import type { FileGroup } from "../model/settings.ts";
import type { Source } from "../model/source.ts";
import { Descriptors } from "../reading/descriptors.ts";
import { Prospector } from "./prospector.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "resting-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const SCANS_A_MINUTE = 6;

/** A file that is read to its end, scanned every ten seconds. */
async function quiet(watches = true) {
  const path = join(folder, "a.log");
  writeFileSync(path, "first\n");
  const clock = new TestClock(Date.now());
  const descriptors = new Descriptors({ limit: 10, clock, log: silentLogger, admit: () => undefined });
  const seen: Source[] = [];
  const prospector = new Prospector({
    groups: [{ paths: [join(folder, "*.log")], exclude: [], ignoreOlder: 60_000 } as unknown as FileGroup],
    reading: { tail: false },
    entryOf: () => 0,
    forgetAfter: 600_000,
    clock,
    log: silentLogger,
    descriptors,
    isOwn: () => false,
    changed: (source) => seen.push(source),
    abandoned: () => undefined,
    recorded: () => undefined,
  });
  const read = (source: Source): void => {
    if (source.stage === "held") enter(source, "reading");
    if (source.stage === "reading") enter(source, "at-end");
    source.read = source.size;
    source.acked = source.size;
  };
  /** Scans until something is seen to have changed; how often. */
  const scansUntilSeen = async (): Promise<number> => {
    seen.length = 0;
    for (let scan = 1; scan <= 2 * SCANS_A_MINUTE; scan++) {
      await clock.advance(10_000);
      await prospector.scan(false, { include: () => undefined, watches: () => watches });
      const [source] = seen;
      if (source === undefined) continue;
      read(source);
      return scan;
    }
    return Number.POSITIVE_INFINITY;
  };
  await prospector.scan(true, { include: () => undefined, watches: () => watches });
  // Its turn of this minute.
  await clock.advance(10_000);
  await prospector.scan(false, { include: () => undefined, watches: () => watches });
  const source = prospector.source(path);
  if (source === undefined) throw new Error("nothing is followed");
  read(source);
  const close = async () => {
    await prospector.close();
    descriptors.closeAll();
  };
  return { path, source, prospector, descriptors, scansUntilSeen, close };
}

describe("a quiet file of whose changes the kernel tells", () => {
  it("is looked at once a minute; at every scan once it was written without a word, until there is one", async () => {
    const { path, source, prospector, scansUntilSeen, close } = await quiet();
    appendFileSync(path, "silent\n");
    const scans = await scansUntilSeen();
    expect(scans).toBeGreaterThan(1);
    expect(scans).toBeLessThanOrEqual(SCANS_A_MINUTE);
    for (let round = 0; round < 3; round++) {
      appendFileSync(path, "silent again\n");
      expect(await scansUntilSeen()).toBe(1);
    }
    prospector.noticed(source);
    appendFileSync(path, "silent once more\n");
    expect(await scansUntilSeen()).toBeGreaterThan(1);
    await close();
  });

  it("rests when it was closed, too", async () => {
    const { path, source, descriptors, scansUntilSeen, close } = await quiet();
    descriptors.close(source);
    appendFileSync(path, "silent\n");
    const scans = await scansUntilSeen();
    expect(scans).toBeGreaterThan(1);
    expect(scans).toBeLessThanOrEqual(SCANS_A_MINUTE);
    await close();
  });

  it("is looked at by every scan while something of it is not acknowledged", async () => {
    const { path, source, scansUntilSeen, close } = await quiet();
    source.acked = 0;
    appendFileSync(path, "silent\n");
    expect(await scansUntilSeen()).toBe(1);
    await close();
  });

  it("is looked at by every scan when it has other names: what is written by those is not told of", async () => {
    const { path, prospector, source, scansUntilSeen, close } = await quiet();
    linkSync(path, join(folder, "other-name"));
    await scansUntilSeen();
    prospector.noticed(source);
    appendFileSync(path, "silent\n");
    expect(await scansUntilSeen()).toBe(1);
    await close();
  });
});

it("a quiet file is looked at by every scan when nobody tells of changes", async () => {
  const { path, scansUntilSeen, close } = await quiet(false);
  appendFileSync(path, "silent\n");
  expect(await scansUntilSeen()).toBe(1);
  await close();
});
