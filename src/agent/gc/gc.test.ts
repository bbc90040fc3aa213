import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statfsSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import { silentLogger } from "../../base/log.ts";
import { diskUsageOf, GarbageCollector } from "./collector.ts";
import { describeForecast, describeUsage, horizon, maxAllowedAge, roughDuration } from "./plan.ts";
import { removalProblem } from "./removal.ts";
import { Schedule } from "./schedule.ts";

const WEEK = 604_800_000;
const DAY = 86_400_000;

describe("the rule", () => {
  it("is Mesos' own", () => {
    expect(maxAllowedAge(WEEK, 0.1, 0.5)).toBeCloseTo(0.4 * WEEK);
    expect(maxAllowedAge(WEEK, 0.1, 0.9)).toBe(0);
    expect(maxAllowedAge(WEEK, 0.1, 1)).toBe(0);
    expect(describeUsage(0.1234, 0.8 * WEEK)).toBe("Current disk usage 12.34%. Max allowed age: 5.6days");
    expect([0, 1, 90_000, WEEK].map(roughDuration)).toEqual(["0ns", "1ms", "1.5mins", "1weeks"]);
  });

  const scheduled = (times: readonly number[]): Schedule => {
    const schedule = new Schedule();
    for (const [index, removeAt] of times.entries()) schedule.set(`${index}:${removeAt / DAY}`, removeAt);
    return schedule;
  };

  it("takes the oldest first, and exactly those above the age", () => {
    const gone = (allowedAge: number) => {
      const schedule = scheduled([3 * DAY, DAY, 2 * DAY]);
      return schedule.take(horizon(0, WEEK, allowedAge), 10).map(({ path }) => path);
    };
    expect(gone(WEEK - DAY)).toEqual(["1:1"]);
    expect(gone(0)).toEqual(["1:1", "2:2", "0:3"]);
    expect(gone(WEEK)).toEqual([]);
    expect(describeForecast(scheduled([3 * DAY, DAY, 2 * DAY]), 0, horizon(0, WEEK, WEEK - DAY))).toBe(
      "Would delete 1 of 3 directories now; next '2:2' in 2days at the latest",
    );
  });

  it("never deletes less on a fuller disk", () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: WEEK })), share, share, (times, a, b) => {
        const count = (usage: number) =>
          scheduled(times).forecast(horizon(0, WEEK, maxAllowedAge(WEEK, 0.1, usage))).due;
        expect(count(Math.max(a, b))).toBeGreaterThanOrEqual(count(Math.min(a, b)));
      }),
    );
  });
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gc-"));
  mkdirSync(join(folder, "work/slaves/one/deep"), { recursive: true });
  writeFileSync(join(folder, "work/slaves/one/deep/file"), "x");
  mkdirSync(join(folder, "outside"));
  writeFileSync(join(folder, "outside/precious"), "x");
});
afterEach(() => rmSync(folder, { recursive: true }));

it("does not leave the work_dir", async () => {
  const root = join(folder, "work");
  symlinkSync(join(folder, "outside"), join(root, "door"));
  expect(await removalProblem(root, join(root, "slaves/one"))).toBeUndefined();
  expect(await removalProblem(root, join(root, "door"))).toBeUndefined();
  expect(await removalProblem(root, join(root, "door/precious"))).toContain("symbolic link");
  expect(await removalProblem(root, join(folder, "outside"))).toContain("not below");
  expect(await removalProblem(root, root)).toContain("not below");
  expect(await removalProblem(root, `${root}/slaves/../../outside`)).toContain("plain");
  expect(await removalProblem(root, "relative")).toContain("plain");
});

describe("the collector", () => {
  const start = (usage: () => number, more: object = {}) => {
    const clock = new TestClock(Date.now());
    const lines: string[] = [];
    const log = {
      ...silentLogger,
      info: (line: string) => lines.push(line),
      error: (line: string) => lines.push(line),
    };
    const workDir = join(folder, "work");
    const remove = async (paths: readonly string[]) => {
      for (const path of paths) rmSync(path, { recursive: true });
      return new Map<string, string>();
    };
    const options = {
      clock,
      log,
      workDir,
      delay: WEEK,
      headroom: 0.1,
      interval: 10 * WEEK,
      usage: async () => usage(),
      remove,
    };
    return { clock, lines, collector: new GarbageCollector({ ...options, ...more }), one: join(workDir, "slaves/one") };
  };

  it("deletes when the time has come, and tells", async () => {
    const gone: string[] = [];
    const { clock, lines, collector, one } = start(() => 0, { removed: (path: string) => gone.push(path) });
    collector.schedule(one, DAY);
    expect(lines).toEqual([`Scheduling '${one}' for gc 1days in the future`]);
    await collector.collect();
    expect(existsSync(one)).toBe(true);
    await clock.advance(DAY);
    await collector.collect();
    await collector.close();
    expect(existsSync(one)).toBe(false);
    expect(gone).toEqual([one]);
    const figures = { path_removals_succeeded: 1, path_removals_failed: 0, path_removals_pending: 0 };
    expect(collector.figures, "seconds: 90 % of the delay").toEqual({ ...figures, max_allowed_age_secs: 544_320 });
    expect(lines).toContain(`Deleted '${one}'`);
  });

  it("deletes sooner on a full disk, and never what was taken back", async () => {
    let used = 0.2;
    const { collector, one } = start(() => used);
    collector.schedule(one, WEEK);
    const kept = join(folder, "work/slaves");
    collector.schedule(kept, 0);
    expect(await collector.unschedule(kept)).toBe(true);
    expect(await collector.unschedule(kept)).toBe(false);
    await collector.collect();
    expect(existsSync(one)).toBe(true);
    used = 0.95;
    await collector.collect();
    expect(existsSync(one)).toBe(false);
    expect(existsSync(kept)).toBe(true);
    expect(collector.figures.max_allowed_age_secs).toBe(0);
    await collector.close();
  });

  it("waits for a deletion that is under way when a path is taken back", async () => {
    const begun = Promise.withResolvers<void>();
    const finished = Promise.withResolvers<ReadonlyMap<string, string>>();
    const remove = () => {
      begun.resolve();
      return finished.promise;
    };
    const { collector, one } = start(() => 1, { remove });
    collector.schedule(one, WEEK);
    const collecting = collector.collect();
    await begun.promise;
    let isBack = false;
    const back = collector.unschedule(one).then((had) => {
      isBack = true;
      return had;
    });
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(isBack).toBe(false);
    finished.resolve(new Map());
    expect(await back).toBe(true);
    await collecting;
    await collector.close();
  });

  it("takes back what is due as long as its turn has not come", async () => {
    const begun = Promise.withResolvers<void>();
    const finished = Promise.withResolvers<ReadonlyMap<string, string>>();
    const batches: (readonly string[])[] = [];
    const remove = (paths: readonly string[]) => {
      batches.push(paths);
      begun.resolve();
      return finished.promise;
    };
    const { collector } = start(() => 0, { remove });
    const all = Array.from({ length: 300 }, (_, index) => join(folder, "work/slaves", `${index}`));
    for (const path of all) collector.schedule(path, 0);
    const collecting = collector.collect();
    await begun.promise;
    // No waiting for the deletion that is under way.
    expect(await collector.unschedule(all[299] as string)).toBe(true);
    finished.resolve(new Map());
    await collecting;
    expect(batches.flat()).toEqual(all.slice(0, 299));
    await collector.close();
  });

  it("leaves to the next round what ends meanwhile, and stops after the deletion under way", async () => {
    const batches: (readonly string[])[] = [];
    const remove = async (paths: readonly string[]) => {
      batches.push(paths);
      collector.schedule(join(folder, "work/slaves/late"), 0);
      if (batches.length === 2) void collector.close();
      return new Map<string, string>();
    };
    const { collector, lines } = start(() => 1, { remove });
    for (let index = 0; index < 1000; index++) collector.schedule(join(folder, "work/slaves", `${index}`), index);
    await collector.collect();
    expect(batches.map(({ length }) => length)).toEqual([256, 256]);
    expect(collector.figures).toMatchObject({ path_removals_succeeded: 512, path_removals_pending: 489 });
    expect(lines.filter((line) => line.startsWith("Failed"))).toEqual([]);
  });

  it("goes on when the disk cannot be looked at, and when a deletion fails as a whole", async () => {
    let broken = true;
    const usage = async (): Promise<number> => {
      if (broken) throw new Error("no such disk");
      return 1;
    };
    const remove = () => Promise.reject(new Error("out of descriptors"));
    const { collector, lines, one } = start(() => 0, { usage, remove });
    collector.schedule(one, DAY);
    await collector.collect();
    expect(lines.at(-1)).toContain("no such disk");
    expect(collector.figures).toMatchObject({ path_removals_failed: 0, path_removals_pending: 1 });
    broken = false;
    await collector.collect();
    expect(lines.at(-1)).toContain(`Failed to delete '${one}': out of descriptors`);
    expect(collector.figures).toMatchObject({ path_removals_failed: 1, path_removals_succeeded: 0 });
    await collector.close();
  });

  it("keeps what could not be deleted out of what is gone", async () => {
    const gone: string[] = [];
    const remove = async ([first = ""]: readonly string[]) => new Map([[first, "it is busy"]]);
    const { collector, lines, one } = start(() => 1, { remove, removed: (path: string) => gone.push(path) });
    const two = join(folder, "work/slaves/two");
    collector.schedule(one, 0);
    collector.schedule(two, 1);
    await collector.collect();
    expect(gone).toEqual([two]);
    expect(lines).toContain(`Failed to delete '${one}': it is busy`);
    expect(collector.figures).toMatchObject({ path_removals_failed: 1, path_removals_succeeded: 1 });
    await collector.close();
  });

  it("deletes with a folder what lies in it, and looks for that itself only when the folder stays", async () => {
    const gone: string[] = [];
    const asked: (readonly string[])[] = [];
    let why: string | undefined;
    const remove = async (paths: readonly string[]) => {
      asked.push(paths);
      return new Map(paths.flatMap((path) => (path === one && why !== undefined ? [[path, why]] : [])));
    };
    const { collector, lines, one } = start(() => 1, { remove, removed: (path: string) => gone.push(path) });
    const run = join(one, "runs/1");
    const other = join(folder, "work/slaves/one-more");
    for (const path of [run, one, other]) collector.schedule(path, 0);
    await collector.collect();
    expect(asked).toEqual([[one, other]]);
    expect(gone).toEqual([one, other, run]);
    for (const path of gone) expect(lines).toEqual(expect.arrayContaining([`Deleting ${path}`, `Deleted '${path}'`]));
    expect(collector.figures).toMatchObject({ path_removals_succeeded: 3, path_removals_failed: 0 });

    why = "it is busy";
    [asked.length, gone.length] = [0, 0];
    for (const path of [run, one, other]) collector.schedule(path, 0);
    await collector.collect();
    expect(asked).toEqual([[one, other], [run]]);
    expect(gone).toEqual([other, run]);
    expect(lines).toContain(`Failed to delete '${one}': it is busy`);
    expect(collector.figures).toMatchObject({ path_removals_succeeded: 5, path_removals_failed: 1 });
    await collector.close();
  });

  it("looks by itself, one interval after the last look, until it is closed", async () => {
    let looks = 0;
    const usage = async (): Promise<number> => {
      looks++;
      return 0;
    };
    const { clock, collector } = start(() => 0, { usage, interval: 60_000 });
    await clock.advance(59_999);
    expect(looks).toBe(0);
    for (let round = 1; round <= 3; round++) {
      await clock.advance(round === 1 ? 1 : 60_000);
      await expect.poll(() => looks).toBe(round);
      await collector.collect();
      looks = round;
    }
    await collector.close();
    expect(clock.pending).toBe(0);
  });

  it("takes the disk of the work_dir for full as it is", async () => {
    const { bfree, blocks } = statfsSync(folder);
    expect(await diskUsageOf(folder)).toBeCloseTo(1 - bfree / blocks, 2);
    expect(await diskUsageOf("/proc"), "no blocks at all").toBe(0);
  });

  it("refuses, counts and says what it may not delete", async () => {
    const { collector, lines } = start(() => 1);
    collector.schedule(join(folder, "outside"), 0);
    await collector.collect();
    expect(existsSync(join(folder, "outside/precious"))).toBe(true);
    expect(collector.figures).toMatchObject({ path_removals_failed: 1, path_removals_pending: 0 });
    expect(lines.at(-1)).toContain("Failed to delete");
    await collector.close();
  });

  it("counts the delay from the last change of the folder, and only talks in a dry run", async () => {
    const { clock, collector, lines, one } = start(() => 0, { dryRun: true });
    const changed = (clock.now() - 6 * DAY) / 1000;
    utimesSync(one, changed, changed);
    writeFileSync(join(folder, "work/file"), "");
    await collector.scheduleByAge([join(folder, "work/file/below"), one, join(folder, "work/missing")]);
    expect(lines.filter((line) => line.includes("ENO"))).toEqual([
      expect.stringMatching(/^Scheduling '.*below' for gc: ENOTDIR/),
    ]);
    expect(collector.figures.path_removals_pending).toBe(1);
    expect(collector.forecast).toMatch(/^Would delete 0 of 1 directories now; next '.*one' in 1days at the latest$/);
    await clock.advance(DAY);
    await collector.collect();
    expect(lines).toContain(`Would delete '${one}' (dry run)`);
    expect(existsSync(one)).toBe(true);
    await collector.close();
  });
});
