import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { decode, encode } from "../../src/mesos/codec.ts";
import { Call_Type, CallSchema, ResponseSchema } from "../../src/mesos/gen/mesos/v1/agent/agent_pb.ts";
import { servedPages } from "../support/served-pages.ts";

const { sandbox, view, ask } = servedPages();

describe("/api/v1", () => {
  const call = (type: string, more: object = {}, headers: Record<string, string> = {}) =>
    ask("/slave(1)/api/v1", {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ type, ...more }),
    });

  it.each([
    ["GET_HEALTH", {}, { get_health: { healthy: true } }],
    ["GET_FLAGS", {}, { get_flags: { flags: [{ name: "port", value: "5051" }] } }],
    ["GET_LOGGING_LEVEL", {}, { get_logging_level: { level: 0 } }],
    [
      "GET_METRICS",
      { get_metrics: {} },
      {
        get_metrics: {
          metrics: [
            { name: "system/cpus_total", value: 2 },
            { name: "slave/tasks_running", value: 3 },
          ],
        },
      },
    ],
    ["GET_OPERATIONS", {}, { get_operations: {} }],
    ["GET_RESOURCE_PROVIDERS", {}, { get_resource_providers: {} }],
  ])("%s", async (type, more, answer) => {
    expect(JSON.parse((await call(type, more)).text)).toEqual({ type, ...answer });
  });

  it("shows frameworks, executors, tasks, containers and the agent", async () => {
    const state = JSON.parse((await call("GET_STATE")).text).get_state;
    expect(state.get_tasks.launched_tasks).toHaveLength(3);
    expect(state.get_tasks.launched_tasks[0]).toMatchObject({ agent_id: { value: "agent-1" }, state: "TASK_RUNNING" });
    expect(state.get_executors.executors).toHaveLength(3);
    expect(state.get_frameworks.frameworks[0].framework_info.name).toBe("marathon");
    for (const [type, member] of [
      ["GET_TASKS", "get_tasks"],
      ["GET_EXECUTORS", "get_executors"],
      ["GET_FRAMEWORKS", "get_frameworks"],
      ["GET_CONTAINERS", "get_containers"],
      ["GET_AGENT", "get_agent"],
      ["GET_VERSION", "get_version"],
    ])
      expect(JSON.parse((await call(type ?? "")).text)[member ?? ""], type).toBeDefined();
  });

  it("speaks protobuf", async () => {
    const body = encode(CallSchema, create(CallSchema, { type: Call_Type.GET_AGENT }));
    const answer = await ask("/api/v1", {
      method: "POST",
      headers: { "content-type": "application/x-protobuf", accept: "application/x-protobuf" },
      body,
    });
    expect(answer.headers["content-type"]).toBe("application/x-protobuf");
    expect(decode(ResponseSchema, answer.body).getAgent?.agentInfo?.hostname).toBe("node-1");
  });

  it("reads and lists files", async () => {
    const read = JSON.parse(
      (await call("READ_FILE", { read_file: { path: join(sandbox, "stdout"), offset: 0, length: 5 } })).text,
    );
    expect(read.read_file).toEqual({ size: 14, data: Buffer.from("hello").toString("base64") });
    const list = JSON.parse((await call("LIST_FILES", { list_files: { path: sandbox } })).text);
    expect(list.list_files.file_infos[0]).toMatchObject({ path: join(sandbox, "big"), size: 200_000 });
    expect((await call("READ_FILE", { read_file: { path: join(sandbox, "out"), offset: 0 } })).status).toBe(400);
    expect((await call("LIST_FILES", { list_files: { path: "/etc" } })).status).toBe(404);
  });

  it("sets the log level", async () => {
    const answer = await call("SET_LOGGING_LEVEL", {
      set_logging_level: { level: 2, duration: { nanoseconds: 30_000_000 } },
    });
    expect([answer.status, answer.text]).toEqual([200, ""]);
    expect(view.log.verbosity).toBe(2);
    await expect.poll(() => view.log.verbosity).toBe(0);
  });

  const json = { "content-type": "application/json" };
  it.each([
    ["no Content-Type", {}, "{}", 400],
    ["another Content-Type", { "content-type": "text/plain" }, "{}", 415],
    ["a stream", { "content-type": "application/recordio" }, "", 400],
    [
      "a stream of JSON",
      { "content-type": "application/recordio", "message-content-type": "application/json" },
      "",
      415,
    ],
    ["an Accept that nothing fits", { ...json, accept: "text/html" }, '{"type":"GET_HEALTH"}', 406],
    ["Message-Accept", { ...json, "message-accept": "application/json" }, '{"type":"GET_HEALTH"}', 406],
    ["Message-Content-Type", { ...json, "message-content-type": "application/json" }, '{"type":"GET_HEALTH"}', 415],
    ["no JSON", json, "nonsense", 400],
    ["no type", json, "{}", 400],
    ["a type that does not exist", json, '{"type":"GET_RICH"}', 400],
    ["a missing member", json, '{"type":"READ_FILE"}', 400],
    ["a missing field", json, '{"type":"READ_FILE","read_file":{"path":"/"}}', 400],
    ["UNKNOWN", json, '{"type":"UNKNOWN"}', 501],
    [
      "a container that nobody can run",
      json,
      '{"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"x"}}}',
      400,
    ],
    ["broken gzip", { ...json, "content-encoding": "gzip" }, "nonsense", 400],
    ["too much", json, " ".repeat(2_000_000), 413],
  ])("refuses %s", async (_what, headers, body, status) => {
    expect(
      (await ask("/api/v1", { method: "POST", headers: headers as unknown as Record<string, string>, body })).status,
    ).toBe(status);
  });

  it("is for POST only", async () => {
    const answer = await ask("/api/v1");
    expect([answer.status, answer.headers["allow"]]).toEqual([405, "POST"]);
    expect((await ask("/api/v1", { method: "OPTIONS" })).headers["access-control-allow-origin"]).toBeUndefined();
  });
});
