import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { endLeftovers, processesOf } from "./leftovers.ts";

let root = "";
let sandbox = "";
const children: ChildProcess[] = [];

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "start of a node-")));
  sandbox = join(root, "var/lib/mesos/slaves/S0/runs/c");
  mkdirSync(sandbox, { recursive: true });
  mkdirSync(join(root, "var/log"), { recursive: true });
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(root, { recursive: true });
});

/** A process that has said that it runs. */
async function running(cwd: string, env: NodeJS.ProcessEnv = {}, program = ["sh", "-c"]): Promise<ChildProcess> {
  const [file = "", ...words] = program;
  const child = spawn(file, [...words, "echo $$; exec sleep 60"], {
    cwd,
    env: { PATH: "/usr/bin:/bin", ...env },
    stdio: ["pipe", "pipe", "ignore"],
  });
  children.push(child);
  await once(child.stdout, "data");
  return child;
}

const found = (): number[] => processesOf(root, [process.pid]);

test("a node's are those with its variables, and what works in its sandboxes", async () => {
  const ofNode = [
    await running("/", { INIT_ROOT: root }),
    await running("/", { MESOS_SANDBOX: sandbox }),
    await running("/", { MESOS_DIRECTORY: sandbox }),
    await running(sandbox),
  ];
  await running("/", { INIT_ROOT: `${root}-5052`, X: `MESOS_SANDBOX=${sandbox}` });
  expect(found().toSorted()).toEqual(ofNode.map(({ pid }) => pid).toSorted());
});

test("whoever looks around in its folders is left alone", async () => {
  await running(join(root, "var/log"));
  await running(root);
  expect(found()).toEqual([]);
});

test("so is a shell with a terminal, even in a sandbox; a session in a task is the node's", async () => {
  const onTerminal = ["script", "-qec"];
  // script itself has no terminal; the shell below it has one.
  const script = await running(sandbox, { SHELL: "/bin/sh" }, onTerminal);
  expect(found()).toEqual([script.pid]);
  await running("/", { SHELL: "/bin/sh", MESOS_SANDBOX: sandbox }, onTerminal);
  expect(found()).toHaveLength(3);
});

test("what an earlier start left is over when the next one looks for free ports", async () => {
  // With memory whose return takes a while: its first thread is gone by then.
  const words =
    "globalThis.full = Buffer.alloc(2e8, 1);" +
    "const s = require('net').createServer().listen(0, '127.0.0.1', () => console.log(s.address().port))";
  const child = spawn(process.execPath, ["-e", words], {
    env: { INIT_ROOT: root },
    stdio: ["ignore", "pipe", "ignore"],
  });
  children.push(child);
  const [port] = await once(child.stdout, "data");
  await endLeftovers(root, systemClock);
  const server = createServer().listen(Number(String(port)), "127.0.0.1");
  await once(server, "listening");
  server.close();
});
