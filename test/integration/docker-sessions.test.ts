import { existsSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ProcTable } from "../../src/agent/containerizer/mesos/process-table.ts";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { CommandInfoSchema, TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { dockerdMissing, TestDockerd } from "../support/dockerd.ts";
import { newWorkDir, openContainerizer, until } from "../support/dockerd-containerizer.ts";
import { dockerSpec } from "../support/dockerd-tasks.ts";
import { freePort } from "../support/free-port.ts";
import { OperatorClient, serving } from "../support/operator-client.ts";
import { Program } from "../support/program.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";
import { SessionClient } from "../support/session-client.ts";

const missing = dockerdMissing();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);

/** Sessions in Docker tasks, as ClusterD's command line opens them, through a real agent and a real daemon. */
describe("a session in a Docker task", () => {
  let dockerd: TestDockerd;
  let master: LocalMaster;
  let agent: AgentProcess;
  let scheduler: TestScheduler;
  let client: OperatorClient;
  let root: string;
  let sessions = 0;

  const docker = { type: 1, docker: { image: "box:1", network: 3 } };
  const launch = async (id: string, command: string, more: object = {}): Promise<string> => {
    await scheduler.launch([commandTask(id, command, { container: docker, ...more })]);
    await until(`task ${id}`, () => scheduler.statesOf(id).includes(TaskState.TASK_RUNNING), 60_000);
    const status = scheduler.updates.find(({ taskId, containerStatus }) => taskId?.value === id && containerStatus);
    return status?.containerStatus?.containerId?.value ?? "";
  };
  const named = (parent = root) => new SessionClient(agent.port, [parent, `s${++sessions}`]);
  const run = (value: string, options: { tty?: boolean; isRead?: boolean } = {}) => named().open({ value }, options);
  const exitOf = ({ chain }: SessionClient) => client.waited(chain);
  const says = (session: SessionClient, what: RegExp) => expect.poll(() => session.text).toMatch(what);
  /** Says so when its terminal has the size: Docker is told of a new one beside what is typed. */
  const hasSize = (session: SessionClient, input: Pick<ReturnType<SessionClient["input"]>, "data">, what: RegExp) =>
    expect
      .poll(
        () => {
          input.data("stty size\n");
          return session.text;
        },
        { interval: 250 },
      )
      .toMatch(what);
  /** What runs in the container of the first task, but its own process and `ps`. That reaps no orphans: they stay as zombies. */
  const processes = async (): Promise<string[]> => {
    const lines = (await dockerd.docker("exec", `mesos-${root}`, "ps", "-o", "args")).split("\n").slice(1);
    return lines.map((line) => line.trim()).filter((line) => !/^sleep 1000$|^ps |^\[.*\]$/.test(line));
  };

  const sleepers = async () => (await processes()).filter((one) => one.startsWith("sleep"));

  beforeAll(async () => {
    if (missing !== undefined) return;
    dockerd = await TestDockerd.start();
    master = new LocalMaster({ port: 0 });
    await master.start();
    const flags = [
      ...["--containerizers=docker", `--docker_socket=${dockerd.socket}`, "--docker_remove_delay=1secs"],
      ...["--docker_stop_timeout=1secs", "--resources=cpus:10;mem:10000;ports:[31000-32000]"],
    ];
    agent = new AgentProcess({ master: master.address, port: await freePort(), flags });
    agent.start(["--task_exec=enabled"]);
    await serving(agent);
    client = new OperatorClient(agent.port);
    scheduler = new TestScheduler({ master: master.address, checkpoint: true, failoverTimeout: 600 });
    await scheduler.subscribe();
    const environment = { variables: [{ name: "OWN", value: "task's" }] };
    // What starts fifty processes at once in a container needs its memory, too: runc's own.
    const resources = [{ name: "mem", type: 0, scalar: { value: 2000 } }];
    root = await launch("main", "", { command: { shell: true, value: "exec sleep 1000", environment }, resources });
  }, 120_000);
  afterAll(async () => {
    if (missing !== undefined) return;
    scheduler.close();
    await agent.destroy();
    await master.stop();
    await dockerd.stop();
  });
  beforeEach((ctx) => {
    if (missing !== undefined) ctx.skip(missing);
  });

  it("has the container's environment, both outputs in their place, an input that ends, and an exit", async () => {
    const environment = { variables: [{ name: "EXTRA", value: "more" }] };
    const value = 'echo "$OWN $EXTRA $MESOS_SANDBOX"; cat; echo err >&2; exit 7';
    const session = await named().open({ value, environment });
    const input = session.input();
    input.data("hello ");
    input.data("there");
    input.data("");
    input.end();
    await session.ended;
    expect(session).toMatchObject({
      status: 200,
      text: "task's more /mnt/mesos/sandbox\nhello there",
      stderr: "err\n",
    });
    expect(await exitOf(session)).toEqual({ exit_status: 7 << 8 });
    expect((await input.answer).status).toBe(200);
    expect(agent.log).toContain(`Session ${session.chain.join(".")} of somebody without a name at 127.0.0.1: EXTRA=…`);
    expect(agent.log).toContain(`Session ${session.chain.join(".")} ended after`);
    expect(await client.on("REMOVE_CONTAINER", session.chain)).toMatchObject({ status: 200 });
    expect((await client.on("WAIT_CONTAINER", session.chain)).status).toBe(404);
  });

  it("with a terminal has its size, job control, and an exit", async () => {
    const session = await named().open({ shell: false, value: "sh", arguments: ["sh"] }, { tty: true });
    const input = session.input();
    input.data("stty size\n");
    await says(session, /^40 123\r$/m);
    input.resize(50, 90);
    await hasSize(session, input, /^50 90\r$/m);
    input.data("echo running; sleep 100\n");
    await says(session, /^running\r$/m);
    input.data("\x03");
    input.data("echo after $?\n");
    await says(session, /^after 130\r$/m);
    input.data("exit 7\n");
    await session.ended;
    expect(await exitOf(session)).toEqual({ exit_status: 7 << 8 });
  });

  it("gives 100 MB complete and in order, and several readers the same", async () => {
    const session = await run("seq 1 14000000 | head -c 100000000");
    await session.ended;
    expect(session.bytes).toBe(100_000_000);
    const lines = session.text.split("\n").slice(0, 100_000);
    expect(lines.every((line, index) => line === `${index + 1}`)).toBe(true);
    const first = await run("read go; seq 1 1000");
    const other = await new SessionClient(agent.port, first.chain).attachOutput();
    first.input().data("go\n");
    await Promise.all([first.ended, other.ended]);
    expect([other.text, first.text.split("\n").length]).toEqual([first.text, 1001]);
  }, 60_000);

  it("leaves no process when its client vanishes, or its own has ended", async () => {
    const session = await run("trap '' TERM HUP; (sleep 2000 &) ; setsid sleep 2001 & echo up; sleep 2002");
    await says(session, /up/);
    await expect.poll(sleepers).toHaveLength(3);
    session.vanish();
    await expect.poll(processes).toEqual([]);
    expect(await exitOf(session)).toEqual({ exit_status: 9 });
    // In the moment of its start a process is not its program yet.
    for (const quick of await Promise.all(Array.from({ length: 20 }, () => run("sleep 2003")))) quick.vanish();
    await expect.poll(processes).toEqual([]);
    const ended = await run("sleep 3000 & exit 3");
    await ended.ended;
    expect(await exitOf(ended)).toEqual({ exit_status: 3 << 8 });
    expect(await processes()).toEqual([]);
  });

  it("is what the command line opens; it attaches to the task, and reads its log", async () => {
    const id = await launch("spoken", "echo written; sleep 1000");
    const spoken = async (...words: string[]) => {
      const program = new Program("cli", words, { MESOS_PORT: String(agent.port) });
      return [await program.ended(), program.output];
    };
    expect(await spoken("exec", "main", "--", "sh", "-c", 'echo "in $OWN"; exit 7')).toEqual([7, "in task's\n"]);
    expect(await spoken("exec", "-t", "main", "--", "sh", "-c", "tty; kill -9 $$")).toEqual([
      137,
      expect.stringMatching(/^\/dev\/pts\/\d+\r\n$/),
    ]);
    expect(await spoken("exec", "main", "no-such-program")).toEqual([125, expect.stringContaining("not found")]);
    await expect.poll(() => spoken("logs", "spoken")).toEqual([0, "written\n"]);
    const attached = new Program("cli", ["attach", "spoken"], { MESOS_PORT: String(agent.port) });
    await expect.poll(() => agent.log).toContain(`Output of container ${id} attached by somebody`);
    await scheduler.kill("spoken");
    expect(await attached.ended()).toBe(137);
  }, 120_000);

  it("is ended and signalled by its id", async () => {
    const session = await run("trap 'echo got; exit 4' INT; echo up; while :; do sleep 0.1; done");
    await says(session, /up/);
    expect((await client.on("REMOVE_CONTAINER", session.chain)).status).toBe(500);
    expect((await client.on("KILL_CONTAINER", session.chain, { signal: 2 })).status).toBe(200);
    await session.ended;
    expect(session.text).toBe("up\ngot\n");
    expect(await exitOf(session)).toEqual({ exit_status: 4 << 8 });
    const other = await run("sleep 5000");
    expect((await client.on("KILL_NESTED_CONTAINER", other.chain)).status).toBe(200);
    expect(await exitOf(other)).toEqual({ exit_status: 9 });
    expect((await client.on("KILL_NESTED_CONTAINER", other.chain)).status).toBe(404);
  });

  it("that is not read costs the agent no memory, and fifty at once are answered", async () => {
    const memory = (): number =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${agent.pid}/status`, "utf8"))?.[1]) / 1024;
    const slow = await Promise.all(Array.from({ length: 5 }, () => run("yes", { isRead: false })));
    const before = memory();
    const all = await Promise.all(Array.from({ length: 50 }, (_, index) => run(`echo ${index}; exit 3`)));
    await Promise.all(all.map(({ ended }) => ended));
    expect(all.map(({ text }) => text)).toEqual(all.map((_, index) => `${index}\n`));
    expect(await exitOf(all[49] as SessionClient)).toEqual({ exit_status: 3 << 8 });
    console.log(`5 unread sessions of yes and 50 others: ${memory().toFixed(0)} MB, before ${before.toFixed(0)} MB`);
    for (const session of slow) session.vanish();
    expect(memory() - before).toBeLessThan(100);
    await expect.poll(processes).toEqual([]);
  }, 60_000);

  it("is refused with the reason when it cannot be", async () => {
    for (const tty of [false, true]) {
      const gone = await named().open({ shell: false, value: "no-such-program" }, { tty });
      await gone.ended;
      expect(gone).toMatchObject({ status: 400, text: expect.stringContaining("executable file not found") });
    }
    const open = await run("cat");
    expect((await new SessionClient(agent.port, open.chain).open({ value: "true" })).status).toBe(202);
    const within = await new SessionClient(agent.port, [...open.chain, "deep"]).open({ value: "true" });
    expect(within.status).toBe(400);
    open.vanish();
    const own = await new SessionClient(agent.port, [root]).input().answer;
    expect(own).toMatchObject({ status: 400, body: expect.stringContaining("reads no input") });
  });

  it("and a task's own terminal are attached to", async () => {
    const tty_info = { windowSize: { rows: 30, columns: 70 } };
    const id = await launch("terminal", "exec sh", { container: { ...docker, ttyInfo: tty_info } });
    const output = await new SessionClient(agent.port, [id]).attachOutput();
    const input = new SessionClient(agent.port, [id]).input();
    input.data("stty size\n");
    await says(output, /^30 70\r$/m);
    expect((await new SessionClient(agent.port, [id]).input().answer).status).toBe(409);
    input.resize(50, 90);
    await hasSize(output, input, /^50 90\r$/m);
    const other = await new SessionClient(agent.port, [id]).attachOutput();
    other.vanish();
    input.data("exit 5\n");
    await output.ended;
    expect(await client.waited([id])).toMatchObject({ exit_status: 5 << 8 });
    const talking = await launch("talking", "while :; do echo out; echo err >&2; sleep 0.1; done");
    const heard = await new SessionClient(agent.port, [talking]).attachOutput();
    await says(heard, /out\nout\n/);
    // It goes on talking, and its streams come each by itself.
    await expect.poll(() => heard.stderr).toMatch(/err\nerr\n/);
    heard.vanish();
  });

  it("whose processes are not seen from here is ended by a command inside", async () => {
    const workDir = await newWorkDir();
    const processTable = { controlGroups: () => "", stat: () => undefined } as unknown as ProcTable;
    const containerizer = await openContainerizer(dockerd, workDir, { processTable });
    try {
      const spec = await dockerSpec(workDir, "exec sleep 1000");
      await containerizer.launch(spec, new AbortController().signal);
      const chain = [spec.containerId, "s"] as const;
      const value = "trap 'echo got' USR1; setsid sleep 2000 & echo up; while :; do sleep 0.1; done";
      const command = create(CommandInfoSchema, { value });
      const session = await containerizer.sessions.open({ chain: [...chain], command, container: undefined });
      if (session === "already") throw new Error("it is new");
      let text = "";
      session.attach({
        data: (_stream, piece) => {
          text += piece;
          return undefined;
        },
        end: () => undefined,
        lost: () => undefined,
      });
      await until("its first word", () => text === "up\n");
      await containerizer.kept.kill([...chain], 10);
      await until("the signal", () => text === "up\ngot\n");
      session.kill();
      expect(await session.ended).toEqual({ status: 9 });
      const left = await dockerd.docker("exec", `mesos-${spec.containerId}`, "ps", "-o", "args");
      expect(left.split("\n").filter((line) => /sleep (2000|0.1)|sh -c/.test(line))).toEqual([]);
      await containerizer.destroy(spec.containerId);
      await containerizer.wait(spec.containerId);
    } finally {
      await containerizer.close();
      await rm(workDir, { recursive: true, force: true });
    }
  }, 60_000);

  it("does not outlive an agent that was killed", async () => {
    const session = await run("sleep 4000 & echo $!; trap '' HUP; sleep 4001");
    await says(session, /\d/);
    await expect.poll(sleepers).toHaveLength(2);
    await agent.end();
    expect(await sleepers()).toHaveLength(2);
    agent.start(["--task_exec=enabled"]);
    await serving(agent);
    await expect.poll(processes).toEqual([]);
    expect((await client.on("WAIT_CONTAINER", session.chain)).status).toBe(404);
    const next = await run("echo again");
    await next.ended;
    expect(next.text).toBe("again\n");
    expect(existsSync(`${agent.workDir}/docker/containers/${root}/sessions.json`)).toBe(true);
  }, 60_000);
});
