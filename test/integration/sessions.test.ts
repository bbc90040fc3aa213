import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../support/free-port.ts";
import { OperatorClient, serving } from "../support/operator-client.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { SessionClient } from "../support/session-client.ts";

/** Sessions in a container that stands alone: what they are to a task's container, they are to any. */
let agent: AgentProcess;
let client: OperatorClient;
let sessions = 0;
const named = () => new SessionClient(agent.port, ["root", `s${++sessions}`]);
const run = async (value: string, options: { tty?: boolean; isRead?: boolean } = {}) =>
  await named().open({ value }, options);
const exitOf = ({ chain }: SessionClient) => client.waited(chain);

beforeAll(async () => {
  const flags = ["--no-switch_user", "--http_heartbeat_interval=100ms"];
  agent = new AgentProcess({ master: "127.0.0.1:1", port: await freePort(), flags });
  client = new OperatorClient(agent.port);
  agent.start(["--task_exec=enabled"]);
  await serving(agent);
  const environment = { variables: [{ name: "OWN", value: "task's" }] };
  const launched = await client.on("LAUNCH_CONTAINER", ["root"], { command: { value: "sleep 1000", environment } });
  expect(launched.status).toBe(200);
}, 60_000);
afterAll(async () => {
  await client.end(["root"]);
  await agent.destroy();
});

const text = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};
const memoryOf = (pid: number): number => Number(/^VmRSS:\s+(\d+)/m.exec(text(`/proc/${pid}/status`))?.[1]) / 1024;

describe("a session with pipes", () => {
  it("has the task's environment and folder, both outputs in their place, and an exit", async () => {
    const session = await run('echo "$OWN $EXTRA" $PWD; echo err >&2; exit 7');
    await session.ended;
    expect(session.answer?.headers).toMatchObject({
      "content-type": "application/recordio",
      "message-content-type": "application/json",
    });
    expect(session.text).toMatch(/^task's {2}\S+\/containers\/root\n$/);
    expect(session.stderr).toBe("err\n");
    expect(await exitOf(session)).toEqual({ exit_status: 7 << 8 });
    expect(agent.log).toContain(`Session root.s${sessions} of somebody without a name at 127.0.0.1: echo`);
    expect(agent.log).toContain(`Session root.s${sessions} ended after`);
  });

  it("is told what to read, and where that ends", async () => {
    const session = await run("cat");
    const input = session.input();
    input.data("hello ");
    input.data("there");
    input.data("");
    input.end();
    await session.ended;
    expect(session.text).toBe("hello there");
    expect((await input.answer).status).toBe(200);
  });

  it("gives 100 MB complete and in order", async () => {
    const session = await run("seq 1 14000000 | head -c 100000000");
    await session.ended;
    expect(session.bytes).toBe(100_000_000);
    const lines = session.text.split("\n").slice(0, 100_000);
    expect(lines.every((line, index) => line === `${index + 1}`)).toBe(true);
  });

  it("shows signs of life while nothing is said", async () => {
    const session = await run("sleep 0.5");
    await session.ended;
    expect(session.types).toEqual(new Set(["CONTROL"]));
  });
});

describe("a session with a terminal", () => {
  it("has a size, job control, and an exit", async () => {
    const session = await named().open({ shell: false, value: "sh", arguments: ["sh"] }, { tty: true });
    const input = session.input();
    const says = (what: RegExp) => expect.poll(() => session.text).toMatch(what);
    input.data("stty size\n");
    await says(/^(# )?40 123\r$/m);
    input.resize(50, 90);
    input.data("stty size; tty; echo running; sleep 100\n");
    await says(/^(# )?50 90\r$[\s\S]*^\/dev\/pts\/\d+\r$[\s\S]*^running\r$/m);
    input.data("\x03");
    input.data("echo after $?\n");
    await says(/after 130/);
    input.data("sleep 200 &\nfg\n");
    await says(/^(# )?sleep 200\r$/m);
    input.data("\x03");
    input.data("echo again $?; exit 7\n");
    await says(/again 130/);
    await session.ended;
    expect(await exitOf(session)).toEqual({ exit_status: 7 << 8 });
    expect((await input.answer).status).toBe(200);
  });
});

describe("clients of a session", () => {
  it("may be several: all read the same", async () => {
    const first = await run("read go; seq 1 1000");
    const other = await new SessionClient(agent.port, first.chain).attachOutput();
    first.input().data("go\n");
    await Promise.all([first.ended, other.ended]);
    expect(other.text).toBe(first.text);
    expect(other.text.split("\n")).toHaveLength(1001);
  });

  it("that vanish leave no process", async () => {
    const session = await run("sleep 1000 & echo $! $$; trap '' TERM; wait");
    await expect.poll(() => session.text).toMatch(/^\d+ \d+\n$/);
    const pids = session.text.trim().split(" ");
    session.vanish();
    await expect.poll(() => pids.filter((pid) => text(`/proc/${pid}/stat`) !== "")).toEqual([]);
    expect(await exitOf(session)).toEqual({ exit_status: 9 });
  });

  it("that do not read cost the agent no memory", async () => {
    const warm = await run("yes | head -c 50000000");
    await warm.ended;
    const before = memoryOf(agent.pid);
    const slow = await Promise.all(Array.from({ length: 10 }, () => run("yes", { isRead: false })));
    const busy = await run("yes | head -c 20000000");
    await busy.ended;
    const after = memoryOf(agent.pid);
    console.log(`10 unread sessions of yes: the agent has ${after.toFixed(0)} MB, before ${before.toFixed(0)} MB`);
    for (const session of slow) session.vanish();
    expect(after - before).toBeLessThan(80);
  });

  it("are two hundred at once", async () => {
    const all = await Promise.all(Array.from({ length: 200 }, (_, index) => run(`echo ${index}; exit 3`)));
    await Promise.all(all.map(({ ended }) => ended));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([200]));
    expect(all.map((session) => session.text)).toEqual(all.map((_, index) => `${index}\n`));
    expect(await exitOf(all[199] as SessionClient)).toEqual({ exit_status: 3 << 8 });
  }, 60_000);
});

describe("answers", () => {
  it("to one who may not, or asks for what is not there", async () => {
    const nobody = await new SessionClient(agent.port, ["root", "nobody"]).attachOutput();
    await nobody.ended;
    expect(nobody).toMatchObject({ status: 404, text: "Container root.nobody cannot be found" });
    expect((await new SessionClient(agent.port, ["root", "nobody"]).input().answer).status).toBe(404);
    const orphan = await new SessionClient(agent.port, ["unknown", "x"]).open({ value: "true" });
    await orphan.ended;
    expect(orphan).toMatchObject({ status: 400, text: "Root container unknown not found" });
    const missing = await named().open({ shell: false, value: "no-such-program" });
    await missing.ended;
    expect(missing).toMatchObject({ status: 400, text: expect.stringContaining("No such file or directory") });
    const open = await run("cat");
    const twice = await new SessionClient(agent.port, open.chain).open({ value: "true" });
    expect(twice.status).toBe(202);
    const [first, second] = [open.input(), open.input()];
    expect((await Promise.race([first.answer, second.answer])).status).toBe(409);
    open.vanish();
  });

  it("to records that are none", async () => {
    const open = await run("cat");
    const input = open.input();
    input.data("a");
    await expect.poll(() => open.text).toBe("a");
    input.raw("x");
    expect((await input.answer).status).toBe(400);
    expect((await client.on("ATTACH_CONTAINER_INPUT", open.chain)).status).toBe(415);
    const again = open.input();
    again.data("b");
    again.data("");
    again.end();
    await open.ended;
    expect(open.text).toBe("ab");
  });

  it("are 403, with the reason, unless the operator wants sessions", async () => {
    await agent.end();
    agent.start();
    await serving(agent);
    const refused = await run("true");
    await refused.ended;
    expect(refused).toMatchObject({ status: 403, text: expect.stringContaining("--task_exec=enabled") });
    expect((await refused.input().answer).status).toBe(403);
  });
});
