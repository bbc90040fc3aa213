import { spawn } from "node:child_process";
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sleep, systemClock } from "../../src/base/clock.ts";
import { Container, canBePid1, childrenOf, commandLine, makeRoot, whyNoSupervisord } from "../support/container.ts";

const missing = whyNoSupervisord();
const pid1 = canBePid1();
let root = "";
let running: Container | undefined;

const AGENT = '/bin/bash -c "echo agent is up; exec sleep 600"';
/** The agent's own word: the boot shows its command, too. */
const UP = /\[mesos\] agent is up/;

function start(environment: Record<string, string> = {}, options: { pid1?: boolean } = {}): Container {
  const all = { MESOS_MASTER: "127.0.0.1:5050", SERVICE_MESOS_CMD: AGENT, ...environment };
  running = new Container(root, all, { pid1, ...options });
  return running;
}

function write(path: string, text: string): string {
  writeFileSync(join(root, path), text);
  chmodSync(join(root, path), 0o755);
  return join(root, path);
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const since = systemClock.monotonic();
  while (!holds()) {
    if (systemClock.monotonic() - since > 30_000) throw new Error(`not within 30 s: ${what}\n${running?.output}`);
    await sleep(systemClock, 50);
  }
}

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

beforeAll(async () => {
  if (missing === undefined) root = await makeRoot();
  else if (process.env["CI"]) throw new Error(missing);
});

beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

afterEach(async () => {
  await running?.kill();
  running = undefined;
  if (root !== "") rmSync(join(root, "etc/supervisor/conf.d/own.conf"), { force: true });
});

afterAll(() => {
  if (root !== "") rmSync(root, { recursive: true, force: true });
});

describe("a console that nobody reads", () => {
  /** A flood of lines, then few, again and again, because supervisord may begin a new log right after any of them: those must come through. */
  const FLOOD = [
    "while [ ! -e $INIT_ROOT/enough ]; do echo noise noise noise noise noise noise noise; done",
    "while sleep 0.2; do echo calm; done",
  ].join("\n");

  test("holds up neither the services nor supervisord nor a stop", async () => {
    const container = start({ SERVICE_MESOS_CMD: write("flood.sh", `#!/bin/bash\n${FLOOD}\n`) });
    await container.says(/watching mesos/);
    container.pauseReading();
    await sleep(systemClock, 4000);
    const answered = container.control("pid", "mesos");
    expect(Number(answered.stdout)).toBeGreaterThan(0);
    const before = systemClock.monotonic();
    container.stop();
    const { code } = await container.exited;
    expect({ code, quick: systemClock.monotonic() - before < 10_000 }).toEqual({ code: 0, quick: true });
    container.resumeReading();
  });

  test("says how much was dropped once it is read again, and the newest lines are there", async () => {
    rmSync(join(root, "enough"), { force: true });
    const container = start({ SERVICE_MESOS_CMD: write("flood.sh", `#!/bin/bash\n${FLOOD}\n`) });
    await container.says(/watching mesos/);
    container.pauseReading();
    await sleep(systemClock, 4000);
    writeFileSync(join(root, "enough"), "");
    await until(() => container.control("tail", "mesos").stdout.includes("calm"), "the flood ends");
    container.resumeReading();
    await container.says(
      /\[supervisord\] [1-9]\d* lines \(\d+ bytes\) were dropped here, because nobody read the console\n/,
    );
    await container.says(/\[mesos\] calm\n/);
    rmSync(join(root, "enough"), { force: true });
  });
});

describe("supervisorctl reload", () => {
  test("the services come back with their names and arguments; no signal byte reaches a program; the stop stays quick", async () => {
    const reader = "while :; do if read -rn1 -t 0.2 x; then echo a byte came; fi; echo tick; done";
    const container = start({
      // Its semicolon stands in supervisord's file as a variable, which the second life needs again.
      SERVICE_MESOS_CMD: `${write("reader.sh", `#!/bin/bash\necho "given <$1>"\n${reader}\n`)} " ; "`,
      SERVICE_REDPILL_CLEANUP: write("cleanup.sh", "echo cleaned up\n"),
    });
    await container.says(/watching mesos/);
    await container.says(/tick/);
    container.control("reload");
    await until(() => count(container.output, /given < ; >/g) === 2, "the agent's second life");
    await until(() => count(container.output, /watching mesos/g) === 2, "the watchdog's second life");
    // The container goes on: nothing is cleaned up.
    expect(container.output).not.toContain("cleaned up");
    const watchdog = (): number =>
      childrenOf(container.supervisord).find((pid) => commandLine(pid).includes("redpill.js")) ?? 0;
    for (const life of [3, 4, 5]) {
      process.kill(watchdog(), "SIGKILL");
      await until(() => count(container.output, /watching mesos/g) === life, `the watchdog's life ${life}`);
    }
    const seen = container.output.length;
    await until(() => container.output.slice(seen).includes("[mesos] tick"), "a line with its name");
    const before = systemClock.monotonic();
    container.stop();
    expect((await container.ended).code).toBe(0);
    expect(systemClock.monotonic() - before).toBeLessThan(3000);
    expect(container.output).not.toMatch(/a byte came|Traceback|Bad file|wakeup fd/);
    expect(count(container.output, /cleaned up/g)).toBe(1);
  });
});

describe("a service of one's own", () => {
  const program = (lines: string): string =>
    `[program:own]\ncommand=/bin/bash -c "echo said; echo wrong >&2; exec sleep 600"\n${lines}\n`;

  test.for([
    [
      "/dev/fd",
      "stdout_logfile=/dev/fd/1\nstdout_logfile_maxbytes=0\nstderr_logfile=/dev/fd/2\nstderr_logfile_maxbytes=0",
      1,
    ],
    ["/dev/stdout, and a size", "stdout_logfile=/dev/stdout\nstderr_logfile=/dev/stderr", 1],
    ["/proc/self", "stdout_logfile=/proc/self/fd/1\nredirect_stderr=true", 1],
    ["stderr on stdout", "stdout_logfile=/dev/fd/1\nstderr_logfile=/dev/fd/1", 1],
    ["nothing said", "", 1],
    ["AUTO", "stdout_logfile=AUTO\nstderr_logfile=AUTO", 1],
    ["files", "stdout_logfile=%(here)s/../../../own.out\nstderr_logfile=%(here)s/../../../own.err", 0],
    ["NONE", "stdout_logfile=NONE\nstderr_logfile=NONE", 0],
  ] as const)("whose output is %s", async ([, lines, times]) => {
    write("etc/supervisor/conf.d/own.conf", program(lines));
    const container = start({ ENVIRONMENT: "debug" });
    await container.says(UP);
    await until(() => /^own +RUNNING/m.test(container.control("status").stdout), "own runs");
    // It runs from the moment it is begun, and speaks when it comes to it.
    if (times > 0) await container.says(/\[own\] said[\s\S]*\[own\] wrong|\[own\] wrong[\s\S]*\[own\] said/);
    if (lines.includes("own.out"))
      await until(() => readFileSync(join(root, "own.out"), "utf8") === "said\n", "it has spoken");
    container.stop();
    expect((await container.ended).code).toBe(0);
    for (const word of ["said", "wrong"]) {
      expect(count(container.output, new RegExp(`^\\[own\\] ${word}$`, "gm")), container.output).toBe(times);
      expect(count(container.output, new RegExp(`\\b${word}\\b`, "g"))).toBe(times);
    }
  });
});

describe("below another init, where this one is not PID 1", () => {
  test.for(["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGPIPE", "SIGWINCH", "SIGPOLL"] as const)(
    "%s is for nobody here",
    async (signal) => {
      const container = start({ ENVIRONMENT: "debug" }, { pid1: false });
      await container.says(UP);
      container.stop(signal);
      await sleep(systemClock, 500);
      expect(existsSync(`/proc/${container.pid}`), container.output).toBe(true);
      await until(() => container.control("status").stdout.includes("RUNNING"), "the agent runs on");
      container.stop();
      expect((await container.ended).code).toBe(0);
    },
  );

  test("any number of them while it boots are for nobody", async () => {
    for (let life = 0; life < 8; life++) {
      const container = start({ ENVIRONMENT: "debug" }, { pid1: false });
      await container.says(/Start-Command/);
      const flood = spawn("bash", ["-c", `while kill -HUP ${container.pid}; do :; done`]);
      try {
        await container.says(UP);
      } finally {
        flood.kill("SIGKILL");
      }
      await container.kill();
    }
  });

  test.for(["QUIT", "PWR", "RTMIN+3", "INT", "TERM"])("%s stops it", async (signal) => {
    const container = start({ ENVIRONMENT: "debug" }, { pid1: false });
    await container.says(UP);
    spawn("bash", ["-c", `kill -${signal} ${container.pid}`]);
    expect((await container.ended).code).toBe(0);
  });
});
