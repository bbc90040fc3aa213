import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encode } from "../../src/mesos/codec.ts";
import { Call_Type, CallSchema } from "../../src/mesos/gen/mesos/v1/agent/agent_pb.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest } from "../support/agent-under-test.ts";
import { OperatorClient } from "../support/operator-client.ts";

const { TASK_RUNNING, TASK_FINISHED } = TaskState;
const MB = 1024 * 1024;

/** UPDATE_CONTAINER_MEMORY_LIMIT over HTTP, of the real agent. */
let test: AgentUnderTest;
let client: OperatorClient;
beforeEach(async () => {
  test = await AgentUnderTest.open();
  test.machine.enforces = { cpus: true, mem: true };
  await test.start();
  await test.register();
  client = new OperatorClient(test.port);
});
afterEach(() => test.close());

const limit = (chain: readonly string[], value: unknown) =>
  client.on("UPDATE_CONTAINER_MEMORY_LIMIT", chain, { memory_limit: { value } });
const asked = (): string[] => test.machine.asked.filter((what) => what.startsWith("limit"));
async function running(): Promise<string> {
  await test.running("one", TASK_RUNNING);
  return test.machine.containerOf("one")?.spec.containerId ?? "";
}

it("holds a running container to another limit, and tells masters nothing of it", async () => {
  const id = await running();
  const resources = () =>
    test.node.viewed.registry.active.get("F")?.executors.get("one")?.tasks.get("one")?.task.resources;
  const before = structuredClone(resources()?.map(({ name, scalar }) => [name, scalar?.value]));
  expect(await limit([id], 64)).toEqual({ status: 200, body: "" });
  expect(await limit([id], 0.5)).toEqual({ status: 200, body: "" });
  expect(await limit([id], 1e300)).toEqual({ status: 200, body: "" });
  expect(asked()).toEqual([`limit one ${64 * MB}`, `limit one ${MB / 2}`, `limit one ${Number.MAX_SAFE_INTEGER}`]);
  expect(resources()?.map(({ name, scalar }) => [name, scalar?.value])).toEqual(before);
});

it("of a container that does not run is not found", async () => {
  const id = await running();
  test.machine.containerOf("one")?.end(0);
  await test.master.status("one", TASK_FINISHED);
  for (const unknown of ["unknown", id])
    expect(await limit([unknown], 64)).toEqual({
      status: 404,
      body: `Running container '${unknown}' cannot be found`,
    });
});

it("that nobody holds names the flag that would", async () => {
  test.machine.enforces = { cpus: false, mem: false };
  await test.restart();
  const id = await running();
  expect(await limit([id], 64)).toEqual({ status: 501, body: expect.stringContaining("--isolation=") });
  expect(await limit(["unknown"], 64)).toMatchObject({ status: 404 });
  expect(asked()).toEqual([]);
});

it("that cannot be held says why", async () => {
  const id = await running();
  test.machine.refusal = new Error("the kernel is busy");
  expect(await limit([id], 64)).toEqual({
    status: 500,
    body: expect.stringContaining("64 MiB of memory: the kernel is busy"),
  });
});

describe("a limit that is none", () => {
  it.each([
    [0, "not 0"],
    [-1, "not -1"],
    ["Infinity", "memory_limit.value"],
  ])("%j is refused by name", async (value, why) => {
    const { status, body } = await limit([await running()], value);
    expect([status, body]).toEqual([400, expect.stringContaining(why)]);
    expect(asked()).toEqual([]);
  });

  it.each([0, -0.5, Number.NaN, Number.POSITIVE_INFINITY])("%d is refused in protobuf, too", async (value) => {
    const body = encode(
      CallSchema,
      create(CallSchema, {
        type: Call_Type.UPDATE_CONTAINER_MEMORY_LIMIT,
        updateContainerMemoryLimit: { containerId: { value: await running() }, memoryLimit: { value } },
      }),
    );
    const headers = { "content-type": "application/x-protobuf" };
    const answer = await fetch(client.url, { method: "POST", headers, body });
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining(`not ${value}`)]);
  });
});

it.each([
  [{}, "container_id"],
  [{ container_id: { value: "c" } }, "memory_limit"],
  [{ container_id: { value: "c/d" }, memory_limit: { value: 1 } }, "container_id' is invalid"],
  [{ container_id: { value: "c", parent: { value: "p" } }, memory_limit: { value: 1 } }, "top-level"],
])("%j is not valid", async (call, why) => {
  const { status, body } = await client.call("UPDATE_CONTAINER_MEMORY_LIMIT", call);
  expect([status, body]).toEqual([400, expect.stringContaining(why)]);
});
