import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, type TestContext, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { processesOf } from "../../src/init/start/leftovers.ts";
import { freePort, isFree } from "../support/free-port.ts";
import { missing, needRoot } from "../support/missing.ts";
import { StartedNode } from "../support/started-node.ts";

const packageFolder = resolve(import.meta.dirname, "../..");
const nodes: StartedNode[] = [];
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "start-"));
});

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.interrupt();
  rmSync(folder, { recursive: true, force: true });
});

/** A node that lies in this test's own folder, on ports of its own unless `environment` says so. */
async function start(environment: NodeJS.ProcessEnv = {}): Promise<StartedNode> {
  const ports = { MESOS_PORT: String(await freePort()), MESOS_MASTER_PORT: String(await freePort()) };
  const node = await StartedNode.start(packageFolder, {
    ...process.env,
    START_FOLDER: join(folder, "node"),
    ...ports,
    ...environment,
  });
  nodes.push(node);
  return node;
}

function needSupervisord(context: TestContext): void {
  if (spawnSync("supervisord", ["--version"]).status === 0) return;
  missing(context, "supervisord is not installed");
}

/** Runs a task that lasts, until it runs. */
async function lasting(master: string, ...words: readonly string[]): Promise<() => void> {
  const child = spawn(
    "bin/mesos-execute",
    [`--master=${master}`, "--name=long", "--command=exec sleep 987", ...words],
    {
      cwd: packageFolder,
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  let said = "";
  for await (const chunk of child.stdout) {
    said += chunk;
    if (said.includes("TASK_RUNNING")) break;
  }
  return () => child.kill("SIGKILL");
}

const sleepers = (root: string): number[] =>
  processesOf(root, [process.pid]).filter((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("sleep\x00987"),
  );

test("plain: a node within 60 s, its block stays last, a task, and Ctrl-C leaves nothing", async (context) => {
  needSupervisord(context);
  if (!((await isFree(5050)) && (await isFree(5051)))) missing(context, "port 5050 or 5051 is taken");
  const started = systemClock.monotonic();
  const node = await StartedNode.start(packageFolder, process.env);
  nodes.push(node);
  expect(systemClock.monotonic() - started).toBeLessThan(60_000);
  expect(node.output).toContain("http://127.0.0.1:5051\n");
  expect(node.output).toContain("http://127.0.0.1:5050\n");

  const { stdout, status } = node.run(node.line);
  expect(stdout).toMatch(/hello\n[\s\S]*done\n[\s\S]*TASK_FINISHED/);
  expect(status).toBe(0);
  const end = await lasting("127.0.0.1:5050");
  expect(node.run("bin/mesos-slave tasks -q").stdout).toMatch(/^long-[0-9a-f]+\n$/);
  expect(node.output).toMatch(/\nCtrl-C stops everything\.\n\s*$/);
  expect(node.output.length).toBeLessThan(1500);

  const stopped = systemClock.monotonic();
  expect(await node.interrupt()).toBe(0);
  expect(systemClock.monotonic() - stopped).toBeLessThan(5000);
  expect(processesOf(join(packageFolder, ".node"), [process.pid])).toEqual([]);
  end();
});

test("a task sees the PATH of whoever started, and nothing of npm", async (context) => {
  needSupervisord(context);
  const npm = [`${packageFolder}/node_modules/.bin`, "/x/npm/node_modules/@npmcli/run-script/lib/node-gyp-bin"];
  const node = await start({
    PATH: [...npm, process.env["PATH"]].join(":"),
    npm_lifecycle_event: "start",
    npm_config_user_agent: "npm/8.6.0",
    INIT_CWD: packageFolder,
  });
  const { stdout } = node.run(node.line.replace(/--command=.*/, "--command=env"));
  expect(stdout).toMatch(/^PATH=.*\/usr\/bin/m);
  expect(stdout).not.toMatch(/node_modules|npm_|INIT_CWD/);
  // As on the path of a container: it finds the agent where that says that it listens.
  const listed = node.run(`'${join(folder, "node/usr/local/bin/mesos-slave")}' tasks --all`);
  expect([listed.status, listed.stdout]).toEqual([0, expect.stringMatching(/^TASK .*\n.*TASK_FINISHED/)]);
});

test("without Docker: one calm line, and a task with an image fails at once and names Docker", async (context) => {
  needSupervisord(context);
  const node = await start({ MESOS_DOCKER_SOCKET: join(folder, "no.sock"), DOCKER_HOST: "" });
  // One was named: that it is not there is said.
  const silent = `nobody listens at unix://${join(folder, "no.sock")}: start it`;
  expect(/^ {2}docker +(.*)$/m.exec(node.output)?.[1]).toContain(silent);
  const began = systemClock.monotonic();
  const { stdout, status } = node.run(node.line.replace(/--command=.*/, "--docker_image=busybox --command=true"));
  expect(systemClock.monotonic() - began).toBeLessThan(20_000);
  expect(stdout).toMatch(/TASK_FAILED .*Docker/);
  expect(status).toBe(1);
  const details = await fetch(`${/http:\S+/.exec(node.output)?.[0]}/health/details`);
  expect(await details.json()).toMatchObject({ healthy: true, troubles: {} });
});

test("the same folder again on other ports: a new agent, not a refusal", async (context) => {
  needSupervisord(context);
  const first = await start();
  expect(first.run(first.line).status).toBe(0);
  await first.interrupt();
  const second = await start();
  expect(second.run(second.line).status).toBe(0);
});

test("a second start from the same folder is refused and takes nothing from the first", async (context) => {
  needSupervisord(context);
  const first = await start();
  const end = await lasting(/--master=(\S+)/.exec(first.line)?.[1] ?? "");
  const root = join(folder, "node");
  const [task] = sleepers(root);
  expect(task).toBeDefined();
  await expect(start()).rejects.toThrow(`a node runs from ${root} already\n  Fix: stop it with Ctrl-C`);
  expect(sleepers(root)).toEqual([task]);
  end();
});

test("after a start that was killed the same command is a node again, and nothing of the last one is left", async (context) => {
  needSupervisord(context);
  const ports = { MESOS_PORT: String(await freePort()), MESOS_MASTER_PORT: String(await freePort()) };
  const first = await start(ports);
  const end = await lasting(/--master=(\S+)/.exec(first.line)?.[1] ?? "");
  await first.kill();
  expect(sleepers(join(folder, "node"))).toHaveLength(1);
  const second = await start(ports);
  expect(sleepers(join(folder, "node"))).toEqual([]);
  expect(second.run(second.line).status).toBe(0);
  end();
});

test("a screen that is closed leaves the node as it is, and Ctrl-C ends it", async (context) => {
  needSupervisord(context);
  const node = await start();
  node.closeScreen();
  expect(node.run(node.line).status).toBe(0);
  const end = await lasting(/--master=(\S+)/.exec(node.line)?.[1] ?? "");
  expect(await node.interrupt()).toBe(0);
  expect(processesOf(join(folder, "node"), [process.pid])).toEqual([]);
  end();
});

test("taken ports: the way out that is named works", async (context) => {
  needSupervisord(context);
  const first = await start();
  const [, agent = "", master = ""] = /:(\d+)\n[\s\S]*:(\d+)\n/.exec(first.output) ?? [];
  const second = { START_FOLDER: join(folder, "second"), MESOS_PORT: agent, MESOS_MASTER_PORT: master };
  const said = await start(second).then(
    () => "",
    (error) => String(error),
  );
  expect(said).toContain(`port ${agent} of 127.0.0.1 is taken\n`);
  const [, words = ""] = /or take another: (.*?) npm start/.exec(said) ?? [];
  const wayOut = Object.fromEntries(words.split(" ").map((each) => each.split("=")));
  expect(Object.keys(wayOut)).toEqual(["MESOS_PORT", "MESOS_MASTER_PORT"]);
  const other = await start({ ...second, ...wayOut });
  expect(other.run(other.line).status).toBe(0);
  const [, join_ = ""] = /or join the master there: (.*?) npm start/.exec(said) ?? [];
  await other.interrupt();
  const joining = await start({ ...second, ...Object.fromEntries(join_.split(" ").map((each) => each.split("="))) });
  expect(joining.output).not.toContain("not registered");
});

test("Ctrl-C in another master's cluster ends the tasks there and tells the master", async (context) => {
  needSupervisord(context);
  const first = await start();
  const master = /--master=(\S+)/.exec(first.line)?.[1] ?? "";
  const root = join(folder, "second");
  const second = await start({ START_FOLDER: root, MESOS_MASTER: master, MESOS_RESOURCES: "cpus:77;mem:100" });
  const end = await lasting(master, "--resources=cpus:50;mem:32");
  expect(sleepers(root)).toHaveLength(1);
  expect(await second.interrupt()).toBe(0);
  expect(second.output).toContain("Stopping: every task is ended, Docker's too, and the master is told.");
  expect(processesOf(root, [process.pid])).toEqual([]);
  const state = (await (await fetch(`http://${master}/state`)).json()) as { activated_slaves: number };
  expect(state.activated_slaves).toBe(1);
  end();
});

/** `npm start` that cannot work; what it says. */
function refused(environment: NodeJS.ProcessEnv, ...before: readonly string[]): string {
  const [program = "", ...words] = [...before, process.execPath, "tools/run.cjs", "tools/start.ts"];
  const { status, stdout, stderr } = spawnSync(program, words, {
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
    expect(refused({ ...process.env, MESOS_PORT: String(port), START_FOLDER: join(folder, "node") })).toMatch(
      new RegExp(`port ${port} of 127\\.0\\.0\\.1 is taken\\n  Fix: .*MESOS_PORT=505\\d .*npm start`),
    );
  } finally {
    server.close();
  }
});

test("what is no port is refused at once", () => {
  expect(refused({ ...process.env, MESOS_MASTER_PORT: "x" })).toBe(
    "MESOS_MASTER_PORT=x is no port\n  Fix: give a number from 1 to 65535\n",
  );
});

test("a folder that was root's, or that may not be written: who, and the fix", (context) => {
  needRoot(context, "being another user");
  const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  chmodSync(folder, 0o755);
  expect(refused({ ...process.env, START_FOLDER: join(folder, "node") }, ...user)).toBe(
    `${folder}/node cannot be made: you may not write in ${folder}\n  Fix: take another folder: START_FOLDER=~/mesos-node npm start\n`,
  );
  expect(refused({ ...process.env, START_FOLDER: folder }, ...user)).toMatch(
    /belongs to root: a node was started there by another user\n {2}Fix: sudo chown -R nobody '/,
  );
  chownSync(folder, 65534, 65534);
  expect(refused({ ...process.env, START_FOLDER: folder })).toMatch(/belongs to user 65534: [^\n]*\n {2}Fix: rm -rf '/);
  expect(existsSync(join(folder, "init.sh"))).toBe(false);
});

describe("without supervisord", () => {
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
    needRoot(context, "installing packages");
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
