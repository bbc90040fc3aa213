import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { StatusUpdateRecord_Type, StatusUpdateRecordSchema } from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import {
  AgentInfoSchema,
  ExecutorInfoSchema,
  FrameworkInfoSchema,
  TaskSchema,
  TaskState,
  TaskStatus_Reason,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { parseResources } from "../../src/mesos/resources-text.ts";
import { EmbeddedAgent, FakeMachine } from "../support/embedded-agent.ts";
import { freePort } from "../support/free-port.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";
import { ScriptedDriver } from "../support/scripted-driver.ts";
import { updateOf, uuidOf } from "../support/updates.ts";

const { TASK_RUNNING, TASK_FINISHED, TASK_STAGING } = TaskState;

let folder: string;
let master: LocalMaster;
let scheduler: TestScheduler;
let machine: FakeMachine;
let port: number;
let node: EmbeddedAgent;
const drivers: ScriptedDriver[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "drivers-"));
  master = new LocalMaster({ port: 0 });
  await master.start();
  machine = new FakeMachine();
  port = await freePort();
  scheduler = new TestScheduler({ master: master.address, checkpoint: true, failoverTimeout: 600 });
});

afterEach(async () => {
  scheduler.close();
  for (const driver of drivers.splice(0)) await driver.close();
  await node.kill();
  await master.stop();
  rmSync(folder, { recursive: true, force: true });
});

const workDir = (): string => join(folder, "work");

async function start(flags: readonly string[] = []): Promise<void> {
  node = await EmbeddedAgent.open({ master: master.address, port, machine, workDir: workDir(), flags });
  await node.agent.start();
}

async function restart(flags: readonly string[] = []): Promise<void> {
  await node.kill();
  await start(flags);
}

function driverTask(taskId: string): ReturnType<typeof commandTask> {
  const executor = {
    executorId: { value: "executor" },
    frameworkId: { value: scheduler.frameworkId ?? "" },
    command: { value: "driver" },
  };
  const { command: _none, ...task } = commandTask(taskId, "") as { command?: unknown };
  return { ...task, executor } as never;
}

async function openDriver(executorId = "executor"): Promise<ScriptedDriver> {
  const identity = { agent: `slave(1)@127.0.0.1:${port}`, frameworkId: scheduler.frameworkId ?? "", executorId };
  const driver = await ScriptedDriver.start(identity);
  drivers.push(driver);
  return driver;
}

const heard = (driver: ScriptedDriver, what: string) => expect.poll(() => driver.received).toContain(what);

/** A driver with a running task that everybody has acknowledged. */
async function runningDriver(): Promise<ScriptedDriver> {
  await start();
  await scheduler.subscribe();
  await scheduler.launch([driverTask("one")]);
  await expect.poll(() => machine.started).toEqual(["executor"]);
  const driver = await openDriver();
  driver.register();
  await heard(driver, "run one");
  driver.update("one", TASK_RUNNING, node.identity.knownId ?? "");
  await heard(driver, "acknowledged one");
  await scheduler.until("RUNNING", () => scheduler.statesOf("one").includes(TASK_RUNNING));
  return driver;
}

describe("an executor driver", () => {
  it("comes back after the agent's restart, with what it did meanwhile, and gets more tasks", async () => {
    const driver = await runningDriver();
    const id = node.identity.knownId ?? "";
    await node.kill();
    driver.update("one", TASK_FINISHED, id);
    await start();
    await heard(driver, "reregistered");
    expect(node.identity.knownId).toBe(id);
    expect((await scheduler.until("end", () => scheduler.terminalOf("one"))).state).toBe(TASK_FINISHED);
    await scheduler.launch([driverTask("two")]);
    await heard(driver, "run two");
    expect(driver.received.filter((what) => what.startsWith("run"))).toEqual(["run one", "run two"]);
    expect(machine.started).toEqual(["executor"]);
  });

  it("that stays away after the restart is ended, and its tasks with it, before the agent registers", async () => {
    const driver = await runningDriver();
    driver.returns = false;
    await restart(["--executor_reregistration_timeout=300ms"]);
    expect(driver.received).toContain("reconnect");
    const lost = await scheduler.until("end", () => scheduler.terminalOf("one"));
    expect(lost).toMatchObject({
      state: TaskState.TASK_LOST,
      reason: TaskStatus_Reason.EXECUTOR_REREGISTRATION_TIMEOUT,
      message: expect.stringContaining("Executor did not reregister within 300ms"),
    });
    await expect.poll(() => machine.running).toBe(0);
  });

  it("does not get a task again that it forgot: the task is lost", async () => {
    const driver = await runningDriver();
    await scheduler.launch([driverTask("two")]);
    await heard(driver, "run two");
    driver.forget("two");
    await restart();
    await heard(driver, "reregistered");
    const lost = await scheduler.until("end of two", () => scheduler.terminalOf("two"));
    expect(lost).toMatchObject({ state: TaskState.TASK_LOST, reason: TaskStatus_Reason.AGENT_RESTARTED });
    expect(driver.received.filter((what) => what === "run two")).toHaveLength(1);
    expect(scheduler.terminalOf("one")).toBeUndefined();
  });

  it("that nobody launched is shut down", async () => {
    await start();
    await scheduler.subscribe();
    const driver = await openDriver("stranger");
    driver.register();
    await heard(driver, "shutdown");
  });
});

/** The files of a stopped C++ agent 0.24.1, written as it writes them (mesos-agent-behaviour §3.2), not by our code. */
describe("the work_dir of a stopped C++ agent", () => {
  function put(path: string, data: Uint8Array | string): void {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, data);
  }
  function record<D extends DescMessage>(schema: D, message: MessageShape<D>): Buffer {
    const bytes = Buffer.from(toBinary(schema, message));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return Buffer.concat([length, bytes]);
  }

  function writeCppAgent(executorPid: string): void {
    const meta = join(workDir(), "meta");
    const slave = join(meta, "slaves", "cpp-S0");
    const framework = join(slave, "frameworks", "fw-0000");
    const executor = join(framework, "executors", "task");
    const run = join(executor, "runs", "container");
    put(join(meta, "boot_id"), "boot");
    const resources = parseResources("cpus:10;mem:10000").toMessages("pre");
    put(
      join(slave, "slave.info"),
      record(
        AgentInfoSchema,
        create(AgentInfoSchema, { hostname: "127.0.0.1", port, resources, checkpoint: true, id: { value: "cpp-S0" } }),
      ),
    );
    symlinkSync(slave, join(meta, "slaves", "latest"));
    put(
      join(framework, "framework.info"),
      record(
        FrameworkInfoSchema,
        create(FrameworkInfoSchema, {
          user: "root",
          name: "f",
          id: { value: "fw-0000" },
          checkpoint: true,
          failoverTimeout: 600,
        }),
      ),
    );
    put(join(framework, "framework.pid"), "@0.0.0.0:0");
    put(
      join(executor, "executor.info"),
      record(
        ExecutorInfoSchema,
        create(ExecutorInfoSchema, {
          executorId: { value: "task" },
          frameworkId: { value: "fw-0000" },
          name: "Command Executor (Task: task) (Command: sh -c 'sleep 1000')",
          source: "task",
          command: { value: "/usr/libexec/mesos/mesos-executor", shell: true },
          resources: parseResources("cpus:0.1;mem:32").toMessages("pre"),
        }),
      ),
    );
    put(join(run, "pids", "forked.pid"), "4194000");
    put(join(run, "pids", "libprocess.pid"), executorPid);
    symlinkSync(run, join(executor, "runs", "latest"));
    put(
      join(run, "tasks", "task", "task.info"),
      record(
        TaskSchema,
        create(TaskSchema, {
          name: "task",
          taskId: { value: "task" },
          frameworkId: { value: "fw-0000" },
          agentId: { value: "cpp-S0" },
          executorId: { value: "task" },
          state: TASK_STAGING,
          resources: parseResources("cpus:1;mem:64").toMessages("pre"),
        }),
      ),
    );
    const running = updateOf(1, TASK_RUNNING, { task: "task", framework: "fw-0000" });
    const acknowledged = { type: StatusUpdateRecord_Type.ACK, uuid: uuidOf(1) };
    put(
      join(run, "tasks", "task", "task.updates"),
      Buffer.concat([
        record(
          StatusUpdateRecordSchema,
          create(StatusUpdateRecordSchema, { type: StatusUpdateRecord_Type.UPDATE, update: running }),
        ),
        record(StatusUpdateRecordSchema, create(StatusUpdateRecordSchema, acknowledged)),
        // It was killed in the middle of its next write.
        Buffer.from([40, 0, 0, 0, 8]),
      ]),
    );
  }

  it("is taken over: the same agent, its framework, its reconnecting command executor, what comes next", async () => {
    scheduler.frameworkId = "fw-0000";
    const driver = await openDriver("task");
    writeCppAgent(driver.pid);
    // The container that it left, found by its process id.
    machine.adopt("container", "task");
    await start();
    await heard(driver, "reregistered");
    expect(node.identity.knownId).toBe("cpp-S0");
    await expect.poll(() => node.identity.phase).toBe("RUNNING");
    const reregistrationContent = node.viewed.registry.reregistrationContent();
    expect(reregistrationContent.executors).toEqual([]);
    expect(reregistrationContent.tasks).toMatchObject([{ name: "task", state: TASK_RUNNING }]);
    expect(reregistrationContent.tasks[0]?.executorId).toBeUndefined();
    await scheduler.subscribe();
    driver.update("task", TASK_FINISHED, "cpp-S0");
    expect((await scheduler.until("end", () => scheduler.terminalOf("task"))).state).toBe(TASK_FINISHED);
    await heard(driver, "acknowledged task");
    expect(scheduler.statesOf("task")).not.toContain(TASK_RUNNING);
  });
});
