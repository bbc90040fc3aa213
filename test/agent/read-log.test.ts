import { execFileSync } from "node:child_process";
import { appendFileSync, linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decode, encode } from "../../src/mesos/codec.ts";
import {
  Call_ReadLog_Source,
  Call_Type,
  CallSchema,
  ResponseSchema,
} from "../../src/mesos/gen/mesos/v1/agent/agent_pb.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest } from "../support/agent-under-test.ts";
import { idJson, OperatorClient } from "../support/operator-client.ts";
import { until } from "../support/scripted-master.ts";

/** READ_LOG over HTTP, of the real agent with real files. */
let test: AgentUnderTest;
let client: OperatorClient;
let sandbox: string;

async function open(flags: readonly string[] = []): Promise<void> {
  await test.start({ flags, createSandbox: (directory) => void mkdirSync(directory, { recursive: true }) });
  await test.register();
}
beforeEach(async () => {
  test = await AgentUnderTest.open();
  client = new OperatorClient(test.port);
});
afterEach(() => test.close());

/** A running task, with these files in its sandbox; returns its container's id. */
async function running(files: Readonly<Record<string, string>> = {}): Promise<string> {
  await test.running("one", TaskState.TASK_RUNNING);
  const { executors } = test.node.viewed.registry.active.get("F") ?? {};
  const { directory = "", containerId = "" } = executors?.get("one") ?? {};
  sandbox = directory;
  for (const [name, content] of Object.entries(files)) writeFileSync(join(sandbox, name), content);
  return containerId;
}

interface Part {
  readonly size: number;
  readonly data: string;
}
const told = ({ size, data }: Part): [number, string] => [size, Buffer.from(data, "base64").toString()];

async function read(chain: readonly string[], more: object = {}) {
  const { status, body } = await client.call("READ_LOG", {
    source: "CONTAINER",
    container_id: idJson(...chain),
    ...more,
  });
  if (status !== 200) return { status, body };
  const { type, read_log: log } = JSON.parse(body) as { type: string; read_log: Record<"stdout" | "stderr", Part> };
  expect(type).toBe("READ_LOG");
  return { stdout: told(log.stdout), stderr: told(log.stderr) };
}

describe("the log of a container", () => {
  it("is told by offsets, each stream by its own, with its whole size", async () => {
    await open();
    const id = await running({ stdout: "hello\nthere\n", stderr: "oh no\n" });
    expect(await read([id])).toEqual({ stdout: [12, "hello\nthere\n"], stderr: [6, "oh no\n"] });
    expect(await read([id], { stdout_offset: 6, stderr_offset: 3, length: 4 })).toEqual({
      stdout: [12, "ther"],
      stderr: [6, "no\n"],
    });
    expect(await read([id], { stdout_offset: 12, stderr_offset: "18446744073709551615" })).toEqual({
      stdout: [12, ""],
      stderr: [6, ""],
    });
    expect(await read([id], { length: 0 })).toEqual({ stdout: [12, ""], stderr: [6, ""] });
    appendFileSync(join(sandbox, "stdout"), "more\n");
    expect(await read([id], { stdout_offset: 12 })).toMatchObject({ stdout: [17, "more\n"] });
  });

  it("is bounded in each answer, whatever is asked for", async () => {
    await open();
    const id = await running({ stdout: "x".repeat(200_000) });
    for (const more of [{}, { length: 1e9 }, { length: "18446744073709551615" }]) {
      const answer = await read([id], more);
      expect(answer).toMatchObject({ stdout: [200_000, "x".repeat(65_536)] });
    }
  });

  it("is empty before anything was written", async () => {
    await open();
    expect(await read([await running()])).toEqual({ stdout: [0, ""], stderr: [0, ""] });
  });

  it("is there after its end, as long as its sandbox is", async () => {
    await open();
    const id = await running({ stdout: "last words\n" });
    test.machine.containerOf("one")?.end(0);
    await test.master.status("one", TaskState.TASK_FINISHED);
    await until("it is over", () => test.machine.asked.includes("remove one"));
    expect(await read([id])).toMatchObject({ stdout: [11, "last words\n"] });
    rmSync(sandbox, { recursive: true });
    expect(await read([id])).toMatchObject({ status: 404 });
  });

  it("of one in it, and of one that stands alone, is that of its own sandbox", async () => {
    await open();
    const id = await running({ stdout: "outer" });
    mkdirSync(join(sandbox, "containers/a/containers/b"), { recursive: true });
    writeFileSync(join(sandbox, "containers/a/stdout"), "in it");
    writeFileSync(join(sandbox, "containers/a/containers/b/stderr"), "deep in it");
    mkdirSync(join(test.workDir, "containers/alone"), { recursive: true });
    writeFileSync(join(test.workDir, "containers/alone/stdout"), "alone");
    expect(await read([id, "a"])).toEqual({ stdout: [5, "in it"], stderr: [0, ""] });
    expect(await read([id, "a", "b"])).toEqual({ stdout: [0, ""], stderr: [10, "deep in it"] });
    expect(await read(["alone"])).toMatchObject({ stdout: [5, "alone"] });
  });

  it("that nobody knows is not found", async () => {
    await open();
    const id = await running();
    for (const chain of [["unknown"], [id, "unknown"], ["unknown", "child"]])
      expect(await read(chain)).toEqual({ status: 404, body: `Container '${chain.join(".")}' cannot be found` });
  });

  it("is nothing but a file of the sandbox", async () => {
    await open();
    const id = await running({ real: "through a link" });
    const secret = join(test.folder, "secret");
    writeFileSync(secret, "secret");
    const instead: readonly [string, (path: string) => void, object][] = [
      ["a link out of it", (path) => symlinkSync(secret, path), { status: 400 }],
      ["a link within", (path) => symlinkSync("real", path), { stdout: [14, "through a link"] }],
      ["a FIFO", (path) => execFileSync("mkfifo", [path]), { status: 400 }],
      ["a folder", (path) => mkdirSync(path), { status: 400 }],
      ["a file with two names", (path) => linkSync(join(sandbox, "real"), path), { stdout: [14, "through a link"] }],
    ];
    for (const [what, make, answer] of instead) {
      make(join(sandbox, "stdout"));
      expect(await read([id]), what).toMatchObject(answer);
      rmSync(join(sandbox, "stdout"), { recursive: true });
    }
  });

  it("is the container's own where its sandbox has none", async () => {
    const wanted: object[] = [];
    const data = Buffer.from("own");
    test.machine.ownLog = async (_id, windows) => {
      wanted.push(windows);
      return { stdout: { size: 3, data }, stderr: { size: 30, data } };
    };
    await open();
    const id = await running({ stderr: "in the sandbox" });
    execFileSync("mkfifo", [join(sandbox, "stdout")]);
    expect(await read([id], { stdout_offset: 1, length: 9 })).toEqual({
      stdout: [3, "own"],
      stderr: [14, "in the sa"],
    });
    rmSync(join(sandbox, "stderr"));
    expect(await read([id])).toEqual({ stdout: [3, "own"], stderr: [30, "own"] });
    expect(await read([id], { length: 1e9 })).toMatchObject({ stdout: [3, "own"] });
    const bounded = { offset: 0, length: 65_536 };
    expect(wanted.slice(1)).toEqual(Array(2).fill({ stdout: bounded, stderr: bounded }));
    expect(wanted[0]).toEqual({ stdout: { offset: 1, length: 9 }, stderr: { offset: 0, length: 9 } });
    test.machine.ownLog = undefined;
  });

  it("that its daemon does not tell is an error that says so", async () => {
    test.machine.ownLog = () => Promise.reject(new Error("the daemon is away"));
    await open();
    expect(await read([await running()])).toEqual({
      status: 500,
      body: expect.stringContaining("the daemon is away"),
    });
  });
});

describe("the log of the agent", () => {
  const log = (more: object = {}) => client.call("READ_LOG", { source: "AGENT", ...more });

  it("is stdout, of the file that it writes", async () => {
    mkdirSync(join(test.folder, "log"));
    writeFileSync(join(test.folder, "log/mesos-slave.INFO"), "I1129 first\n");
    await open([`--log_dir=${test.folder}/log`]);
    const { status, body } = await log({ stdout_offset: 6, length: 5 });
    expect([status, JSON.parse(body)]).toEqual([
      200,
      { type: "READ_LOG", read_log: { stdout: { size: 12, data: Buffer.from("first").toString("base64") } } },
    ]);
  });

  it("is not found where it writes none", async () => {
    await open();
    expect((await log()).status).toBe(404);
  });
});

describe("a READ_LOG that is not valid", () => {
  it.each([
    [{ read_log: undefined }, "'read_log' to be present"],
    [{ read_log: {} }, "source"],
    [{ read_log: { source: "UNKNOWN" } }, "must be CONTAINER or AGENT"],
    [{ read_log: { source: "CONTAINER" } }, "'read_log.container_id' for CONTAINER"],
    [{ read_log: { source: "AGENT", container_id: { value: "c" } } }, "only valid for CONTAINER"],
    [{ read_log: { source: "CONTAINER", container_id: { value: "a/b" } } }, "'read_log.container_id' is invalid"],
    [{ read_log: { source: "CONTAINER", container_id: { value: "..", parent: { value: "a" } } } }, "is invalid"],
    [{ read_log: { source: "AGENT", stdout_offset: -1 } }, "stdout_offset"],
    [{ read_log: { source: "AGENT", length: "many" } }, "length"],
  ])("%j", async (more, why) => {
    await open();
    const answer = await fetch(client.url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ type: "READ_LOG", ...more }),
    });
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining(why)]);
  });
});

it("READ_LOG speaks protobuf", async () => {
  await open();
  const id = await running({ stdout: "hello" });
  const type = "application/x-protobuf";
  const call = create(CallSchema, {
    type: Call_Type.READ_LOG,
    readLog: { source: Call_ReadLog_Source.CONTAINER, containerId: { value: id }, stdoutOffset: 1n },
  });
  const headers = { "content-type": type, accept: type };
  const answer = await fetch(client.url, { method: "POST", headers, body: encode(CallSchema, call) });
  const { readLog } = decode(ResponseSchema, new Uint8Array(await answer.arrayBuffer()));
  expect([readLog?.stdout?.size, Buffer.from(readLog?.stdout?.data ?? []).toString()]).toEqual([5n, "ello"]);
  expect(readLog?.stderr?.size).toBe(0n);
});
