import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { FrameworkInfo_Capability_Type, TaskState, TaskStatus_Reason } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

const { TASK_FAILED, TASK_KILLED, TASK_RUNNING, TASK_UNREACHABLE } = TaskState;
const { AGENT_REREGISTERED } = TaskStatus_Reason;
const { PARTITION_AWARE } = FrameworkInfo_Capability_Type;

let master: LocalMaster;
let agent: AgentProcess;
let scheduler: TestScheduler;

beforeEach(async () => {
  // Its agents are unreachable after three seconds, not after 75.
  master = new LocalMaster({ port: 0, pingInterval: 750, maximumMissedPings: 4 });
  await master.start();
  agent = new AgentProcess({ master: master.address, port: await freePort() });
  agent.start();
  scheduler = new TestScheduler({
    master: master.address,
    checkpoint: true,
    failoverTimeout: 600,
    capabilities: [PARTITION_AWARE],
  });
  await scheduler.subscribe();
  await scheduler.launch([
    commandTask("stays", "exec sleep 1000"),
    commandTask("ends", "until [ -e go ]; do sleep 0.05; done; exit 7"),
  ]);
  await scheduler.until("both RUNNING", () => running("stays") === 1 && running("ends") === 1);
});

afterEach(async () => {
  scheduler.close();
  await agent.destroy();
  await master.stop();
});

const running = (id: string): number => scheduler.statesOf(id).filter((state) => state === TASK_RUNNING).length;
const lastOf = (id: string): TaskState | undefined => scheduler.statesOf(id).at(-1);
const agentIds = (): (string | undefined)[] => [...new Set(scheduler.updates.map(({ agentId }) => agentId?.value))];

async function untilUnreachable(): Promise<void> {
  await scheduler.until(
    "unreachable",
    () => lastOf("stays") === TASK_UNREACHABLE && lastOf("ends") === TASK_UNREACHABLE,
  );
}

/** Lets the task "ends" end; its shim is no part of the agent and writes its status down whatever the agent does. */
function letEnd(): void {
  const [id = ""] = agentIds();
  const framework = join(agent.workDir, "slaves", id, "frameworks", scheduler.frameworkId ?? "");
  writeFileSync(join(framework, "executors", "ends", "runs", "latest", "go"), "");
}

async function expectBack(): Promise<void> {
  await scheduler.until("stays RUNNING again", () => lastOf("stays") === TASK_RUNNING);
  expect(scheduler.updates.filter(({ reason }) => reason === AGENT_REREGISTERED).length).toBeGreaterThan(0);
  const end = await scheduler.until("the agent's word of the end", () =>
    scheduler.updates.find(({ state, uuid }) => state === TASK_FAILED && uuid.length > 0),
  );
  expect(end).toMatchObject({ taskId: { value: "ends" }, message: "Command exited with status 7" });
  expect(agentIds()).toHaveLength(1);
  await scheduler.kill("stays");
  await scheduler.until("killed", () => lastOf("stays") === TASK_KILLED);
}

describe("an agent that is away for longer than its master waits", () => {
  it("frozen, is back under its id with what runs, and tells what ended meanwhile", async () => {
    process.kill(agent.pid, "SIGSTOP");
    await untilUnreachable();
    letEnd();
    process.kill(agent.pid, "SIGCONT");
    await expectBack();
  });

  it("stopped, and started at another address, is the same agent with the same tasks", async () => {
    expect(await agent.end("SIGTERM")).toBe(0);
    await untilUnreachable();
    letEnd();
    agent.start([], { ip: "127.0.0.2" });
    await expectBack();
  });

  it("does not start at another port: it says what changed, and is back at the old one", async () => {
    expect(await agent.end("SIGTERM")).toBe(0);
    const other = await freePort();
    agent.start([], { port: other });
    expect(await agent.exited()).toBe(1);
    expect(agent.log).toContain("Incompatible agent info detected");
    expect(agent.log).toMatch(new RegExp(`port\\D+${agent.port}\\D+${other}`));
    await untilUnreachable();
    letEnd();
    agent.start();
    await expectBack();
  });
});

describe("an agent that unregisters", () => {
  const idAfterRestart = async (): Promise<string> => {
    expect(await agent.end("SIGUSR1")).toBe(0);
    const before = agent.log.length;
    agent.start();
    await expect.poll(() => agent.log.slice(before)).toMatch(/answered the (re-)?registration/);
    return /registration: agent id (\S+)/.exec(agent.log.slice(before))?.[1] ?? "";
  };

  it("keeps its id with a new master", async () => {
    expect(await idAfterRestart()).toBe(agentIds()[0]);
  });

  it("is a new one with masters before 1.5, which take nobody back", async () => {
    const [first] = agentIds();
    await scheduler.kill("stays");
    await scheduler.kill("ends");
    await scheduler.until("killed", () => lastOf("stays") === TASK_KILLED && lastOf("ends") === TASK_KILLED);
    const port = Number(master.address.split(":")[1]);
    await master.stop();
    master = new LocalMaster({ port, version: "1.4.0" });
    await master.start();
    const { log } = agent;
    await expect.poll(() => agent.log.slice(log.length)).toContain("The master is Mesos 1.4.0");
    await expect.poll(() => agent.log.slice(log.length)).toContain("answered the re-registration");
    const second = await idAfterRestart();
    expect(second).not.toBe(first);
    expect(agent.log).toContain("the next start registers as a new agent");
  });
});

it("a SIGUSR1 before the agent is up ends everything as soon as it is", async () => {
  await agent.end("SIGKILL");
  const before = agent.log.length;
  agent.start();
  const log = () => agent.log.slice(before);
  await expect.poll(log, { interval: 1 }).toContain("level logging started");
  expect(await agent.end("SIGUSR1")).toBe(0);
  expect(log()).not.toContain("Debugger listening");
  expect(log()).toMatch(/Executor 'stays' .* has ended[\s\S]*nothing runs here any more/);
}, 60_000);
