import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ScriptedPages, ScriptedShell } from "../../test/support/scripted-shell.ts";
import { columns, plain } from "./columns.ts";
import { credentialIn, credentialOf } from "./credentials.ts";
import { localAgent } from "./local-agent.ts";
import { addressGiven } from "./reach.ts";
import { runCommand } from "./run.ts";
import { findTask, rowsOfAgent } from "./task-rows.ts";

const status = (state: string, timestamp: number, container_id?: object) => ({
  ...{ state, timestamp },
  ...(container_id && { container_status: { container_id } }),
});
const task = (id: string, more: object = {}) => ({
  ...{ id, name: "n", state: "TASK_RUNNING", slave_id: "S0", resources: { cpus: 0.5, mem: 64 }, statuses: [] },
  ...more,
});
const state = {
  id: "S0",
  frameworks: [
    {
      id: "f",
      name: "framework",
      executors: [
        {
          ...{ id: "web.1", directory: "/w/web.1", container: "c1" },
          tasks: [
            task("web.1", { statuses: [status("TASK_STARTING", 1), status("TASK_RUNNING", 2, { value: "c1" })] }),
          ],
          completed_tasks: [task("web.0", { state: "TASK_FINISHED" })],
        },
        {
          ...{ id: "default", directory: "/w/default", container: "c2", type: "DEFAULT" },
          tasks: [task("pod", { statuses: [status("TASK_RUNNING", 3, { value: "n", parent: { value: "c2" } })] })],
          queued_tasks: [{ id: "late", slave_id: "S0", resources: {} }],
        },
      ],
    },
  ],
  completed_frameworks: [
    { id: "g", completed_executors: [{ id: "web.1", directory: "/w/old", tasks: [task("web.1"), task("old")] }] },
  ],
};
const rows = rowsOfAgent(state);

describe("the tasks of an agent", () => {
  it("have their container, sandbox and start", () => {
    expect(rows.find(({ id }) => id === "pod")).toMatchObject({
      ...{ container: ["c2", "n"], folder: "/w/default/tasks/pod", started: 3, cpus: 0.5, mem: 64, isOver: false },
    });
    expect(rows.find(({ id }) => id === "late")).toMatchObject({ state: "TASK_STAGING", container: ["c2"] });
    expect(rows.filter(({ isOver }) => isOver).map(({ id }) => id)).toEqual(["web.0", "web.1", "old"]);
  });

  // Of two frameworks that run.
  const twice = rows.concat(rows.filter(({ id }) => id === "pod").map((row) => ({ ...row, frameworkId: "h" })));
  const find = (wanted: string, framework?: string) => findTask(rows, wanted, "the agent at a:1", framework);
  it("are found by their id and by its beginning", () => {
    expect(find("web.1", "f").folder).toBe("/w/web.1");
    expect(find("po").id).toBe("pod");
    // One that runs before one that has ended, or whose framework has and that nobody was told of.
    expect(find("web.1").folder).toBe("/w/web.1");
    expect(find("old")).toMatchObject({ state: "TASK_RUNNING", isOver: true });
    expect(find("web.0").id).toBe("web.0");
    expect(find("web", "f").id).toBe("web.1");
  });

  it.each([
    ["pod", /2 frameworks have a task 'pod' at the agent at a:1\n {2}Fix: say whose: --framework=f or --framework=h/],
    ["", /the ids of several tasks .*begin with '': /],
    ["bod", /there is no task 'bod' at the agent at a:1\n {2}Fix: did you mean pod\?/],
    ["completely-other", /Fix: running there: web.1, pod/],
  ])("'%s' is not one of them", (wanted, why) => {
    let text = "";
    try {
      findTask(twice, wanted, "the agent at a:1");
    } catch (error) {
      ({ text } = error as { text: string });
    }
    expect(text).toMatch(why);
  });
});

it("what others have written does nothing to the terminal", () => {
  expect(plain("a\x1b[2Jb\u202ec")).toBe("a\ufffd[2Jb\ufffdc");
  expect(columns(["A", "BB"], [["x\n", "1"]], [1])).toBe("A   BB\nx\ufffd   1\n");
});

describe("credentials", () => {
  const list = '{"credentials": [{"principal": "a", "secret": "x"}, {"principal": "b", "secret_hash": "h"}]}';
  it("are one, or one of several", () => {
    expect(credentialIn("a x\n", "f", undefined)).toEqual({ principal: "a", secret: "x" });
    expect(credentialIn(list, "f", "a")).toEqual({ principal: "a", secret: "x" });
    expect(() => credentialIn(list, "f", undefined)).toThrow("several credentials");
    expect(() => credentialIn(list, "f", "b")).toThrow("only a hash");
    expect(() => credentialIn(list, "f", "c")).toThrow("no credential of 'c'");
    expect(() => credentialIn("a x", "f", "c")).toThrow("not of 'c'");
  });

  it("of the environment are taken where they can be read, those of a flag must be", () => {
    const none = { credential: undefined, principal: undefined };
    expect(credentialOf(none, { MESOS_CREDENTIAL: "/none/such" })).toBeUndefined();
    expect(credentialOf(none, {})).toBeUndefined();
    expect(() => credentialOf({ ...none, credential: "/none/such" }, {})).toThrow("--credential");
    expect(() => credentialOf({ ...none, principal: "a" }, {})).toThrow("--principal needs a file");
  });
});

describe("this node's agent", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "cli-"));
    mkdirSync(join(folder, "run"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("is where it wrote down, where init will have it, where the environment says, or at the usual port", () => {
    expect(localAgent({})).toEqual({ address: "127.0.0.1:5051", isSecured: false });
    expect(localAgent({ MESOS_PORT: "1", MESOS_IP: "10.0.0.1" }).address).toBe("10.0.0.1:1");
    expect(localAgent({ LIBPROCESS_PORT: "2", MESOS_IP: "0.0.0.0" }).address).toBe("127.0.0.1:2");
    expect(localAgent({ LIBPROCESS_SSL_ENABLED: "1" }).isSecured).toBe(true);
    expect(localAgent({ INIT_ROOT: folder, MESOS_PORT: "3" }).address).toBe("127.0.0.1:3");
    writeFileSync(join(folder, "run/health"), "10.0.0.2\n4\n30\nhttp\n");
    expect(localAgent({ INIT_ROOT: folder, MESOS_PORT: "3" }).address).toBe("10.0.0.2:4");
    writeFileSync(join(folder, "run/agent"), "10.0.0.3\n5\ntls\n");
    expect(localAgent({ INIT_ROOT: folder })).toEqual({ address: "10.0.0.3:5", isSecured: true });
  });
});

it.each([
  ["10.0.0.1", "10.0.0.1:5051", false],
  ["host:1", "host:1", false],
  ["https://host:1/", "host:1", true],
  ["[::1]:1", "[::1]:1", false],
])("--agent=%s", (text, address, isSecured) => {
  expect(addressGiven("--agent", text, 5051)).toEqual({ address, isSecured });
});

it.each(["", "a b", "host:70000", "zk://a"])("--agent=%s is refused", (text) => {
  expect(() => addressGiven("--agent", text, 5051)).toThrow("is no address");
});

describe("listing and finding", () => {
  const started: ScriptedPages[] = [];
  const start = async (pages: ScriptedPages["pages"]): Promise<ScriptedPages> => {
    const made = await ScriptedPages.start(pages);
    started.push(made);
    return made;
  };
  afterEach(async () => {
    for (const one of started.splice(0)) await one.close();
  });
  const run = async (...words: string[]) => {
    const shell = new ScriptedShell();
    return { code: await runCommand(words, shell), text: shell.text };
  };

  it("shows those that run, all, ids, or JSON", async () => {
    const { address } = await start({ "/state": state });
    const table = await run("tasks", `--agent=${address}`);
    expect(table.text.split("\n").map((line) => line.split(/ {2,}/)[0])).toEqual(["TASK", "web.1", "pod", "late", ""]);
    expect(table.text).toMatch(/pod +TASK_RUNNING +framework +0.5 +64 +1970-01-01 00:00:03 +c2.n/);
    expect((await run("tasks", "-q", "--framework=f", `--agent=${address}`)).text).toBe("web.1\npod\nlate\n");
    expect((await run("tasks", "-aq", "--framework=f", `--agent=${address}`)).text).toContain("web.0\n");
    expect((await run("tasks", "-aq", `--agent=${address}`)).text).toContain("old\n");
    const [first] = JSON.parse((await run("tasks", "--json", `--agent=${address}`)).text);
    expect(first).toMatchObject({
      id: "web.1",
      framework_id: "f",
      container_id: "c1",
      started: "1970-01-01T00:00:02.000Z",
    });
  });

  it("asks the master that leads, and then the agent that has the task", async () => {
    const agent = await start({
      "/state": state,
      "/files/browse": [{ path: "/w/default/tasks/pod/stdout", size: 3, mtime: 1 }],
      "/files/read": (request: { url?: string }, response: { end(text: string): void }) =>
        response.end(request.url?.includes("offset=0") ? '{"data":"hi\\n","offset":0}' : '{"data":"","offset":3}'),
    });
    const leader = await start({
      "/tasks": { tasks: [{ ...task("pod"), framework_id: "f" }] },
      "/slaves": { slaves: [{ id: "S0", hostname: "h", pid: `slave(1)@${agent.address}` }] },
    });
    const redirect: ScriptedPages["pages"][string] = (request, response) =>
      response.writeHead(307, { location: `//${leader.address}${request.url}` }).end();
    const other = await start({ "/tasks": redirect, "/slaves": redirect });
    const gone = await start({});
    const nowhere = gone.address;
    await started.pop()?.close();
    expect((await run("logs", "pod", `--master=${other.address}`)).text).toBe("hi\n");
    expect((await run("logs", "po", `--master=${nowhere},${other.address}`)).text).toBe("hi\n");
    expect(leader.asked).toContain("GET /tasks?limit=1000000&task_id=pod");
    expect((await run("tasks", "-q", `--master=${leader.address}`)).text).toBe("pod\n");
    await expect(run("logs", "nope", `--master=${other.address}`)).rejects.toThrow("no task 'nope' at the master");
    leader.pages["/slaves"] = { slaves: [] };
    await expect(run("logs", "pod", `--master=${leader.address}`)).rejects.toThrow("(S0) is not registered");
  });

  it.each([
    [401, "", "wants to know who you are (401)\n  Fix: give a file with your name and password: --credential=FILE"],
    [403, "", "does not let you do that (403)\n  Fix: the rules of the agent (--acls) must allow it without a name"],
    [403, "off: --task_exec=disabled", "(403): off: --task_exec=disabled"],
    [404, "", "answered /state with 404\n  Fix: is it a Mesos agent?"],
    [503, "", "is not ready yet (503)\n  Fix: try again in a moment"],
  ])("a refusal with %i is told", async (code, body, why) => {
    const { address } = await start({ "/state": (_request, response) => response.writeHead(code).end(body) });
    const refused = run("tasks", `--agent=${address}`);
    await expect(refused).rejects.toMatchObject({ text: expect.stringContaining(why) });
  });

  it("an agent that is down is told, and what is none", async () => {
    const { address } = await start({ "/state": (_request, response) => response.end("<html>") });
    await expect(run("tasks", `--agent=${address}`)).rejects.toThrow("is no JSON");
    await started.pop()?.close();
    await expect(run("tasks", `--agent=${address}`)).rejects.toThrow(
      `no agent answers at ${address}: connection refused`,
    );
    await expect(run("tasks", `--agent=${address}`, "--master=b")).rejects.toThrow("do not go together");
  });

  it("a master that is given as an agent is told, and an agent as a master", async () => {
    const pages = {
      "/state": { slaves: [], frameworks: [{ id: "f", name: "n" }] },
      "/tasks": { tasks: [{ task_id: "t" }] },
    };
    const { address } = await start(pages);
    const told = async (...words: string[]) =>
      await expect(run(...words)).rejects.toMatchObject({
        text: expect.stringMatching(/^[^\n]*\n {2}Fix: is it a Mesos/),
      });
    const asAgent = `${address}/state is not what a Mesos agent answers: it is a master's`;
    await expect(run("tasks", `--agent=${address}`)).rejects.toThrow(asAgent);
    await expect(run("logs", "t", `--agent=${address}`)).rejects.toThrow(asAgent);
    await told("tasks", `--agent=${address}`);
    const asMaster = `${address}/tasks is not what a Mesos master answers: tasks.0.id: `;
    await expect(run("tasks", `--master=${address}`)).rejects.toThrow(asMaster);
    await expect(run("logs", "t", `--master=${address}`)).rejects.toThrow(asMaster);
    await told("tasks", `--master=${address}`);
  });

  it("a name and its secret go along, and are in no message", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cli-"));
    try {
      writeFileSync(join(folder, "credential"), "me hidden\n");
      const agent = await start({ "/state": (_request, response) => response.writeHead(401).end() });
      const refused = run("tasks", `--agent=${agent.address}`, `--credential=${join(folder, "credential")}`);
      await expect(refused).rejects.toMatchObject({
        text: expect.stringMatching(/^(?!.*hidden)[\s\S]*'me' and its secret are not in/),
      });
      expect(agent.headers[0]?.authorization).toBe(`Basic ${Buffer.from("me:hidden").toString("base64")}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
