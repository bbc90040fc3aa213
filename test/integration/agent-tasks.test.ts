import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { FrameworkInfo_Capability_Type, TaskState, TaskStatus_Reason } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";
import { updatesInOrder } from "../support/updates.ts";

const { TASK_STARTING, TASK_RUNNING, TASK_FINISHED, TASK_FAILED, TASK_KILLED, TASK_KILLING } = TaskState;

describe("command tasks on a real agent", () => {
  let master: LocalMaster;
  let agent: AgentProcess;
  let address: string;
  const schedulers: TestScheduler[] = [];

  async function scheduler(
    options: Partial<ConstructorParameters<typeof TestScheduler>[0]> = {},
  ): Promise<TestScheduler> {
    const made = new TestScheduler({ master: address, ...options });
    schedulers.push(made);
    await made.subscribe();
    return made;
  }

  beforeEach(async () => {
    master = new LocalMaster({ port: 0 });
    await master.start();
    address = master.url.replace("http://", "");
    agent = new AgentProcess({
      master: address,
      port: await freePort(),
      flags: ["--resources=cpus:100;mem:100000;disk:100000;ports:[31000-32000]"],
    });
    agent.start();
  });

  afterEach(async () => {
    for (const made of schedulers.splice(0)) made.close();
    await agent.destroy();
    await master.stop();
  });

  const sandbox = (test: TestScheduler, taskId: string): string => {
    const agentId = test.updates[0]?.agentId?.value ?? "";
    return join(
      agent.workDir,
      "slaves",
      agentId,
      "frameworks",
      test.frameworkId ?? "",
      "executors",
      taskId,
      "runs/latest",
    );
  };

  /** RUNNING says that the process was started; its shell writes the file a moment later. */
  async function pidOf(test: TestScheduler, taskId: string): Promise<number> {
    const file = join(sandbox(test, taskId), "pid");
    await expect.poll(() => existsSync(file) && readFileSync(file, "utf8")).toMatch(/^\d+\n$/);
    return Number(readFileSync(file, "utf8"));
  }

  it("reports the end of each as it was", async () => {
    const test = await scheduler();
    await test.launch([
      commandTask("good", "echo out; echo err >&2"),
      commandTask("bad", "exit 3"),
      commandTask("signal", "kill -9 $$"),
      commandTask("argv", "", { command: { shell: false, value: "/bin/echo", arguments: ["echo", "a b", "$HOME"] } }),
      commandTask("missing", "", { command: { shell: false, value: "/no/such/program", arguments: ["program"] } }),
    ]);
    const terminal = async (id: string) => await test.until(`end of ${id}`, () => test.terminalOf(id));
    expect((await terminal("good")).state).toBe(TASK_FINISHED);
    expect(test.statesOf("good")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_FINISHED]);
    expect(await terminal("bad")).toMatchObject({ state: TASK_FAILED, message: "Command exited with status 3" });
    expect(await terminal("signal")).toMatchObject({
      state: TASK_FAILED,
      message: "Command terminated with signal Killed",
    });
    expect((await terminal("argv")).state).toBe(TASK_FINISHED);
    expect((await terminal("missing")).state).toBe(TASK_FAILED);
    expect(readFileSync(join(sandbox(test, "good"), "stdout"), "utf8")).toContain("out\n");
    expect(readFileSync(join(sandbox(test, "good"), "stderr"), "utf8")).toContain("err\n");
    expect(readFileSync(join(sandbox(test, "argv"), "stdout"), "utf8")).toContain("a b $HOME\n");
  });

  it("passes the environment unharmed and not the agent's own", async () => {
    const hostile = "a\nb 'c' \"d\" $(touch /tmp/never) %s ü";
    const test = await scheduler();
    const environment = { variables: [{ name: "HOSTILE", value: hostile }] };
    await test.launch([
      commandTask("env", "", { command: { shell: true, value: 'printf %s "$HOSTILE"', environment } }),
    ]);
    await test.until("end", () => test.terminalOf("env"));
    expect(readFileSync(join(sandbox(test, "env"), "stdout"), "utf8")).toContain(hostile);
    expect(existsSync("/tmp/never")).toBe(false);
  });

  it("kills with TASK_KILLING and the grace period of the kill policy", async () => {
    const test = await scheduler({ capabilities: [FrameworkInfo_Capability_Type.TASK_KILLING_STATE] });
    await test.launch([
      commandTask("polite", "trap 'exit 0' TERM; touch ready; while :; do sleep 0.1; done"),
      commandTask("deaf", "trap '' TERM; touch ready; while :; do sleep 0.1; done", {
        killPolicy: { gracePeriod: { nanoseconds: 300_000_000n } },
      }),
    ]);
    await test.until("RUNNING", () => test.updates.filter(({ state }) => state === TASK_RUNNING).length === 2);
    // RUNNING says that they were started; that they hear signals as they mean to, they say themselves.
    const ready = () => ["polite", "deaf"].every((id) => existsSync(join(sandbox(test, id), "ready")));
    await expect.poll(ready).toBe(true);
    await test.kill("polite");
    await test.kill("deaf");
    expect((await test.until("polite's end", () => test.terminalOf("polite"))).state).toBe(TASK_KILLED);
    const deaf = await test.until("deaf's end", () => test.terminalOf("deaf"));
    expect(deaf).toMatchObject({ state: TASK_KILLED, message: "Command terminated with signal Killed" });
    expect(test.statesOf("polite")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_KILLING, TASK_KILLED]);
  });

  it("brings every true exit status to the scheduler when it is killed while 50 tasks run", async () => {
    const test = await scheduler({ checkpoint: true, failoverTimeout: 600 });
    const ids = Array.from({ length: 50 }, (_, index) => `task-${index}`);
    // Half of them end while the agent is away; each writes a line so that a second start would show.
    await test.launch(
      ids.map((id, index) => commandTask(id, `echo started; sleep ${index % 2 === 0 ? 1 : 5}; exit ${index}`)),
    );
    await test.until(
      "50 RUNNING",
      () =>
        new Set(test.updates.filter(({ state }) => state === TASK_RUNNING).map(({ taskId }) => taskId?.value)).size ===
        50,
    );
    await agent.end("SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    agent.start();
    await test.until("50 ends", () => ids.every((id) => test.terminalOf(id) !== undefined), 40_000);
    for (const [index, id] of ids.entries()) {
      const expected = index === 0 ? TASK_FINISHED : TASK_FAILED;
      const message = `Command exited with status ${index}`;
      expect(test.terminalOf(id), id).toMatchObject({ state: expected, message });
      expect(readFileSync(join(sandbox(test, id), "stdout"), "utf8").match(/started/g), id).toHaveLength(1);
    }
    // What was on its way when the agent was killed may come again under its uuid, until it is acknowledged; nothing is
    // made up twice, and the end of each is told once under one uuid.
    for (const id of ids) {
      const statuses = test.updates.filter(({ taskId, uuid }) => taskId?.value === id && uuid.length > 0);
      const states = updatesInOrder(id, statuses).map(({ state }) => state);
      expect(states.slice(0, 2), id).toEqual([TASK_STARTING, TASK_RUNNING]);
      expect(states, id).toHaveLength(3);
    }
  });

  it("ends the tasks of a framework that does not checkpoint when it comes back", async () => {
    const test = await scheduler({ failoverTimeout: 600 });
    await test.launch([commandTask("orphan", "echo $$ > pid; exec sleep 1000")]);
    await test.until("RUNNING", () => test.updates.some(({ state }) => state === TASK_RUNNING));
    const pid = await pidOf(test, "orphan");
    await agent.end("SIGKILL");
    agent.start();
    const end = await test.until("end", () => test.terminalOf("orphan"), 40_000);
    expect([TaskState.TASK_LOST, TaskState.TASK_FAILED]).toContain(end.state);
    await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
  });

  it("leaves on SIGTERM: tasks that may outlive it run on, the others end", async () => {
    const [kept, dropped] = [
      await scheduler({ checkpoint: true, failoverTimeout: 600 }),
      await scheduler({ name: "other" }),
    ];
    const pids: number[] = [];
    for (const test of [kept, dropped]) {
      await test.launch([commandTask("sleeper", "echo $$ > pid; exec sleep 1000")]);
      await test.until("RUNNING", () => test.updates.some(({ state }) => state === TASK_RUNNING));
      pids.push(await pidOf(test, "sleeper"));
    }
    expect(await agent.end("SIGTERM")).toBe(0);
    expect(pids.map((pid) => existsSync(`/proc/${pid}`))).toEqual([true, false]);
    agent.start();
    // A kill that comes before the agent is back is lost, as with any master: ask until it is heard.
    await kept.until("the end", () => {
      void kept.kill("sleeper");
      return kept.terminalOf("sleeper");
    });
    expect(kept.terminalOf("sleeper")?.state).toBe(TASK_KILLED);
  });

  it("leaves on SIGTERM in a burst of launches: each task runs to its true end, or never started and is said to be lost", async () => {
    const test = await scheduler({ checkpoint: true, failoverTimeout: 600 });
    const ids = Array.from({ length: 150 }, (_, index) => `task-${index}`);
    await test.launch(ids.map((id) => commandTask(id, "echo started; sleep 0.5; exit 7")));
    await test.until("some RUNNING", () => test.updates.filter(({ state }) => state === TASK_RUNNING).length > 20);
    expect(await agent.end("SIGTERM")).toBe(0);
    agent.start();
    await test.until("150 ends", () => ids.every((id) => test.terminalOf(id) !== undefined), 60_000);
    for (const id of ids) {
      const end = test.terminalOf(id);
      const output = join(sandbox(test, id), "stdout");
      const started = existsSync(output) && readFileSync(output, "utf8").includes("started");
      expect(end?.state, `${id}: ${end?.message}`).toBe(started ? TASK_FAILED : TaskState.TASK_LOST);
      if (started) expect(end?.message, id).toBe("Command exited with status 7");
    }
  });

  it("refuses what it cannot run with words that name it", async () => {
    const test = await scheduler();
    await test.launch([
      commandTask("nobody", "true", { command: { value: "true", shell: true, user: "no-such-user" } }),
      commandTask("docker", "true", { container: { type: 1, docker: { image: "busybox" } } }),
    ]);
    const nobody = await test.until("end", () => test.terminalOf("nobody"));
    expect(nobody.state).toBe(TASK_FAILED);
    expect(nobody.message).toContain("no-such-user");
    const docker = await test.until("end", () => test.terminalOf("docker"));
    expect(docker).toMatchObject({ state: TASK_FAILED, reason: TaskStatus_Reason.CONTAINER_LAUNCH_FAILED });
    expect(docker.message).toContain("None of the enabled containerizers (mesos)");
  });

  it("ends everything and itself when the master shuts it down, on SIGUSR1", async () => {
    const test = await scheduler();
    await test.launch([commandTask("forever", "echo $$ > pid; exec sleep 1000")]);
    await test.until("RUNNING", () => test.updates.some(({ state }) => state === TASK_RUNNING));
    const pid = await pidOf(test, "forever");
    expect(await agent.end("SIGUSR1")).toBe(0);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });
});
