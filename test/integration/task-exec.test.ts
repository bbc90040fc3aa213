import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { dockerdMissing, TestDockerd } from "../support/dockerd.ts";
import { freePort } from "../support/free-port.ts";
import { launchGroup, member } from "../support/groups.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

/** A client that was written from Mesos' documented requests only, in another language. */
const CLIENT = resolve(import.meta.dirname, "../support/task-exec.py");

const missing = dockerdMissing();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);
let dockerd: TestDockerd | undefined;
let master: LocalMaster;
let agent: AgentProcess;
let scheduler: TestScheduler;

beforeAll(async () => {
  if (missing === undefined) dockerd = await TestDockerd.start();
  master = new LocalMaster({ port: 0 });
  await master.start();
  const containerizers =
    dockerd === undefined ? [] : ["--containerizers=docker,mesos", `--docker_socket=${dockerd.socket}`];
  const flags = ["--no-switch_user", "--resources=cpus:10;mem:10000", ...containerizers];
  agent = new AgentProcess({ master: master.address, port: await freePort(), flags });
  agent.start(["--task_exec=enabled"]);
  scheduler = new TestScheduler({ master: master.address });
  await scheduler.subscribe();
});
afterAll(async () => {
  await scheduler.teardown();
  await agent.destroy();
  await master.stop();
  await dockerd?.stop();
});

/** What the client saw, or the signal that ended it. */
async function client(task: string, scenario: string): Promise<unknown> {
  const child = spawn("python3", [CLIENT, master.address, task, scenario], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk;
  });
  const signal = await new Promise((done) => child.once("close", (_code, name) => done(name)));
  return signal ?? JSON.parse(output);
}

/** Processes of this machine with these words in their command line. */
const running = (words: string): string[] =>
  readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(words);
    } catch {
      return false;
    }
  });

/** `seq 1 14000000 | head -c 100000000` */
function hundredMegabytes(): string {
  const hash = createHash("sha256");
  let left = 100_000_000;
  for (let first = 1; left > 0; first += 10_000) {
    const lines = Buffer.from(Array.from({ length: 10_000 }, (_, index) => `${first + index}\n`).join(""));
    hash.update(lines.subarray(0, left));
    left -= Math.min(left, lines.length);
  }
  return hash.digest("hex");
}

const container = { type: 1, docker: { image: "box:1", network: 3 } };
const launches = {
  "a command task": (id: string) => scheduler.launch([commandTask(id, "sleep 1000")]),
  "a task of a group": (id: string) => launchGroup(scheduler, [member(id, "sleep 1000")]),
  "a Docker task": (id: string) => scheduler.launch([commandTask(id, "sleep 1000", { container })]),
};

describe.each(Object.entries(launches))("`mesos task exec` in %s", (kind, launch) => {
  const id = kind.replaceAll(" ", "-");
  const lacks = kind === "a Docker task" ? missing : undefined;
  beforeEach((context) => {
    if (lacks !== undefined) context.skip(lacks);
  });
  beforeAll(async () => {
    if (lacks !== undefined) return;
    await launch(id);
    await scheduler.until("running task", () => scheduler.statesOf(id).includes(TaskState.TASK_RUNNING));
  });

  it("gives a shell at a terminal: its size, Ctrl-C and exit code", async () => {
    expect(await client(id, "terminal")).toEqual({ interrupted: 130, exit: 7 });
  });

  it("takes input to its end", async () => {
    expect(await client(id, "piped")).toEqual({ said: "hello there\nend\n", exit: 3 });
  });

  it("gives 100 MB complete and in order", async () => {
    expect(await client(id, "much")).toEqual({ bytes: 100_000_000, sha256: hundredMegabytes(), problem: null });
  });

  it("leaves no process of a client that vanished", async () => {
    expect(await client(id, "vanish")).toBe("SIGKILL");
    await expect.poll(() => running(`vanish-${id}`)).toEqual([]);
    expect(scheduler.terminalOf(id)).toBeUndefined();
  });
});
