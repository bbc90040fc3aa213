import { existsSync, lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { decode, encode } from "../../src/mesos/codec.ts";
import { Call_Type, CallSchema, ResponseSchema } from "../../src/mesos/gen/mesos/v1/agent/agent_pb.ts";
import { freePort } from "../support/free-port.ts";
import { idJson, OperatorClient, serving } from "../support/operator-client.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { until } from "../support/scripted-master.ts";

/*
 * Containers that stand alone and those within them, by the operator API of a real agent that no master has heard of: it
 * needs none for them.
 */
let agent: AgentProcess;
let client: OperatorClient;
const on: OperatorClient["on"] = (...words) => client.on(...words);
const launch: OperatorClient["launch"] = (...words) => client.launch(...words);
const waited: OperatorClient["waited"] = (chain) => client.waited(chain);

beforeAll(async () => {
  agent = new AgentProcess({ master: "127.0.0.1:1", port: await freePort(), flags: ["--no-switch_user"] });
  client = new OperatorClient(agent.port);
  agent.start();
  await serving(agent);
}, 60_000);
afterAll(() => agent.destroy());

const sandbox = (...chain: readonly string[]) => join(agent.workDir, ...chain.flatMap((id) => ["containers", id]));

let root: string;
beforeEach(async () => {
  root = `root-${Math.random().toString(36).slice(2)}`;
  expect(await launch([root], "echo $PWD; sleep 1000")).toEqual({ status: 200, body: "" });
});
afterEach(async () => {
  await on("KILL_CONTAINER", [root]);
  await on("WAIT_CONTAINER", [root]);
  expect((await on("REMOVE_CONTAINER", [root])).status).toBe(200);
  expect(existsSync(sandbox(root))).toBe(false);
});

it("answers as Mesos does", async () => {
  expect((await launch([root], "true")).status).toBe(202);
  expect(await launch([root, "a", "b"], "true")).toEqual({
    status: 400,
    body: `Parent container ${root}.a does not exist`,
  });
  expect(await launch(["unknown", "a"], "true")).toEqual({ status: 400, body: "Root container unknown not found" });
  const docker = { container: { type: "DOCKER", docker: { image: "i" } } };
  expect(await launch([root, "a"], "true", docker)).toEqual({
    status: 400,
    body: "The provided ContainerInfo is not supported",
  });
  expect((await on("WAIT_CONTAINER", [root, "a"])).status).toBe(404);
  expect((await on("KILL_CONTAINER", [root, "a"])).status).toBe(404);
  expect((await on("REMOVE_CONTAINER", [root, "a"])).status).toBe(200);
  expect((await on("REMOVE_CONTAINER", ["unknown", "a"])).status).toBe(500);
  expect(await on("REMOVE_CONTAINER", [root])).toEqual({
    status: 500,
    body: "Nested container has not terminated yet",
  });
  expect((await on("WAIT_NESTED_CONTAINER", [root])).status).toBe(400);
  expect((await on("LAUNCH_CONTAINER", ["a.b"])).status).toBe(400);
});

it("runs a container in another's sandbox, tells how it ended, and takes its id again", async () => {
  const container = {
    type: "MESOS",
    volumes: [
      {
        mode: "RW",
        container_path: "shared",
        source: { type: "SANDBOX_PATH", sandbox_path: { type: "PARENT", path: "data" } },
      },
    ],
  };
  expect((await launch([root, "a"], "pwd; echo x > shared/x; exit 3", { container })).status).toBe(200);
  expect(await waited([root, "a"])).toEqual({ exit_status: 3 << 8 });
  expect(readFileSync(join(sandbox(root, "a"), "stdout"), "utf8")).toBe(`${sandbox(root, "a")}\n`);
  expect(readFileSync(join(sandbox(root), "data/x"), "utf8")).toBe("x\n");
  expect((await launch([root, "a"], "exit 0")).status).toBe(200);
  expect(await waited([root, "a"])).toEqual({ exit_status: 0 });
  expect((await on("REMOVE_NESTED_CONTAINER", [root, "a"])).status).toBe(200);
  expect(existsSync(sandbox(root, "a"))).toBe(false);
  expect((await on("WAIT_CONTAINER", [root, "a"])).status).toBe(404);
});

it("goes through no link that a task put in the way", async () => {
  expect((await launch([root, "a"], "rm -rf ../../containers; ln -s /tmp ../../containers; sleep 1000")).status).toBe(
    200,
  );
  const isLink = () => lstatSync(join(sandbox(root), "containers"), { throwIfNoEntry: false })?.isSymbolicLink();
  await until("the link", () => isLink() === true);
  expect(await launch([root, "b"], "true")).toMatchObject({
    status: 400,
    body: expect.stringContaining("is a symbolic link"),
  });
  expect(existsSync("/tmp/b")).toBe(false);
});

it("sends the signal that is asked for", async () => {
  await launch([root, "a"], "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done");
  await until("it is ready", () => readFileSync(join(sandbox(root, "a"), "stdout"), "utf8") === "ready\n");
  expect((await on("KILL_NESTED_CONTAINER", [root, "a"], { signal: 15 })).status).toBe(200);
  expect(await waited([root, "a"])).toEqual({ exit_status: 5 << 8 });
});

it("shows what runs, when asked", async () => {
  await launch([root, "a"], "sleep 1000");
  await launch([root, "a", "b"], "sleep 1000");
  const shown = async (more: object) =>
    (JSON.parse((await client.call("GET_CONTAINERS", more)).body).get_containers.containers ?? []) as object[];
  expect(await shown({})).toEqual([]);
  expect(await shown({ show_standalone: true })).toMatchObject([{ container_id: idJson(root) }]);
  const nested = await shown({ show_nested: true });
  expect(nested).toMatchObject([{ container_id: idJson(root, "a") }, { container_id: idJson(root, "a", "b") }]);
  expect(nested[0]).toMatchObject({ resource_statistics: { processes: expect.any(Number) } });
});

it("speaks protobuf", async () => {
  const id = { value: "p", parent: { value: root } };
  const ask = async (init: Parameters<typeof create<typeof CallSchema>>[1]) => {
    const type = "application/x-protobuf";
    const body = encode(CallSchema, create(CallSchema, init));
    const answer = await fetch(client.url, { method: "POST", headers: { "content-type": type, accept: type }, body });
    return { status: answer.status, body: new Uint8Array(await answer.arrayBuffer()) };
  };
  const command = { value: "exit 4" };
  expect((await ask({ type: Call_Type.LAUNCH_CONTAINER, launchContainer: { containerId: id, command } })).status).toBe(
    200,
  );
  const { body } = await ask({ type: Call_Type.WAIT_NESTED_CONTAINER, waitNestedContainer: { containerId: id } });
  expect(decode(ResponseSchema, body).waitNestedContainer?.exitStatus).toBe(4 << 8);
});

it("keeps containers and their ends over a kill -9 of the agent, and ends what a parent's end leaves", async () => {
  await launch([root, "ends"], "sleep 0.2; exit 6");
  await launch([root, "stays"], "sleep 1000");
  await launch([root, "stays", "deep"], "echo $$ > pid; sleep 1000");
  const pidFile = join(sandbox(root, "stays", "deep"), "pid");
  await until("the deep one runs", () => existsSync(pidFile) && readFileSync(pidFile, "utf8").endsWith("\n"));
  await agent.end();
  agent.start();
  await serving(agent);
  expect(await waited([root, "ends"])).toEqual({ exit_status: 6 << 8 });
  expect((await launch([root, "stays", "deep"], "true")).status).toBe(202);
  const deep = waited([root, "stays", "deep"]);
  expect((await on("KILL_CONTAINER", [root])).status).toBe(200);
  expect(await waited([root])).toEqual({ exit_status: 9 });
  expect(await deep).toEqual({ exit_status: 9 });
  expect(existsSync(`/proc/${readFileSync(pidFile, "utf8").trim()}`)).toBe(false);
  expect((await launch([root, "late"], "true")).status).toBe(400);
});
