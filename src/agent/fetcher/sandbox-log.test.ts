import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { needRoot } from "../../../test/support/missing.ts";
import { TestClock } from "../../../test/support/test-clock.ts";
import { SandboxLog } from "./sandbox-log.ts";

let base: string;
let sandbox: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "log-"));
  sandbox = join(base, "sandbox");
  mkdirSync(sandbox);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

describe("the log of a sandbox", () => {
  const open = () => new SandboxLog({ sandbox }, undefined, { clock: new TestClock(), pid: 4711 });

  it("begins empty, and is the file that it opened, whatever takes its name", () => {
    writeFileSync(join(sandbox, "stderr"), "of the last run");
    const log = open();
    renameSync(join(sandbox, "stderr"), join(sandbox, "moved"));
    symlinkSync(join(base, "victim"), join(sandbox, "stderr"));
    log.write("two\nlines", "WARNING");
    log[Symbol.dispose]();
    expect(readFileSync(join(sandbox, "moved"), "utf8")).toMatch(/^W\d{4} \S+ +4711 fetcher\.ts:0\] two\S*lines\n$/);
    expect(existsSync(join(base, "victim"))).toBe(false);
    expect(statSync(join(sandbox, "stdout")).size).toBe(0);
  });

  it("takes no word when it is closed: its number may be another file's by then", () => {
    const log = open();
    log[Symbol.dispose]();
    log[Symbol.dispose]();
    log.write("late");
    expect(readFileSync(join(sandbox, "stderr"), "utf8")).toBe("");
  });

  it("is not written through a link", () => {
    symlinkSync(join(base, "victim"), join(sandbox, "stdout"));
    expect(open).toThrow();
    expect(existsSync(join(base, "victim"))).toBe(false);
  });

  it("belongs to the sandbox's owner", (context) => {
    needRoot(context, "giving files away");
    writeFileSync(join(sandbox, "stdout"), "root's");
    const log = new SandboxLog({ sandbox }, { uid: 65534, gid: 65534 }, { clock: new TestClock(), pid: 1 });
    log[Symbol.dispose]();
    expect(["stdout", "stderr"].map((name) => statSync(join(sandbox, name)).uid)).toEqual([65534, 65534]);
  });
});
