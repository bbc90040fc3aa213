import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Container, canBePid1, makeRoot, whyNoSupervisord } from "../support/container.ts";

const missing = whyNoSupervisord();
let root = "";
let container: Container;

beforeAll(async () => {
  if (missing !== undefined) {
    if (process.env["CI"]) throw new Error(missing);
    return;
  }
  root = await makeRoot();
  const agent = '/bin/bash -c "echo agent is up; exec sleep 600"';
  container = new Container(
    root,
    { MESOS_MASTER: "h:1", SERVICE_MESOS_CMD: agent, ENVIRONMENT: "debug" },
    { pid1: canBePid1() },
  );
  await container.says(/mesos entered RUNNING/);
});

beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

afterAll(async () => {
  if (root === "") return;
  await container.kill();
  rmSync(root, { recursive: true, force: true });
});

function redpill(words: readonly string[], environment: Record<string, string> = {}): SpawnSyncReturns<string> {
  return spawnSync(join(root, "opt/scripts/redpill.sh"), words, {
    encoding: "utf8",
    timeout: 60_000,
    env: { PATH: process.env["PATH"], INIT_ROOT: root, ...environment },
  });
}

describe("/opt/scripts/redpill.sh by hand", () => {
  test("--help names every documented flag", () => {
    const { status, stdout } = redpill(["--help"]);
    expect(status).toBe(0);
    for (const flag of ["-c | --cleanup", "-h | --help", "-i | --interval", "-s | --service"])
      expect(stdout).toContain(flag);
    expect(stdout).toContain("Terminates the supervisor process if any specified service enters a FATAL state.");
  });

  test.for([
    ["no service", [], 65, /no service to watch/],
    ["an unknown flag", ["--nonsense"], 64, /--nonsense/],
    ["an interval that is none", ["-s", "mesos", "-i", "soon"], 64, /'soon' is not a whole number/],
    [
      "a service that supervisord does not know",
      ["-s", "mesos,nothing"],
      66,
      /does not know nothing[\s\S]*it knows mesos/,
    ],
  ] as const)("%s has its own message and exit code", ([, words, code, message]) => {
    const { status, stderr } = redpill(words);
    expect({ status, stderr }).toEqual({ status: code, stderr: expect.stringMatching(message) });
  });

  test("a socket that nobody listens on", () => {
    const { status, stderr } = redpill(["-s", "mesos"], { SUPERVISOR_SERVER_URL: "unix:///no/such.sock" });
    expect(status).toBe(69);
    expect(stderr).toMatch(/cannot be reached at \/no\/such.sock/);
  });

  test.for([
    ["-s", "mesos", "-i", "5"],
    ["--service=mesos:*", "--inerval", "5"],
    ["--service", "mesos:mesos", "--interval=5"],
    ["-s", "mesos", "-s", "mesos", "--inerval=5"],
  ])("%s %s %s: watches until it is told to stop, and then exits with 0", async (words) => {
    const watchdog = spawn(join(root, "opt/scripts/redpill.sh"), words, {
      stdio: ["ignore", "ignore", "pipe"],
      env: { PATH: process.env["PATH"], INIT_ROOT: root },
    });
    const ended = once(watchdog, "exit");
    let said = "";
    for await (const chunk of watchdog.stderr) {
      said += chunk;
      if (/watching mesos.* every 5 s/.test(said)) break;
    }
    expect(said).toMatch(/watching mesos.* every 5 s/);
    watchdog.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
  });

  test("by hand it ends supervisord too, with its verdict as exit code", async () => {
    const own = new Container(
      root,
      { MESOS_MASTER: "h:1", SERVICE_MESOS_CMD: "/no/such/agent", SERVICE_START_RETRIES: "0", ENVIRONMENT: "debug" },
      { pid1: false },
    );
    await container.kill();
    await own.says(/entered FATAL state/);
    const { status, stderr } = redpill(["-s", "mesos"]);
    expect(stderr).toContain("mesos entered the FATAL state");
    expect(status).toBe(70);
    expect((await own.ended).code).toBe(70);
  });
});
