import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, type TestContext } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { EmbeddedAgent, FakeMachine } from "../support/embedded-agent.ts";
import { freePort } from "../support/free-port.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

let folder: string;
let disk: string;
let isMounted: boolean;
let master: LocalMaster;
let scheduler: TestScheduler;
let machine: FakeMachine;
let port: number;
const nodes: EmbeddedAgent[] = [];

/** A disk of one megabyte, or the reason why there is none. */
function mount(): string | undefined {
  if (process.getuid?.() !== 0) return "only root can mount a small disk";
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", disk], { stdio: "pipe" });
  } catch (error) {
    return `cannot mount a tmpfs here: ${String(error)}`;
  }
  isMounted = true;
  return undefined;
}

beforeEach(async (ctx: TestContext) => {
  folder = mkdtempSync(join(tmpdir(), "work-dir-"));
  disk = join(folder, "disk");
  mkdirSync(disk);
  isMounted = false;
  const missing = mount();
  if (missing !== undefined) {
    if (process.env["CI"]) throw new Error(missing);
    ctx.skip(missing);
  }
  master = new LocalMaster({ port: 0 });
  await master.start();
  scheduler = new TestScheduler({ master: master.address, checkpoint: true, failoverTimeout: 600 });
  machine = new FakeMachine();
  port = await freePort();
});

afterEach(async () => {
  scheduler?.close();
  for (const node of nodes.splice(0)) await node.kill();
  await master?.stop();
  if (isMounted) execFileSync("umount", ["-l", disk]);
  rmSync(folder, { recursive: true, force: true });
});

async function open(): Promise<EmbeddedAgent> {
  const node = await EmbeddedAgent.open({ master: master.address, port, machine, workDir: join(disk, "work") });
  nodes.push(node);
  return node;
}

const filler = (): string => join(disk, "filler");

/** Takes every byte that is left. */
function fill(): void {
  for (const block of [64 * 1024, 4096])
    for (let number = 0; number < 1024; number++)
      try {
        writeFileSync(`${filler()}-${block}-${number}`, Buffer.alloc(block));
      } catch {
        break;
      }
}

function free(): void {
  for (const name of readdirSync(disk)) if (name.startsWith("filler")) rmSync(join(disk, name));
}

const { TASK_RUNNING, TASK_FINISHED, TASK_LOST } = TaskState;

describe("a full disk", () => {
  it("hides no end of a task, refuses launches in words, and is forgotten when there is room again", async () => {
    const node = await open();
    await node.agent.start();
    await scheduler.subscribe();
    await scheduler.launch([commandTask("before", "true")]);
    await scheduler.until("RUNNING", () => scheduler.statesOf("before").includes(TASK_RUNNING));
    fill();
    machine.containerOf("before")?.end(0);
    expect((await scheduler.until("end", () => scheduler.terminalOf("before"))).state).toBe(TASK_FINISHED);
    await scheduler.launch([commandTask("meanwhile", "true")]);
    const refused = await scheduler.until("refusal", () => scheduler.terminalOf("meanwhile"));
    expect(refused.state).toBe(TASK_LOST);
    expect(refused.message).toContain("ENOSPC");
    expect(machine.started).toEqual(["before"]);
    free();
    await scheduler.launch([commandTask("after", "true")]);
    await scheduler.until("RUNNING", () => scheduler.statesOf("after").includes(TASK_RUNNING));
    // What was refused does not come back with a restart, what runs does.
    await node.kill();
    const next = await open();
    await next.agent.start();
    expect(next.identity.knownId).toBe(node.identity.knownId);
    await expect.poll(() => next.identity.phase).toBe("RUNNING");
    machine.containerOf("after")?.end(0);
    expect((await scheduler.until("end", () => scheduler.terminalOf("after"))).state).toBe(TASK_FINISHED);
    expect(scheduler.updates.filter(({ taskId }) => taskId?.value === "meanwhile")).toHaveLength(1);
  });

  it("at the first start is an error that names the file", async () => {
    fill();
    const node = await open();
    const start = node.agent.start();
    await expect(start).rejects.toThrow(/ENOSPC/);
    await expect(start).rejects.toThrow(join(disk, "work"));
  });
});

describe("a work_dir that cannot be written", () => {
  it("is an error that names it and the fix", async () => {
    execFileSync("mount", ["-o", "remount,ro", disk]);
    const node = await open();
    const start = node.agent.start();
    await expect(start).rejects.toThrow(/EROFS|read-only/);
    await expect(start).rejects.toMatchObject({ name: "UserError", fix: expect.stringContaining("--work_dir") });
  });
});
