import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestClock } from "../../test/support/test-clock.ts";
import { descriptorConsole, type GlogOptions, openGlog } from "./glog.ts";
import { formatLine, logFileName, superfluousFiles } from "./glog-line.ts";
import { glogSettings } from "./glog-settings.ts";

let folder: string;
let clock: TestClock;
let console: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "glog-"));
  clock = new TestClock(new Date(2015, 8, 12, 14, 3, 27, 123).getTime());
  console = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (more: Partial<GlogOptions> = {}) =>
  openGlog({
    folder,
    program: "mesos-slave",
    host: "node-1",
    user: "root",
    pid: 1234,
    clock,
    maximumBytes: 1000,
    keep: 5,
    bufferMilliseconds: 0,
    level: "INFO",
    quiet: false,
    verbosity: 0,
    console: { write: (text) => console.push(text), flush: () => undefined },
    ...more,
  });

const text = (severity: string): string => readFileSync(join(folder, `mesos-slave.${severity}`), "utf8");
const filesOf = (severity: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.includes(`.log.${severity}.`))
    .sort();

describe("glog lines", () => {
  it("are glog's", () => {
    const line = {
      severity: "WARNING",
      time: clock.now(),
      threadId: 1234,
      source: "slave.ts",
      line: 190,
      message: "hi",
    } as const;
    expect(formatLine(line)).toBe("W0912 14:03:27.123000  1234 slave.ts:190] hi\n");
    // Whichever second was written before.
    for (const [later, shown] of [
      [876, "14:03:27.999000"],
      [877, "14:03:28.000000"],
      [0.5, "14:03:27.123500"],
      [3_600_000, "15:03:27.123000"],
      [-123, "14:03:27.000000"],
    ] as const)
      expect(formatLine({ ...line, time: line.time + later })).toContain(`W0912 ${shown} `);
  });
  it("show control characters and cut endless texts", () => {
    const line = { severity: "INFO", time: 0, threadId: 1, source: "a", line: 1 } as const;
    expect(formatLine({ ...line, message: "a\u001b[2Jb\r\n\tc" })).toContain("a\\x1b[2Jb\\x0d\n\tc\n");
    const odd = Array.from({ length: 0x20 }, (_, code) => code).concat([0x7f, 0x85, 0x9f, 0x2028, 0x2029]);
    for (const code of odd.filter((one) => one !== 9))
      expect(formatLine({ ...line, message: `a${String.fromCharCode(code)}b` }), `${code}`).not.toContain(
        `a${String.fromCharCode(code)}b`,
      );
    // Only a real line has its severity in the first column.
    expect(formatLine({ ...line, message: "user 'x\nE0101 forged\u2028E0101 forged'" }).split("\n")).toEqual([
      expect.stringContaining("user 'x"),
      "    E0101 forged\\x2028E0101 forged'",
      "",
    ]);
    expect(formatLine({ ...line, message: "x".repeat(100_000) }).length).toBeLessThan(66_000);
  });
});

describe("glog files", () => {
  it("receive everything of their severity and above, with header and link", () => {
    const { logger } = open();
    logger.info("one");
    logger.named("gc.ts").error("two");
    expect(text("INFO")).toMatch(
      /^Log file created at: 2015\/09\/12 14:03:27\nRunning on machine: node-1\nLog line format: .*\nI0912 14:03:27.123000 {2}1234 mesos-slave:\d+\] one\nE0912 14:03:27.123000 {2}1234 gc.ts:\d+\] two\n$/,
    );
    expect(text("WARNING")).toContain("gc.ts");
    expect(text("ERROR")).toContain("] two\n");
    expect(text("WARNING")).not.toContain("one");
    expect(filesOf("FATAL")).toEqual([]);
    expect(readlinkSync(join(folder, "mesos-slave.INFO"))).toBe(
      "mesos-slave.node-1.root.log.INFO.20150912-140327.1234",
    );
    expect(console).toHaveLength(2);
  });

  it("name the line of the caller", () => {
    const { logger } = open();
    const limit = Error.stackTraceLimit;
    const before = Error.prepareStackTrace;
    Error.prepareStackTrace = (_error, calls) => calls[0]?.getLineNumber();
    const trace: { stack?: unknown } = {};
    Error.captureStackTrace(trace);
    const here = Number(trace.stack);
    Error.prepareStackTrace = before;
    logger.info("three lines below");
    expect(text("INFO")).toContain(`mesos-slave:${here + 3}] three lines below`);
    expect([Error.prepareStackTrace, Error.stackTraceLimit]).toEqual([before, limit]);
  });

  it("rotate by size, keep the newest, and never two in one second", async () => {
    const { logger } = open({ keep: 3 });
    for (let second = 0; second < 6; second++) {
      for (let line = 0; line < 12; line++) logger.info(`${second} ${"x".repeat(100)}`);
      await clock.advance(1000);
    }
    expect(filesOf("INFO")).toHaveLength(3);
    expect(readlinkSync(join(folder, "mesos-slave.INFO"))).toBe(filesOf("INFO").at(-1));
    const all = filesOf("INFO")
      .map((name) => readFileSync(join(folder, name), "utf8"))
      .join("");
    expect(all.match(/\] 5 x/g)).toHaveLength(12);
  });

  it("write below WARNING later when told to, and all of it at flush", async () => {
    const log = open({ bufferMilliseconds: 5000 });
    log.logger.info("first");
    log.logger.info("second");
    expect(text("INFO")).not.toContain("second");
    await clock.advance(5000);
    expect(text("INFO")).toContain("second");
    log.logger.info("third");
    log.logger.warn("urgent");
    expect(text("INFO")).toMatch(/third\n.*urgent\n$/);
    log.logger.info("last");
    log.close();
    expect(text("INFO")).toMatch(/last\n$/);
    expect(clock.pending).toBe(0);
  });

  it("come back when somebody removed them", async () => {
    const { logger } = open();
    logger.info("before");
    for (const name of filesOf("INFO")) unlinkSync(join(folder, name));
    await clock.advance(20_000);
    logger.info("after");
    expect(text("INFO")).toContain("after");
  });

  it("never stop the program: an impossible folder is told once and tried again", async () => {
    const blocked = join(folder, "file");
    writeFileSync(blocked, "");
    const { logger } = open({ folder: join(blocked, "logs"), quiet: true });
    logger.info("one");
    logger.error("two");
    expect(console.join("")).toMatch(/log files in .*file\/logs cannot be written: ENOTDIR/);
    expect(console).toHaveLength(1);
    rmSync(blocked);
    await clock.advance(31_000);
    logger.info("three");
    const back = readFileSync(join(blocked, "logs", "mesos-slave.INFO"), "utf8");
    expect(back).toContain("2 lines before this one could not be written");
    expect(back).toContain("three");
    chmodSync(folder, 0o755);
  });
});

describe("what is written", () => {
  it("follows level, quiet and verbosity", () => {
    const log = open({ level: "WARNING", quiet: true });
    log.logger.info("no");
    log.logger.warn("yes");
    log.fatal("the end");
    expect(filesOf("INFO")).toHaveLength(1);
    expect(text("INFO")).not.toContain("no\n");
    expect(text("FATAL")).toContain("the end");
    expect(console).toHaveLength(1);
    const loud = open({ folder: undefined });
    loud.logger.verbose(1, "hidden");
    loud.verbosity = 1;
    loud.logger.verbose(1, "shown");
    expect(console.join("")).toContain("shown");
    expect(console.join("")).not.toContain("hidden");
  });
});

describe("clean-up", () => {
  it("takes the oldest of this program and severity, whichever host wrote them", () => {
    const name = (host: string, second: number, severity: "INFO" | "ERROR", program = "mesos-slave") =>
      logFileName({ program, host, user: "root", severity, time: clock.now() + second * 1000, pid: 9 });
    const names = [name("b", 3, "INFO"), name("a", 1, "INFO"), name("c", 2, "INFO"), name("a", 0, "ERROR")];
    names.push(name("a", 0, "INFO", "mesos-slave2"), "mesos-slave.INFO", "other.log");
    expect(superfluousFiles(names, "mesos-slave", "INFO", 2)).toEqual([name("a", 1, "INFO")]);
    expect(logFileName({ program: "x", host: "../h", user: "", severity: "INFO", time: 0, pid: 1 })).toMatch(
      /^x\.\.\._h\.unknown\.log\.INFO\./,
    );
  });
});

describe("the console", () => {
  it("keeps what a full pipe does not take, and says what was lost", () => {
    const fifo = join(folder, "fifo");
    execFileSync("mkfifo", [fifo]);
    const descriptor = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    const readAll = (): string => {
      const parts: Buffer[] = [];
      for (const part = Buffer.alloc(65_536); ; ) {
        try {
          parts.push(Buffer.from(part.subarray(0, readSync(descriptor, part))));
        } catch {
          return Buffer.concat(parts).toString();
        }
      }
    };
    const target = descriptorConsole(descriptor);
    for (let line = 0; line < 20_000; line++) target.write(`${String(line).padStart(99, "0")}\n`);
    let got = "";
    for (let round = 0; round < 30; round++) {
      got += readAll();
      target.flush();
    }
    target.write("after\n");
    got += readAll();
    closeSync(descriptor);
    const lines = got.split("\n");
    const lost = Number(/\((\d+) lines lost: nobody read the console\)/.exec(got)?.[1]);
    expect(lost).toBeGreaterThan(5000);
    expect(lines.filter((line) => /^\d{99}$/.test(line))).toHaveLength(20_000 - lost);
    expect(lines.at(-2)).toBe("after");
  });
});

describe("glog's variables", () => {
  it("are read, and nonsense is a warning", () => {
    expect(glogSettings({})).toEqual({ verbosity: 0, maximumBytes: 10 * 1024 * 1024, warnings: [] });
    expect(glogSettings({ GLOG_v: "2", GLOG_max_log_size: " 3 " })).toMatchObject({
      verbosity: 2,
      maximumBytes: 3 * 1024 * 1024,
    });
    const odd = glogSettings({ GLOG_v: "x", GLOG_max_log_size: "0" });
    expect(odd).toMatchObject({ verbosity: 0, maximumBytes: 10 * 1024 * 1024 });
    expect(odd.warnings).toEqual([
      "GLOG_v is 'x', not a number from 0 to 100: taken as 0",
      "GLOG_max_log_size is '0', not a number from 1 to 100000: taken as 10",
    ]);
  });
});
