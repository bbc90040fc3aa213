import { createHmac } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ExecutorTokens } from "../../src/agent/authorization/executor-tokens.ts";
import { TOKEN_VARIABLE } from "../../src/agent/model/executor-token.ts";
import type { Logger } from "../../src/base/log.ts";
import { Call_Type, Event_Type } from "../../src/mesos/gen/mesos/v1/executor/executor_pb.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import {
  AgentUnderTest,
  commandTask,
  EXECUTOR,
  executorInfo,
  executorTask,
  FRAMEWORK,
} from "../support/agent-under-test.ts";
import type { ExecutorCallInit, HttpExecutor } from "../support/scripted-http-executor.ts";
import { until } from "../support/scripted-master.ts";

const KEY = "a key that only the agent knows";
const OTHER = "neighbour";
const PASSWORDS = { credentials: [{ principal: "ops", secret: "s" }] };

let test: AgentUnderTest;
let flags: string[];
const lines: string[] = [];
const write = (line: string): void => void lines.push(line);
const log: Logger = {
  info: write,
  warn: write,
  error: write,
  verbose: (_level, line) => write(line),
  named: () => log,
};

beforeEach(async () => {
  lines.length = 0;
  test = await AgentUnderTest.open();
  const [key, passwords] = [join(test.folder, "key"), join(test.folder, "passwords")];
  writeFileSync(key, KEY, { mode: 0o600 });
  writeFileSync(passwords, JSON.stringify(PASSWORDS), { mode: 0o600 });
  flags = [
    "--authenticate_http_executors",
    `--jwt_secret_key=${key}`,
    `--http_credentials=${passwords}`,
    "--authenticate_http_readonly",
    "--authenticate_http_readwrite",
  ];
  await test.start({ flags, log });
  await test.register();
});
afterEach(() => test.close());

const environmentOf = (name: string) => test.machine.containerOf(name)?.spec.environment ?? {};
const tokenOf = (name: string): string => environmentOf(name)[TOKEN_VARIABLE] ?? "";

/** An executor's container runs, and has its token. */
async function launched(executorId = EXECUTOR, taskId = "one"): Promise<HttpExecutor> {
  test.run(executorTask(taskId, executorInfo({ executorId: { value: executorId } })));
  await until(`container of ${executorId}`, () => test.machine.containerOf(executorId));
  const executor = test.httpExecutor();
  executor.token = tokenOf(executorId);
  return executor;
}

const event = (executor: HttpExecutor, type: Event_Type) =>
  until(`event ${type}`, () => executor.events.find((one) => one.type === type));

/** What is sent with `token`, in each way that an executor can send something in its own name. */
async function everyCall(token: string | undefined, more: Partial<ExecutorCallInit> = {}): Promise<number[]> {
  const executor = test.httpExecutor();
  executor.token = token;
  const calls: ExecutorCallInit[] = [
    { type: Call_Type.SUBSCRIBE, subscribe: {} },
    { type: Call_Type.UPDATE, update: { status: { taskId: { value: "one" }, state: 1, source: 2, uuid: uuid } } },
    { type: Call_Type.MESSAGE, message: { data: new Uint8Array([1]) } },
    { type: Call_Type.HEARTBEAT },
  ];
  return await Promise.all(calls.map((call) => executor.call({ ...call, ...more })));
}
const uuid = new Uint8Array(16).fill(1);

/** The status of a page or call, asked with a token. */
async function page(token: string, path: string, body?: object): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const url = `http://127.0.0.1:${test.port}${path}`;
  const answer = await fetch(
    url,
    body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) },
  );
  return answer.status;
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const claimsOf = (token: string): Record<string, string> =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
function made(header: object, payload: object, key: string): string {
  const signed = `${part(header)}.${part(payload)}`;
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
}

it("an executor with its token subscribes, reports and is acknowledged", async () => {
  const executor = await launched();
  const containerId = test.machine.containerOf(EXECUTOR)?.spec.containerId;
  expect(claimsOf(executor.token ?? "")).toEqual({ fid: FRAMEWORK, eid: EXECUTOR, cid: containerId });
  expect(await executor.subscribeOnce()).toBe(200);
  await event(executor, Event_Type.LAUNCH);
  expect(await executor.update("one", TaskState.TASK_RUNNING, 1)).toBe(202);
  await test.master.status("one", TaskState.TASK_RUNNING);
});

describe("nobody else is the executor", () => {
  it.each([
    ["no token", () => undefined, 401],
    ["an empty one", () => "", 401],
    ["another key's", (own: string) => made({ alg: "HS256", typ: "JWT" }, claimsOf(own), "another key"), 401],
    ["one that says none", (own: string) => `${part({ alg: "none" })}.${part(claimsOf(own))}.`, 401],
    ["one without its signature", (own: string) => own.replace(/[^.]+$/, ""), 401],
    ["one of no running container", (own: string) => made({ alg: "HS256" }, { ...claimsOf(own), cid: "x" }, KEY), 401],
  ])("with %s", async (_what, tokenFrom, status) => {
    const executor = await launched();
    expect(await everyCall(tokenFrom(executor.token ?? ""))).toEqual([status, status, status, status]);
    await test.master.quiet();
    expect(test.master.statesOf("one")).toEqual([]);
    expect(await executor.subscribeOnce()).toBe(200);
  });

  it("with another executor's token", async () => {
    await launched();
    const neighbour = await launched(OTHER, "two");
    expect(await everyCall(neighbour.token)).toEqual([403, 403, 403, 403]);
    // Of what is not there the token says as much: that it is not its own.
    const more = { executorId: { value: "not-there" } };
    expect((await everyCall(neighbour.token, more)).slice(0, 3)).toEqual([403, 403, 403]);
    expect((await everyCall(neighbour.token, { frameworkId: { value: "not-there" } })).slice(0, 3)).toEqual([
      403, 403, 403,
    ]);
    // Libraries send heartbeats with ids that mean nothing.
    expect((await everyCall(neighbour.token, more))[3]).toBe(202);
  });

  it("with the token of its own earlier run", async () => {
    const old = (await launched()).token ?? "";
    test.machine.containerOf(EXECUTOR)?.end(0);
    await test.master.status("one", TaskState.TASK_FAILED);
    expect(await everyCall(old)).toEqual([401, 401, 401, 401]);
    const again = await launched(EXECUTOR, "two");
    expect(again.token).not.toBe(old);
    expect(await everyCall(old)).toEqual([401, 401, 401, 401]);
    expect(await again.subscribeOnce()).toBe(200);
  });

  it("with a name and a password", async () => {
    await launched();
    const authorization = `Basic ${Buffer.from("ops:s").toString("base64")}`;
    const body = JSON.stringify({
      type: "SUBSCRIBE",
      subscribe: {},
      framework_id: { value: FRAMEWORK },
      executor_id: { value: EXECUTOR },
    });
    const answer = await fetch(`http://127.0.0.1:${test.port}/slave(1)/api/v1/executor`, {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body,
    });
    expect(answer.status).toBe(403);
  });
});

describe("a token", () => {
  it("shows nothing and changes nothing of others, on any page", async () => {
    const own = await launched();
    test.run(commandTask("neighbours-task", { command: { value: "secret" } }));
    await test.master.status("neighbours-task", TaskState.TASK_RUNNING);
    const token = own.token ?? "";
    const child = (parent: string | undefined) => ({ value: "child", parent: { value: parent ?? "" } });
    const [mine, its] = [EXECUTOR, "neighbours-task"].map((name) =>
      child(test.machine.containerOf(name)?.spec.containerId),
    );
    const sandbox = test.machine.containerOf("neighbours-task")?.spec.sandbox ?? "";
    const value = test.machine.containerOf(EXECUTOR)?.spec.containerId;
    const widened = { container_id: { value }, memory_limit: { value: 1e6 } };
    for (const [path, body] of [
      ["/flags"],
      ["/containers"],
      ["/tasks"],
      ["/metrics/snapshot"],
      ["/logging/toggle"],
      [`/files/browse?path=${sandbox}`],
      ["/api/v1", { type: "GET_FLAGS" }],
      ["/api/v1", { type: "SET_LOGGING_LEVEL", set_logging_level: { level: 1, duration: { nanoseconds: 1 } } }],
      ["/api/v1", { type: "LIST_FILES", list_files: { path: sandbox } }],
      ["/api/v1", { type: "KILL_NESTED_CONTAINER", kill_nested_container: { container_id: its } }],
      ["/api/v1", { type: "WAIT_CONTAINER", wait_container: { container_id: its } }],
      ["/api/v1", { type: "LAUNCH_NESTED_CONTAINER_SESSION", launch_nested_container_session: { container_id: its } }],
      ["/api/v1", { type: "LAUNCH_CONTAINER", launch_container: { container_id: { value: "alone" } } }],
      ["/api/v1", { type: "PRUNE_IMAGES", prune_images: {} }],
      ["/api/v1", { type: "READ_LOG", read_log: { source: "CONTAINER", container_id: its } }],
      // An executor that may widen its own limits has none.
      ["/api/v1", { type: "UPDATE_CONTAINER_MEMORY_LIMIT", update_container_memory_limit: widened }],
    ] as const)
      expect([path, body, await page(token, path, body)]).toEqual([path, body, 403]);
    // What is judged is what is done: no other member of the same call.
    for (const type of ["KILL_CONTAINER", "WAIT_NESTED_CONTAINER", "ATTACH_CONTAINER_OUTPUT"]) {
      const members = ["launch_nested_container", "wait_nested_container", "kill_nested_container", "wait_container"];
      const others = Object.fromEntries(members.map((member) => [member, { container_id: mine }]));
      const body = { type, ...others, [type.toLowerCase()]: { container_id: its } };
      expect([type, await page(token, "/api/v1", body)]).toEqual([type, 403]);
    }
    const state = await fetch(`http://127.0.0.1:${test.port}/state`, { headers: { authorization: `Bearer ${token}` } });
    expect(await state.text()).not.toMatch(/neighbours-task|one/);
    // Below its own container it is let in, whatever comes of it then.
    const kill = { type: "KILL_NESTED_CONTAINER", kill_nested_container: { container_id: mine } };
    expect([401, 403]).not.toContain(await page(token, "/api/v1", kill));
  });

  it("is in its executor's environment and nowhere else", async () => {
    const executor = await launched();
    await executor.subscribeOnce();
    test.run(commandTask("a-task"));
    await test.master.status("a-task", TaskState.TASK_RUNNING);
    expect(environmentOf("a-task")[TOKEN_VARIABLE]).toBeUndefined();
    const token = executor.token ?? "";
    const signature = token.split(".")[2] ?? "";
    expect(signature.length).toBeGreaterThan(40);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join("\n")).not.toContain(signature);
    for (const file of readdirSync(test.workDir, { recursive: true, withFileTypes: true }))
      if (file.isFile()) expect(readFileSync(join(file.parentPath, file.name), "latin1")).not.toContain(signature);
    const authorization = `Basic ${Buffer.from("ops:s").toString("base64")}`;
    for (const path of ["/state", "/tasks?task_id=one", "/flags", "/containers"]) {
      const answer = await fetch(`http://127.0.0.1:${test.port}${path}`, { headers: { authorization } });
      const text = await answer.text();
      expect([path, answer.status, text.includes(signature), text.includes(KEY)]).toEqual([path, 200, false, false]);
    }
  });

  it("is taken by the agent's next process, from the first call on", async () => {
    const executor = await launched();
    expect(await executor.subscribeOnce()).toBe(200);
    await event(executor, Event_Type.LAUNCH);
    await executor.update("one", TaskState.TASK_RUNNING, 1);
    await test.master.status("one", TaskState.TASK_RUNNING);
    const restarted = test.restart({ flags, log });
    const again = test.httpExecutor();
    again.token = executor.token;
    await again.subscribe();
    await restarted;
    // Nothing that executors take for final was said to it meanwhile.
    expect(again.refusals.filter((status) => status !== 503 && status !== 0)).toEqual([]);
    expect(await again.update("one", TaskState.TASK_FINISHED, 2)).toBe(202);
    await test.master.status("one", TaskState.TASK_FINISHED);
  });
});

it("every refusal is a line with who, what and on what, and never a token", async () => {
  const executor = await launched();
  await everyCall(
    await new ExecutorTokens(Buffer.from(KEY)).of({ frameworkId: "x", executorId: "y", containerId: "z" }),
  );
  const neighbour = await launched(OTHER, "two");
  await everyCall(neighbour.token);
  const refusals = lines.filter((line) => line.startsWith("Refusing "));
  expect(refusals).toContainEqual(
    expect.stringMatching(
      /^Refusing executor "neighbour" of framework "F" \(container ".+"\) the action .+ on "executor"$/,
    ),
  );
  expect(refusals).toContainEqual(expect.stringMatching(/in the realm mesos-agent-executor: .*container.*not running/));
  for (const line of lines) expect(line).not.toContain(executor.token?.split(".")[2]);
});
