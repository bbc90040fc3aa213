import { afterEach, describe, expect, it } from "vitest";
import { ScriptedPages, ScriptedShell } from "../../test/support/scripted-shell.ts";
import { TestClock } from "../../test/support/test-clock.ts";
import { runCommand } from "./run.ts";
import { rowsOfAgent } from "./task-rows.ts";
import { coresUsed, usageTable } from "./usage-table.ts";

const started: ScriptedPages[] = [];
const start = async (pages: ScriptedPages["pages"]): Promise<ScriptedPages> => {
  const made = await ScriptedPages.start(pages);
  started.push(made);
  return made;
};
afterEach(async () => {
  for (const one of started.splice(0)) await one.close();
});

const usage = (container_id: string, timestamp: number, cpu: number, more: object = {}) => ({
  ...{ container_id, executor_id: container_id, framework_id: "f" },
  statistics: {
    ...{ timestamp, cpus_limit: 2, cpus_user_time_secs: cpu, cpus_system_time_secs: cpu },
    ...{ mem_limit_bytes: 100 * 1024 * 1024, mem_total_bytes: 25 * 1024 * 1024, ...more },
  },
});
const state = {
  id: "S0",
  frameworks: [
    {
      id: "f",
      executors: [
        { id: "a", directory: "/a", container: "ca", tasks: [{ id: "task-a", state: "TASK_RUNNING" }] },
        { id: "b", directory: "/b", container: "cb", tasks: [{ id: "task-b", state: "TASK_RUNNING" }] },
      ],
    },
  ],
};

describe("top", () => {
  it("tells cores by the time between two measurements", () => {
    expect(coresUsed(usage("c", 10, 1), usage("c", 12, 1.5))).toBe(0.5);
    expect(coresUsed(undefined, usage("c", 12, 1.5))).toBeUndefined();
    expect(coresUsed(usage("c", 12, 1), usage("c", 12, 2))).toBeUndefined();
    expect(coresUsed(usage("c", 10, 5), usage("c", 12, 1))).toBe(0);
  });

  it("shows the busiest first, and whose container it is", () => {
    const before = [usage("ca", 10, 0), usage("cb", 10, 0)];
    const now = [
      usage("ca", 12, 0.5),
      usage("cb", 12, 1),
      { container_id: "other", executor_id: "", framework_id: "" },
    ];
    const lines = usageTable(before, now, rowsOfAgent(state)).split("\n");
    expect(lines[1]).toMatch(/^task-b +1\.00 +2 +50\.0% +25 \/ 100 +25\.0% +cb$/);
    expect(lines[2]).toMatch(/^task-a +0\.50 /);
    expect(lines[3]).toMatch(/^\(container other\) +- +0 +- /);
  });

  it("is one round where there is no terminal, and goes on where there is one", async () => {
    const clock = new TestClock();
    let at = 0;
    const agent = await start({
      "/state": state,
      "/containers": (_request, response) => response.end(JSON.stringify([usage("ca", ++at, at)])),
    });
    const run = (shell: ScriptedShell) => runCommand(["top", `--agent=${agent.address}`], shell);
    const until = (what: () => unknown) =>
      expect
        .poll(
          async () => {
            await clock.advance(500);
            return what();
          },
          { interval: 5 },
        )
        .toBe(true);
    const once = new ScriptedShell({ clock });
    let code: number | undefined;
    void run(once).then((status) => {
      code = status;
    });
    await until(() => code === 0);
    expect(once.text).toMatch(/^TASK .*\ntask-a +2\.00/);
    const shown = new ScriptedShell({ clock, isTerminal: true });
    const ended = run(shown);
    await until(() => shown.text.split("\x1b[H").length > 3);
    shown.signals.emit("SIGINT");
    expect(await ended).toBe(0);
  });

  it("finds an agent through the master, by id, name or address", async () => {
    const agent = await start({ "/state": state, "/containers": [] });
    const slave = (id: string, hostname: string, pid: string) => ({ id, hostname, pid });
    const master = await start({
      "/slaves": {
        slaves: [slave("S0", "here", `slave(1)@${agent.address}`), slave("S1", "there", "slave(1)@10.0.0.1:5051")],
      },
    });
    for (const name of ["S0", "here", agent.address, "127.0.0.1"]) {
      const shell = new ScriptedShell();
      const words = ["top", name, "--interval=0ns", `--master=${master.address}`];
      expect([await runCommand(words, shell), shell.text]).toEqual([0, expect.stringContaining("TASK")]);
    }
    const run = (...words: string[]) => runCommand(["top", ...words], new ScriptedShell());
    await expect(run("nowhere", `--master=${master.address}`)).rejects.toMatchObject({
      text: expect.stringMatching(/has no agent 'nowhere'\n {2}Fix: it has: here S0 .*; there S1/),
    });
    await expect(run(`--master=${master.address}`)).rejects.toThrow("top shows one agent");
    await expect(run("here")).rejects.toThrow("is found through a master");
  });
});

describe("drain", () => {
  const tasks = [
    { id: "a", slave_id: "S0", state: "TASK_RUNNING" },
    { id: "b", slave_id: "S0", state: "TASK_KILLING" },
    { id: "other", slave_id: "S1", state: "TASK_RUNNING" },
  ];
  const play = async () => {
    const slave = {
      id: "S0",
      hostname: "here",
      pid: "slave(1)@10.0.0.1:5051",
      drain_info: undefined as object | undefined,
    };
    const calls: object[] = [];
    const master = await start({
      "/slaves": { slaves: [slave] },
      "/tasks": { tasks },
      "/api/v1": async (_request, response, body) => {
        calls.push(JSON.parse((await body()).toString()));
        slave.drain_info = { state: "DRAINING" };
        response.end();
      },
    });
    return { master, slave, calls };
  };

  it("asks the master, and shows what is left until it is empty", async () => {
    const { master, slave, calls } = await play();
    const clock = new TestClock();
    const shell = new ScriptedShell({ clock });
    const words = ["drain", "here", "--max_grace_period=1500ms", "--mark_gone", `--master=${master.address}`];
    const ended = runCommand(words, shell);
    await expect
      .poll(() => shell.text)
      .toBe(`Draining here (S0) at the master ${master.address}\nDRAINING, 2 tasks left: a, b\n`);
    const drain_agent = { agent_id: { value: "S0" }, mark_gone: true, max_grace_period: { seconds: 1, nanos: 5e8 } };
    expect(calls).toEqual([{ type: "DRAIN_AGENT", drain_agent }]);
    master.pages["/tasks"] = { tasks: tasks.slice(1) };
    await clock.advance(1000);
    await expect.poll(() => shell.text).toContain("DRAINING, 1 task left: b\n");
    master.pages["/tasks"] = { tasks: [] };
    slave.drain_info = { state: "DRAINED" };
    await clock.advance(1000);
    expect(await ended).toBe(0);
    expect(shell.text.endsWith("DRAINED, no tasks left\n")).toBe(true);
  });

  it("is over when the master has forgotten the agent that it marked gone", async () => {
    const { master } = await play();
    const clock = new TestClock();
    const shell = new ScriptedShell({ clock });
    const ended = runCommand(["drain", "S0", `--master=${master.address}`], shell);
    await expect.poll(() => shell.text).toContain("DRAINING");
    master.pages["/slaves"] = { slaves: [] };
    await clock.advance(1000);
    expect(await ended).toBe(0);
    expect(shell.text).toContain("no such agent any more");
  });

  it("waits for a master that is restarted", async () => {
    const { master, slave } = await play();
    const clock = new TestClock();
    const shell = new ScriptedShell({ clock });
    const ended = runCommand(["drain", "S0", `--master=${master.address}`], shell);
    await expect.poll(() => shell.text).toContain("DRAINING");
    const { "/slaves": slaves } = master.pages;
    master.pages["/slaves"] = (_request, response) => response.writeHead(503).end();
    await expect
      .poll(async () => {
        await clock.advance(1000);
        return shell.words;
      })
      .toContain("does not answer; trying again");
    if (slaves !== undefined) master.pages["/slaves"] = slaves;
    slave.drain_info = { state: "DRAINED" };
    let code: number | undefined;
    void ended.then((status) => {
      code = status;
    });
    await expect
      .poll(async () => {
        await clock.advance(1000);
        return code;
      })
      .toBe(0);
  });

  it("goes on without this command after Ctrl-C, which says so", async () => {
    const { master, calls } = await play();
    const shell = new ScriptedShell();
    const ended = runCommand(["drain", "S0", `--master=${master.address}`], shell);
    await expect.poll(() => shell.text).toContain("DRAINING");
    shell.signals.emit("SIGINT");
    expect(await ended).toBe(130);
    expect(shell.words).toContain("here goes on draining");
    expect(calls).toHaveLength(1);
  });

  it("is of this node's agent at its master when nothing else is said", async () => {
    const { master, slave, calls } = await play();
    const agent = await start({ "/state": { id: "S0" } });
    const environment = { MESOS_MASTER: master.address, MESOS_PORT: String(agent.port) };
    master.pages["/api/v1"] = async (_request, response, body) => {
      calls.push(JSON.parse((await body()).toString()));
      slave.drain_info = { state: "DRAINED" };
      response.end();
    };
    expect(await runCommand(["drain"], new ScriptedShell({ environment }))).toBe(0);
    expect(calls).toMatchObject([{ drain_agent: { agent_id: { value: "S0" }, mark_gone: false } }]);
    await expect(runCommand(["drain"], new ScriptedShell())).rejects.toThrow("it is the master that drains an agent");
    agent.pages["/state"] = {};
    await expect(runCommand(["drain"], new ScriptedShell({ environment }))).rejects.toThrow("is not registered");
  });

  it("that the master refuses is told", async () => {
    const { master } = await play();
    master.pages["/api/v1"] = (_request, response) =>
      response.writeHead(400).end("Agent S0 is not capable of draining");
    const refused = runCommand(["drain", "S0", `--master=${master.address}`], new ScriptedShell());
    await expect(refused).rejects.toThrow("with 400: Agent S0 is not capable of draining");
  });
});
