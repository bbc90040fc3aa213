import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeRecord, readRecords } from "../../src/agent/model/record-file.ts";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { decode, encode } from "../../src/mesos/codec.ts";
import { FrameworkIDSchema, TaskSchema, TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

const { TASK_RUNNING, TASK_KILLED, TASK_LOST, TASK_FAILED } = TaskState;

/** What becomes of a file while the agent is away, by the end of its name. */
const DAMAGE: readonly (readonly [string, string, (content: Buffer) => Buffer])[] = [
  ["one bit flipped", "executor_generated_for_command_task", () => Buffer.from("0")],
  ["emptied", "executor_generated_for_command_task", () => Buffer.alloc(0)],
  ["another framework's id in it", "task.info", (content) => withFramework(content, "nobody")],
  ["cut", "task.info", (content) => content.subarray(0, 20)],
  ["emptied", "task.info", () => Buffer.alloc(0)],
  ["noise", "task.info", (content) => Buffer.alloc(content.length, 0xa5)],
  ["cut", "processes", (content) => content.subarray(0, 7)],
  ["emptied", "processes", () => Buffer.alloc(0)],
  ["another task's numbers", "processes", (content) => Buffer.from(content.toString().replace(/^\d+ \d+/, "1 1"))],
  [
    "another boot",
    "processes",
    (content) =>
      Buffer.from(
        content
          .toString()
          .replace(/(\w)(-\w{4}-)/, "$1$2")
          .replace(/ \w(\w{7}-)/, " 0$1"),
      ),
  ],
];

function withFramework(content: Buffer, value: string): Buffer {
  const task = decode(TaskSchema, readRecords(content).records[0] as Buffer);
  task.frameworkId = create(FrameworkIDSchema, { value });
  return encodeRecord(encode(TaskSchema, task));
}

function find(folder: string, name: string): string | undefined {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isFile() && entry.name === name) return path;
    const below = entry.isDirectory() ? find(path, name) : undefined;
    if (below !== undefined) return below;
  }
  return undefined;
}

describe("a checkpoint that was damaged while the agent was away", () => {
  let master: LocalMaster;
  let agent: AgentProcess;
  let scheduler: TestScheduler;

  beforeEach(async () => {
    master = new LocalMaster({ port: 0 });
    await master.start();
    const flags = ["--resources=cpus:4;mem:4096;disk:4096;ports:[31000-32000]"];
    agent = new AgentProcess({ master: master.address, port: await freePort(), flags });
    agent.start();
    scheduler = new TestScheduler({ master: master.address, checkpoint: true, failoverTimeout: 600 });
    await scheduler.subscribe();
  });
  afterEach(async () => {
    scheduler.close();
    await agent.destroy();
    await master.stop();
  });

  /** Launches a task; resolves with its pid. */
  const launch = async (): Promise<number> => {
    await scheduler.launch([commandTask("one", "echo $$ > pid; exec sleep 1000")]);
    await scheduler.until("RUNNING", () => scheduler.statesOf("one").includes(TASK_RUNNING));
    await expect.poll(() => find(join(agent.workDir, "slaves"), "pid")).toBeDefined();
    return Number(readFileSync(find(join(agent.workDir, "slaves"), "pid") ?? "", "utf8"));
  };

  it.each(DAMAGE)("%s: %s: the agent starts, names it and keeps the task", async (_how, name, damage) => {
    const pid = await launch();
    const file = find(agent.folder, name) ?? "";
    await agent.end("SIGKILL");
    writeFileSync(file, damage(readFileSync(file)));
    agent.start();
    await expect.poll(() => agent.log).toMatch(/Recovered container \S+: running/);
    expect(agent.log).toContain(file);
    expect(() => process.kill(pid, 0)).not.toThrow();
    expect(scheduler.terminalOf("one")).toBeUndefined();
    await scheduler.kill("one");
    expect((await scheduler.until("the end", () => scheduler.terminalOf("one"))).state).toBe(TASK_KILLED);
    await expect.poll(() => isThere(pid)).toBe(false);
  });

  it.each(["framework.info", "executor.info", "task.info and task.launch"])(
    "%s: what cannot be kept is named, and ends the start; with --no-strict the task is truly ended, and reported",
    async (names) => {
      const pid = await launch();
      const files = names.split(" and ").map((name) => find(agent.folder, name) ?? "");
      await agent.end("SIGKILL");
      for (const file of files)
        writeFileSync(file, Buffer.from(`${readFileSync(file, "latin1").slice(0, 10)}`, "latin1"));
      agent.start();
      expect(await agent.exited()).toBe(1);
      expect(files.some((file) => agent.log.includes(`cannot read the checkpoint ${file}`))).toBe(true);
      expect(isThere(pid)).toBe(true);
      agent.start(["--no-strict"]);
      const { state } = await scheduler.until("the end", () => scheduler.terminalOf("one"));
      expect([TASK_LOST, TASK_FAILED]).toContain(state);
      await expect.poll(() => isThere(pid)).toBe(false);
      for (const file of files) expect(agent.log).toContain(`Leaving out the damaged checkpoint ${file}`);
    },
  );
});

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
