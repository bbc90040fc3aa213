import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import { Tree } from "./glob.ts";
import { Listing, type Watch } from "./listing.ts";
import { Patterns } from "./survey.ts";

let [folder, beside] = ["", ""];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "listing-"));
  beside = mkdtempSync(join(tmpdir(), "listing-"));
});
afterEach(() => {
  for (const one of [folder, beside]) rmSync(one, { recursive: true });
});

const at = (name: string): string => join(folder, name);
const watched: Watch = { include: () => undefined, watches: () => true };

/** What is changed from now on has another change time than the folder has: the kernel's clock has ticked. */
function tick(): void {
  for (const changed = statSync(folder, { bigint: true }).ctimeNs; ; ) {
    writeFileSync(join(beside, "tick"), "");
    if (statSync(join(beside, "tick"), { bigint: true }).ctimeNs > changed) return;
  }
}

function listing(...paths: string[]) {
  const clock = new TestClock(Date.now());
  const patterns = new Patterns([{ paths: paths.map(at), exclude: [] }]);
  const finding = vi.spyOn(patterns, "find");
  const one = new Listing(patterns, clock);
  const scan = async (watch = watched): Promise<string[]> => {
    await clock.advance(10_000);
    finding.mockClear();
    one.find(new Tree(), watch);
    one.completed(() => undefined);
    tick();
    return [...one.names.paths.keys()];
  };
  return { one, scan, finding };
}

describe("what the patterns lead to", () => {
  it("is not listed again while nothing was made, renamed or removed", async () => {
    const { scan, finding } = listing("*.log", "late/*.log");
    writeFileSync(at("a.log"), "");
    await scan();
    expect(finding).toHaveBeenCalledTimes(1);
    writeFileSync(at("a.log"), "written\n");
    expect(await scan()).toEqual([at("a.log")]);
    expect(finding).not.toHaveBeenCalled();
    writeFileSync(at("b.log"), "");
    expect(await scan()).toEqual([at("a.log"), at("b.log")]);
    renameSync(at("b.log"), at("c.log"));
    expect(await scan()).toEqual([at("a.log"), at("c.log")]);
    mkdirSync(at("late"));
    writeFileSync(at("late/d.log"), "");
    expect(await scan()).toEqual([at("a.log"), at("c.log"), at("late/d.log")]);
    await scan();
    expect(finding).not.toHaveBeenCalled();
  });

  it("is listed again where nobody tells of changes, and where the last scan did not come to its end", async () => {
    const { one, scan, finding } = listing("*.log");
    const unwatched: Watch = { include: () => undefined, watches: () => false };
    for (let round = 0; round < 3; round++) {
      await scan(unwatched);
      expect(finding).toHaveBeenCalledTimes(1);
    }
    await scan();
    writeFileSync(at("a.log"), "");
    one.find(new Tree(), watched);
    await scan();
    expect(finding).toHaveBeenCalledTimes(1);
  });

  it("is looked at in turn within a minute, and all of it when a name has changed", async () => {
    const names = Array.from({ length: 60 }, (_, index) => `${index}.log`);
    for (const name of names) writeFileSync(at(name), "");
    const { one, scan } = listing("*.log");
    const resting = () => names.filter((name, index) => one.rests(at(name), index));
    await scan();
    expect(resting(), "the first scan looks at everything").toEqual([]);
    const looked: string[] = [];
    for (let round = 0; round < 6; round++) {
      await scan();
      const rest = new Set(resting());
      expect(rest.size).toBe(50);
      looked.push(...names.filter((name) => !rest.has(name)));
    }
    expect(looked.sort()).toEqual([...names].sort());
    rmSync(at("7.log"));
    await scan();
    expect(resting()).toEqual([]);
  });
});
