import { execFileSync } from "node:child_process";
import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestClock } from "../../../test/support/test-clock.ts";
import { silentLogger } from "../../base/log.ts";
import { Pace } from "../../base/pace.ts";
import { Rotation, rotationPlan } from "./rotation.ts";
import { createSandbox } from "./sandbox.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sandbox-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("createSandbox", () => {
  it("makes the tree, closed to others, and moves `latest`", () => {
    const runs = join(folder, "slaves/S/frameworks/F/executors/E/runs");
    createSandbox(join(runs, "one"), undefined);
    expect(readlinkSync(join(runs, "latest"))).toBe(join(runs, "one"));
    createSandbox(join(runs, "two"), undefined);
    expect(readlinkSync(join(runs, "latest"))).toBe(join(runs, "two"));
    expect(statSync(join(runs, "two")).mode & 0o7777).toBe(0o750);
    expect(statSync(runs).mode & 0o005).toBe(0o005);
  });

  it("refuses one that exists: a container id is used once", () => {
    createSandbox(join(folder, "runs/one"), undefined);
    expect(() => createSandbox(join(folder, "runs/one"), undefined)).toThrow("EEXIST");
  });
});

describe("rotation", () => {
  const rotation = (maximumBytes: number) =>
    new Rotation({
      clock: new TestClock(),
      log: silentLogger,
      maximumBytes,
      keep: 2,
      interval: 1000,
      sandboxes: () => [{ sandbox: folder }],
    });

  it("is planned oldest first", () => {
    expect(rotationPlan("stdout", 10, 10, 3)).toEqual([
      ["stdout.2", "stdout.3"],
      ["stdout.1", "stdout.2"],
      ["stdout", "stdout.1"],
    ]);
    expect(rotationPlan("stdout", 9, 10, 3)).toEqual([]);
    expect(rotationPlan("stdout", 9, 0, 3)).toEqual([]);
  });

  it("of thousands of sandboxes looks at so many in a turn", async () => {
    const pace = new Pace(10);
    const sandboxes = () => Array.from({ length: 200 }, () => ({ sandbox: folder }));
    const options = { clock: new TestClock(), log: silentLogger, maximumBytes: 5, keep: 2, interval: 1000 };
    await new Rotation({ ...options, sandboxes, pace }).look();
    expect(pace.turns).toBe(20);
  });

  it("copies, truncates and keeps the inode that the task writes to", async () => {
    const path = join(folder, "stdout");
    for (const text of ["first-first", "second-second", "third-third"]) {
      writeFileSync(path, text, { flag: "a" });
      const { ino } = statSync(path);
      await rotation(5).look();
      expect(statSync(path)).toMatchObject({ ino, size: 0 });
    }
    expect(readFileSync(`${path}.1`, "utf8")).toBe("third-third");
    expect(readFileSync(`${path}.2`, "utf8")).toBe("second-second");
    expect(lstatSync(`${path}.3`, { throwIfNoEntry: false })).toBeUndefined();
  });

  it("happens by itself, one interval after the other, until it is closed; without a limit never", async () => {
    const clock = new TestClock();
    const options = { clock, log: silentLogger, keep: 2, interval: 1_000, sandboxes: () => [{ sandbox: folder }] };
    const path = join(folder, "stdout");
    const size = (): number => statSync(path).size;
    writeFileSync(path, "first");
    const unlimited = new Rotation({ ...options, maximumBytes: 0 });
    expect(clock.pending).toBe(0);
    const limited = new Rotation({ ...options, maximumBytes: 5 });
    await clock.advance(999);
    expect(size()).toBe(5);
    await clock.advance(1);
    await expect.poll(size).toBe(0);
    writeFileSync(path, "second");
    await clock.advance(1_000);
    await expect.poll(size).toBe(0);
    expect(readFileSync(`${path}.1`, "utf8")).toBe("second");
    limited.close();
    unlimited.close();
    expect(clock.pending).toBe(0);
  });

  it("says of what it cannot rotate why, nothing of what is not there, and goes on with the rest", async () => {
    const lines: string[] = [];
    const log = { ...silentLogger, warn: (line: string) => void lines.push(line) };
    mkdirSync(join(folder, "one/stdout"), { recursive: true });
    mkdirSync(join(folder, "two"));
    writeFileSync(join(folder, "one/stdout/x"), "");
    writeFileSync(join(folder, "two/stderr"), "a lot");
    const sandboxes = () => ["none", "one", "two"].map((name) => ({ sandbox: join(folder, name) }));
    await new Rotation({ clock: new TestClock(), log, maximumBytes: 5, keep: 1, interval: 1_000, sandboxes }).look();
    expect(lines).toEqual([expect.stringMatching(/^Rotating '.*\/one\/stdout': .* is a folder, not a file$/)]);
    expect(readFileSync(join(folder, "two/stderr.1"), "utf8")).toBe("a lot");
  });

  it("is not held up by a FIFO, nor does it write to a file with a name elsewhere", async () => {
    execFileSync("mkfifo", [join(folder, "stdout")]);
    writeFileSync(join(folder, "other"), "as it was");
    linkSync(join(folder, "other"), join(folder, "stderr"));
    await rotation(5).look();
    expect(readFileSync(join(folder, "other"), "utf8")).toBe("as it was");
    expect(lstatSync(join(folder, "stdout")).isFIFO()).toBe(true);
  });

  it("does not follow a link that the task put there", async () => {
    const precious = join(folder, "elsewhere", "precious");
    mkdirSync(join(folder, "elsewhere"));
    writeFileSync(precious, "do not truncate me");
    symlinkSync(precious, join(folder, "stdout"));
    await rotation(5).look();
    expect(readFileSync(precious, "utf8")).toBe("do not truncate me");
  });
});
