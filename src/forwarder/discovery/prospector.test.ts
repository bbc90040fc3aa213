import { copyFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import { silentLogger } from "../../base/log.ts";
import type { FileGroup, ReadingSettings } from "../model/settings.ts";
import { Prospector } from "./prospector.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "prospector-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("a log that is rotated again before the first rotation was seen", () => {
  it("is not read in its copy and in its own file", async () => {
    const [log, copy] = [join(folder, "app.log"), join(folder, "app.log.1")];
    const group = { paths: [join(folder, "app.log*")], exclude: [], ignoreOlder: 60_000 } as unknown as FileGroup;
    const prospector = new Prospector({
      groups: [group],
      reading: { tail: false } as ReadingSettings,
      forgetAfter: 60_000,
      clock: new TestClock(Date.now()),
      log: silentLogger,
      changed: () => undefined,
      detached: () => undefined,
      recorded: () => undefined,
    });
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
    const { identity } = second;
    await prospector.replaced(second, identity);
    expect(prospector.source(copy), "it is where the second content goes on").toBe(second);
    expect(places().sort()).toEqual([log, copy]);
    const third = prospector.source(log);
    // Its reader noticed too, a moment later: that was about the log, not about the copy.
    await prospector.replaced(second, identity);
    expect([prospector.source(copy), prospector.source(log)]).toEqual([second, third]);
  });
});
