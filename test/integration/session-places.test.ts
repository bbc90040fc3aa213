import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startSession } from "../../src/agent/containerizer/sessions/process.ts";
import { workingPlace } from "../../src/agent/model/held/sandbox.ts";

/** Where a session begins, in a container whose mounts are its own: what its own processes have made of them, too. */
let folder: string;
let sandbox: string;
let task: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "places-"));
  sandbox = join(folder, "sandbox");
  mkdirSync(sandbox);
});
afterEach(async () => {
  if (task?.exitCode === null && task.signalCode === null) {
    task.kill("SIGKILL");
    await once(task, "exit");
  }
  rmSync(folder, { recursive: true });
});

/** Runs a command in the mounts that another made, from the sandbox as the agent holds it. */
async function run(mounts: string, command: string): Promise<string> {
  const shell = `set -e; cd /; ${mounts}; echo ready; exec sleep 1000`;
  task = spawn("unshare", ["-m", "/bin/sh", "-c", shell], { stdio: ["ignore", "pipe", "inherit"] });
  await once(task.stdout as NodeJS.EventEmitter, "data");
  using place = workingPlace({ sandbox, within: sandbox });
  const session = await startSession(
    "places",
    {
      ...{ cwd: place.cwd, user: undefined, controlGroups: [], window: undefined, namespacesOf: task.pid },
      ...{ file: "/bin/sh", argv: ["sh", "-c", command], environment: { PATH: "/usr/bin:/bin" } },
    },
    { architecture: process.arch, path: process.env["PATH"] },
  );
  let text = "";
  for await (const piece of session.stdout) text += piece;
  return text;
}

it("is the sandbox as the task sees it: what is read-only there is not written to", async () => {
  const command = "touch file 2>/dev/null && echo written || echo refused; pwd";
  const mounts = `mount --bind '${sandbox}' '${sandbox}'; mount -o remount,bind,ro '${sandbox}'`;
  expect(await run(mounts, command)).toBe(`refused\n${sandbox}\n`);
});

it("is no other folder that the task has put in its place", async () => {
  const mounts = `mount -t tmpfs none '${folder}'; ln -s /etc '${sandbox}'`;
  await expect(run(mounts, "pwd")).rejects.toThrow("chdir");
});
