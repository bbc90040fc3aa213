import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectTerminal } from "../../src/agent/containerizer/mesos/terminal.ts";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { freePort } from "../support/free-port.ts";
import { OperatorClient, serving } from "../support/operator-client.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";
import { SessionClient } from "../support/session-client.ts";

/** Containers of the mesos containerizer with a terminal of their own, which their shims hold. */
describe("a container with a terminal", () => {
  let agent: AgentProcess;
  let client: OperatorClient;
  let master: LocalMaster;
  let scheduler: TestScheduler;
  let containers = 0;

  const container = { type: "MESOS", tty_info: { window_size: { rows: 30, columns: 70 } } };
  const launch = async (value: string, more: object = {}): Promise<string> => {
    const id = `terminal-${++containers}`;
    const launched = await client.on("LAUNCH_CONTAINER", [id], { command: { value, ...more }, container });
    expect(launched).toEqual({ status: 200, body: "" });
    return id;
  };
  const attach = (id: string) => new SessionClient(agent.port, [id]).attachOutput();
  const input = (id: string) => new SessionClient(agent.port, [id]).input();
  const says = (client: SessionClient, what: RegExp) => expect.poll(() => client.text).toMatch(what);
  const output = (id: string, name = "stdout"): string =>
    readFileSync(join(agent.workDir, "containers", id, name), "utf8");

  beforeAll(async () => {
    master = new LocalMaster({ port: 0 });
    await master.start();
    agent = new AgentProcess({ master: master.address, port: await freePort() });
    scheduler = new TestScheduler({ master: master.address, checkpoint: true, failoverTimeout: 600 });
    client = new OperatorClient(agent.port);
    agent.start(["--task_exec=enabled"]);
    await serving(agent);
    await scheduler.subscribe();
  }, 60_000);
  afterAll(async () => {
    scheduler.close();
    // Containers that stand alone outlive the agent.
    const named = Array.from({ length: containers }, (_, index) => `terminal-${index + 1}`);
    for (const id of [...named, "plain"]) await client.on("KILL_CONTAINER", [id], { signal: 9 });
    await agent.destroy();
    await master.stop();
  });

  it("has its size, job control, an exit, and all that it said in its stdout", async () => {
    const id = await launch("exec sh");
    const reader = await attach(id);
    const writer = input(id);
    writer.data("stty size; tty; echo $TERM\n");
    await says(reader, /^(# )?30 70\r\n\/dev\/pts\/\d+\r\nxterm\r$/m);
    expect((await input(id).answer).status).toBe(409);
    writer.resize(50, 90);
    writer.data("stty size; sleep 100\n");
    await says(reader, /^(# )?50 90\r$/m);
    writer.data("\x03");
    writer.data("echo after $?\n");
    await says(reader, /^(# )?after 130\r$/m);
    const other = await attach(id);
    writer.data("sleep 1000 & echo both; exit 5\n");
    await Promise.all([reader.ended, other.ended]);
    expect(other.text).toContain("both\r\n");
    expect(await client.waited([id])).toMatchObject({ exit_status: 5 << 8 });
    expect(output(id)).toContain("50 90\r\n");
    expect([output(id).endsWith("both\r\n"), output(id, "stderr")]).toEqual([true, ""]);
    expect((await attach(id)).status).toBe(404);
  }, 60_000);

  it("keeps it over a kill -9 of the agent", async () => {
    const id = await launch("exec sh");
    const before = await attach(id);
    input(id).data("word=kept; echo before\n");
    await says(before, /^(# )?before\r$/m);
    await agent.end();
    agent.start(["--task_exec=enabled"]);
    await serving(agent);
    const after = await attach(id);
    const writer = input(id);
    writer.data("echo $word; exit 3\n");
    await after.ended;
    expect(after.text).toContain("kept\r\n");
    expect(await client.waited([id])).toMatchObject({ exit_status: 3 << 8 });
    expect(output(id)).toMatch(/before\r\n[\s\S]*kept\r\n/);
  }, 60_000);

  it("may be a task's, as frameworks launch them", async () => {
    const ttyInfo = { windowSize: { rows: 30, columns: 70 } };
    await scheduler.launch([commandTask("task", "exec sh", { container: { type: 2, ttyInfo } })]);
    const running = await scheduler.until("it runs", () =>
      scheduler.updates.find(({ state }) => state === TaskState.TASK_RUNNING),
    );
    const id = running.containerStatus?.containerId?.value ?? "";
    const reader = await attach(id);
    input(id).data("stty size; exit 5\n");
    await reader.ended;
    expect(reader.text).toContain("30 70\r\n");
    await scheduler.until("it ends", () => scheduler.terminalOf("task"));
    expect(scheduler.terminalOf("task")).toMatchObject({
      state: TaskState.TASK_FAILED,
      message: expect.stringContaining("exited with status 5"),
    });
    await scheduler.launch([commandTask("plain", "sleep 1000")]);
    const plain = await scheduler.until("it runs", () =>
      scheduler.updates.find(({ taskId, state }) => taskId?.value === "plain" && state === TaskState.TASK_RUNNING),
    );
    const none = await attach(plain.containerStatus?.containerId?.value ?? "");
    await none.ended;
    expect(none).toMatchObject({ status: 500, text: expect.stringContaining("I/O switchboard server was disabled") });
  }, 60_000);

  it("is its user's, and without anybody who reads what it says is kept whole", async () => {
    const value = '[ -O "$(tty)" ] && id -un; seq 1 200000; echo end >&2';
    const id = await launch(value, { user: "nobody" });
    expect(await client.waited([id])).toEqual({ exit_status: 0 });
    const lines = output(id).split("\r\n");
    expect([lines[0], lines.length, lines.at(-2)]).toEqual(["nobody", 200_003, "end"]);
    expect(lines.slice(1, 200_001).every((line, index) => line === `${index + 1}`)).toBe(true);
  }, 60_000);

  it("loses nothing for one reader when another is slow, and goes on when that goes", async () => {
    const id = await launch("read go; yes | head -c 10000000; echo end");
    const stuck = await new SessionClient(agent.port, [id]).attachOutput({ isRead: false });
    const heard = await attach(id);
    input(id).data("go\n");
    await expect.poll(() => heard.bytes).toBeGreaterThan(1_000_000);
    stuck.vanish();
    await heard.ended;
    const bytes = "go\r\n".length + 15_000_000 + "end\r\n".length;
    expect([heard.bytes, output(id).length]).toEqual([bytes, bytes]);
    expect(await client.waited([id])).toEqual({ exit_status: 0 });
  }, 60_000);

  it("is attached to by 256 at once; more wait until one goes", async () => {
    const id = await launch("while read -r word; do echo said $word; done");
    const typed = input(id);
    const first = await attach(id);
    typed.data("one\n");
    await says(first, /^said one\r$/m);
    const listen = async () => {
      const socket = await connectTerminal(join(agent.folder, "run/containers", id), "output");
      const heard = { socket, text: "" };
      socket.on("data", (piece) => {
        heard.text += piece;
      });
      return heard;
    };
    const others = await Promise.all(Array.from({ length: 254 }, listen));
    const areThere = () => {
      typed.data("two\n");
      return others.every(({ text }) => text.includes("said two"));
    };
    await expect.poll(areThere, { interval: 100 }).toBe(true);
    const late = await listen();
    typed.data("three\n");
    await expect.poll(() => others.every(({ text }) => text.includes("said three"))).toBe(true);
    others[0]?.socket.destroy();
    const again = () => {
      typed.data("four\n");
      return late.text;
    };
    await expect.poll(again, { interval: 100 }).toContain("said four");
    expect(late.text).not.toContain("three");
    for (const { socket } of [...others, late]) socket.destroy();
  }, 60_000);

  it("is no other one: there is nothing to attach to", async () => {
    const launched = await client.launch(["plain"], "sleep 1000");
    expect(launched.status).toBe(200);
    const none = await attach("plain");
    await none.ended;
    expect(none.status).toBe(404);
  });
});
