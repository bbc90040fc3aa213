import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { processesOf } from "../../src/init/layout.ts";
import { freePort, isFree } from "../support/free-port.ts";

const packageFolder = resolve(import.meta.dirname, "../..");
const root = join(packageFolder, ".node");
let node: ChildProcess | undefined;

afterEach(async () => {
  if (node?.exitCode === null) {
    node.kill("SIGTERM");
    await once(node, "exit");
  }
});

test("npm start: a node within 60 s, a task from mesos-execute, and Ctrl-C leaves nothing", async (context) => {
  const missing = spawnSync("supervisord", ["--version"]).status === 0 ? undefined : "supervisord is not installed";
  const taken = (await isFree(5050)) && (await isFree(5051)) ? undefined : "port 5050 or 5051 is taken";
  if (missing ?? taken) {
    if (process.env["CI"]) throw new Error(missing ?? taken);
    context.skip(missing ?? taken);
  }
  const environment = { ...process.env, PATH: `${join(packageFolder, "node_modules/.bin")}:${process.env["PATH"]}` };
  const started = systemClock.monotonic();
  const child = spawn("node", ["tools/start.ts"], {
    cwd: packageFolder,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  node = child;
  let output = "";
  const up = new Promise<void>((done, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes("The node is up.")) done();
      });
    child.once("exit", () => reject(new Error(output)));
  });
  await up;
  expect(systemClock.monotonic() - started).toBeLessThan(60_000);
  expect(output).toContain("http://127.0.0.1:5051");
  expect(output).toContain("http://127.0.0.1:5050");

  // The line that it prints, word for word.
  const line = /^ *npx (mesos-execute .*)$/m.exec(output)?.[1] ?? "";
  const { stdout, status } = spawnSync("sh", ["-c", `bin/${line}`], {
    cwd: packageFolder,
    env: environment,
    encoding: "utf8",
    timeout: 60_000,
  });
  expect(stdout).toMatch(/hello\n[\s\S]*done\n[\s\S]*TASK_FINISHED/);
  expect(status).toBe(0);

  // A task that would run on: nobody would look after it.
  const runsOn = spawn("bin/mesos-execute", ["--master=127.0.0.1:5050", "--name=long", "--command=sleep 600"], {
    cwd: packageFolder,
    env: environment,
    stdio: ["ignore", "pipe", "ignore"],
  });
  let said = "";
  for await (const chunk of runsOn.stdout) {
    said += chunk;
    if (said.includes("TASK_RUNNING")) break;
  }
  const stopped = systemClock.monotonic();
  child.kill("SIGINT");
  const [code] = await once(child, "exit");
  expect(systemClock.monotonic() - stopped).toBeLessThan(5000);
  expect(code).toBe(0);
  expect(processesOf(root, [process.pid])).toEqual([]);
  runsOn.kill("SIGKILL");
});

/** `npm start` that cannot work; what it says. */
function refused(environment: NodeJS.ProcessEnv): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["tools/start.ts"], {
    cwd: packageFolder,
    encoding: "utf8",
    timeout: 60_000,
    env: environment,
  });
  expect(status, stdout + stderr).toBe(1);
  return stdout + stderr;
}

test("a port that is taken: named, with the ways round it", async () => {
  const port = await freePort();
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  try {
    expect(refused({ ...process.env, MESOS_PORT: String(port) })).toMatch(
      new RegExp(`port ${port} of 127\\.0\\.0\\.1 is taken\\n  Fix: .*MESOS_PORT=5052 npm start`),
    );
  } finally {
    server.close();
  }
});

describe("without supervisord", () => {
  let folder = "";

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "path-"));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** A PATH with Node, a shell and nothing else, and perhaps an apt-get. */
  function bare(aptGet?: string): NodeJS.ProcessEnv {
    symlinkSync("/bin/sh", join(folder, "sh"));
    if (aptGet !== undefined) {
      writeFileSync(join(folder, "apt-get"), aptGet);
      chmodSync(join(folder, "apt-get"), 0o755);
    }
    return { HOME: folder, PATH: `${dirname(process.execPath)}:${folder}` };
  }

  test("where it cannot be installed, the one command is said", () => {
    expect(refused(bare())).toBe(
      "supervisord is not installed\n  Fix: sudo apt-get install -y --no-install-recommends supervisor\n",
    );
  });

  test("root installs it; package lists that are not there yet are fetched", (context) => {
    if (process.getuid?.() !== 0) context.skip("needs root");
    const log = join(folder, "log");
    // As on a fresh machine, except that even after the update there is none.
    const said = refused(
      bare(`#!/bin/sh\necho "$*" >>${log}\n[ "$1" = update ] || { echo "E: no $1" >&2; exit 100; }\n`),
    );
    const install = "install -y --no-install-recommends supervisor";
    expect(readFileSync(log, "utf8")).toBe(`${install}\nupdate\n${install}\n`);
    expect(said).toBe(
      `Installing supervisord: apt-get ${install}\nE: no install\nsupervisord could not be installed\n  Fix: apt-get ${install}\n`,
    );
  });
});
