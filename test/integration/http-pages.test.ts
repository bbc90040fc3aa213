import { createContext, runInContext } from "node:vm";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { passwordAccess } from "../support/password-access.ts";
import { servedPages } from "../support/served-pages.ts";

const { view, serve, ask } = servedPages();

describe("/state", () => {
  it("is the same under all of its names, with the keys of 0.24 and 1.11", async () => {
    const names = [
      "/state",
      "/state.json",
      "/slave(1)/state",
      "/slave(1)/state.json",
      "/slave%281%29/state",
      "/state/",
    ];
    const answers = await Promise.all(names.map((name) => ask(name)));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    const state = JSON.parse(answers[0]?.text ?? "");
    for (const key of [
      "version",
      "build_date",
      "build_time",
      "build_user",
      "start_time",
      "id",
      "pid",
      "hostname",
      "capabilities",
      "resources",
      "reserved_resources",
      "unreserved_resources",
      "reserved_resources_full",
      "unreserved_resources_full",
      "reserved_resources_allocated",
      "unreserved_resources_allocated",
      "resource_providers",
      "attributes",
      "flags",
      "frameworks",
      "completed_frameworks",
    ])
      expect(Object.keys(state), key).toContain(key);
    expect(state.pid).toBe("slave(1)@10.0.0.1:5051");
    expect(state.resources).toMatchObject({ cpus: 8, mem: 1024, disk: 2048, gpus: 0, ports: "[31000-32000]" });
    expect(state.attributes).toEqual({ rack: 2, zone: "a" });
    const [executor] = state.frameworks[0].executors;
    expect(Object.keys(executor)).toEqual([
      "id",
      "name",
      "source",
      "container",
      "directory",
      "resources",
      "role",
      "tasks",
      "queued_tasks",
      "completed_tasks",
    ]);
    expect(executor.tasks[0]).toMatchObject({
      id: "task-0",
      executor_id: "",
      slave_id: "agent-1",
      state: "TASK_RUNNING",
      labels: [],
    });
    expect(executor.tasks[0].statuses[0]).toEqual({ state: "TASK_RUNNING", timestamp: 1_700_000_000.5 });
  });

  it("runs as a script under the callbacks of the master's pages, and under nothing else", async () => {
    for (const callback of ["angular.callbacks._0", "jQuery1102_15", "window[3].cb", "JSON_CALLBACK"]) {
      const answer = await ask(`/slave(1)/state.json?jsonp=${encodeURIComponent(callback)}`);
      expect(answer.headers["content-type"]).toBe("text/javascript");
      expect(answer.text.startsWith(`${callback}({`)).toBe(true);
      expect(answer.text.endsWith("});")).toBe(true);
    }
    const got: unknown[] = [];
    const answer = await ask("/slave(1)/state?jsonp=angular.callbacks._0");
    runInContext(answer.text, createContext({ angular: { callbacks: { _0: (value: unknown) => got.push(value) } } }));
    expect(got).toHaveLength(1);
    for (const callback of ["alert(1);x", "a b", "", "x".repeat(200), "a()", "<b>"])
      expect((await ask(`/state?jsonp=${encodeURIComponent(callback)}`)).status, callback).toBe(400);
  });

  it("is compressed when accepted, and may be read by the master's page", async () => {
    const answer = await ask("/state", { headers: { "accept-encoding": "deflate, gzip;q=0.5" } });
    expect(answer.headers["content-encoding"]).toBe("gzip");
    expect(JSON.parse(gunzipSync(answer.body).toString()).id).toBe("agent-1");
    expect(answer.headers["access-control-allow-origin"]).toBe("*");
    expect(
      (await ask("/state", { headers: { "accept-encoding": "gzip;q=0" } })).headers["content-encoding"],
    ).toBeUndefined();
    expect(
      (await ask("/health", { headers: { "accept-encoding": "gzip" } })).headers["content-encoding"],
    ).toBeUndefined();
  });

  it("answers 503 while recovering, and /health does not", async () => {
    const recovering = await serve({
      view: { ...view, snapshot: () => ({ ...view.snapshot(), phase: "RECOVERING" as const }) },
    });
    expect((await ask("/state", { port: recovering.port })).status).toBe(503);
    expect((await ask("/api/v1", { port: recovering.port, method: "POST" })).status).toBe(503);
    expect((await ask("/health", { port: recovering.port })).status).toBe(200);
    await recovering.close();
  });
});

describe("small pages", () => {
  it.each([
    ["/health", 200, ""],
    ["/flags", 200, '{"flags":{"port":"5051"}}'],
    ["/__processes__", 200, '[{"id":"files","events":[]},{"id":"slave(1)","events":[]}]'],
    ["/logging/toggle", 200, "0\n"],
    ["/logging/toggle?level=1", 400, "Expecting 'duration=value' in query.\n"],
    ["/logging/toggle?duration=1secs", 400, "Expecting 'level=value' in query.\n"],
    ["/logging/toggle?level=-1&duration=1secs", 400, "Invalid level -1: it must be from 0 to 100.\n"],
    ["/metrics/snapshot?timeout=5", 400, "Failed to parse timeout: '5' is not a duration.\n"],
    ["/metrics/snapshot", 200, '{"slave/tasks_running":3,"system/cpus_total":2}'],
    ["/profiler/start", 400, "Profiling is not enabled: start the agent with NODE_OPTIONS=--inspect instead.\n"],
    ["/nothing", 404, "404 Not Found."],
    ["/slave(2)/state", 404, "404 Not Found."],
    ["/..", 404, "404 Not Found."],
    ["/files/../state", 404, "404 Not Found."],
    ["/files/browse/x", 404, "404 Not Found."],
    ["//nothing", 404, "404 Not Found."],
  ])("%s: %i", async (where, status, text) => {
    const answer = await ask(where);
    expect([answer.status, answer.text]).toEqual([status, text]);
  });

  it("raise the log level for a while", async () => {
    expect((await ask("/logging/toggle?level=3&duration=50ms", { method: "POST" })).status).toBe(200);
    expect(view.log.verbosity).toBe(3);
    await expect.poll(() => view.log.verbosity).toBe(0);
  });

  it("show usage in the form of the statistics page", async () => {
    const [entry] = JSON.parse((await ask("/slave(1)/monitor/statistics.json")).text);
    expect(entry).toMatchObject({ executor_id: "task-0", framework_id: "framework-1", source: "task-0" });
    expect(entry.statistics).toEqual({
      timestamp: 1700000000.25,
      cpus_user_time_secs: 1.5,
      mem_rss_bytes: 9007199254740991,
    });
    const [container] = JSON.parse((await ask("/containers?container_id=container-1")).text);
    expect(container).toMatchObject({ container_id: "container-1", status: { executor_pid: 42 } });
    expect((await ask("/containers?container_id=x")).text).toBe("[]");
  });

  it("answer HEAD with the length and no body", async () => {
    const answer = await ask("/state", { method: "HEAD" });
    expect(answer.status).toBe(200);
    expect(answer.body).toHaveLength(0);
    expect(Number(answer.headers["content-length"])).toBeGreaterThan(1000);
  });

  it("list themselves for browsers, for curl and as JSON", async () => {
    expect((await ask("/help", { headers: { "user-agent": "Mozilla" } })).text).toContain(
      '<a href="./slave(1)/state">',
    );
    expect((await ask("/help/slave(1)/state", { headers: { "user-agent": "curl/8" } })).text).toMatch(
      /^# Endpoints\n\n- `\/slave\(1\)\/state`/,
    );
    expect(JSON.parse((await ask("/help?format=json")).text).processes[0].id).toBe("slave(1)");
  });
});

describe("access", () => {
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });

  it("asks for a password where it was told to", async () => {
    const access = passwordAccess("p", "s:1", { readonly: true });
    const guarded = await serve({ access });
    const at = { port: guarded.port };
    const refused = await ask("/state", at);
    expect([refused.status, refused.headers["www-authenticate"]]).toEqual([401, 'Basic realm="mesos-agent-readonly"']);
    expect((await ask("/state", { ...at, headers: basic("p:wrong") })).status).toBe(401);
    expect((await ask("/state", { ...at, headers: basic("q:s:1") })).status).toBe(401);
    expect((await ask("/state", { ...at, headers: basic(":") })).status).toBe(401);
    expect((await ask("/state", { ...at, headers: { authorization: "Bearer x" } })).status).toBe(401);
    expect((await ask("/state", { ...at, headers: basic("p:s:1") })).status).toBe(200);
    expect((await ask("/files/read?path=/slave/log", at)).status).toBe(401);
    for (const open of ["/health", "/version", "/logging/toggle"]) expect((await ask(open, at)).status, open).toBe(200);
    await guarded.close();
  });

  it("disables what the firewall names, in every spelling", async () => {
    const walled = await serve({ firewall: ["/slave(1)/state.json", "/files/debug"] });
    for (const name of ["/state", "/slave(1)/state", "/files/debug.json"]) {
      expect((await ask(name, { port: walled.port })).status, name).toBe(403);
    }
    expect((await ask("/flags", { port: walled.port })).status).toBe(200);
    await walled.close();
  });

  it("has the executor API and the node's page among the endpoints, behind the same guards", async () => {
    const json = { "content-type": "application/json" };
    expect((await ask("/api/v1/executor", { method: "POST", headers: json })).status).toBe(202);
    expect((await ask("/api/v1/executor", { method: "POST", headers: { ...json, origin: "http://x" } })).status).toBe(
      403,
    );
    expect((await ask("/ui/index.html")).text).toContain("no page in this test");
    const walled = await serve({ firewall: ["/api/v1/executor", "/ui"] });
    for (const path of ["/slave(1)/api/v1/executor", "/ui/index.html", "/slave(1)/ui/"])
      expect((await ask(path, { port: walled.port, method: "POST" })).status, path).toBe(403);
    await walled.close();
  });
});
