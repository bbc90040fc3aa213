import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, type TestContext } from "vitest";
import { messageOf } from "../../src/base/errors.ts";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { freePort } from "../support/free-port.ts";
import { missing } from "../support/missing.ts";
import { AgentProcess } from "../support/real-agent.ts";

let folder: string;
let master: LocalMaster;
let agent: AgentProcess;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "mount-disk-"));
  mkdirSync(join(folder, "disk"));
  master = new LocalMaster({ port: 0 });
  await master.start();
  const source = { type: "MOUNT", mount: { root: join(folder, "disk") } };
  const disk = { name: "disk", type: "SCALAR", scalar: { value: 100 }, role: "*", disk: { source } };
  agent = new AgentProcess({
    master: master.address,
    port: await freePort(),
    flags: [`--resources=${JSON.stringify([disk])}`, "--containerizers=mesos", "--isolation=posix/cpu,posix/mem"],
  });
});
afterEach(async () => {
  await agent.destroy();
  await master.stop();
  rmSync(folder, { recursive: true });
});

it("a MOUNT disk whose root is not mounted keeps the agent from starting, and is named", async () => {
  agent.start();
  expect(await agent.exited()).toBe(1);
  expect(agent.log).toContain(join(folder, "disk"));
  expect(agent.log).toMatch(/mount/);
});

it("one that is mounted is offered", async (context: TestContext) => {
  try {
    execFileSync("mount", ["-t", "tmpfs", "none", join(folder, "disk")], { stdio: "ignore" });
  } catch (error) {
    missing(context, `mounting needs root: ${messageOf(error)}`);
  }
  try {
    agent.start();
    await expect.poll(() => agent.log).toMatch(/Registered with the master/);
  } finally {
    execFileSync("umount", ["-l", join(folder, "disk")]);
  }
});
