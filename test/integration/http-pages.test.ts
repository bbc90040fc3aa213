import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { gunzipSync } from "node:zlib";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseHttpCredentials } from "../../src/agent/http/access.ts";
import { AttachedFiles } from "../../src/agent/http/files/attached.ts";
import { createAgentHttp } from "../../src/agent/http/server.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { decode, encode } from "../../src/mesos/codec.ts";
import { Call_Type, CallSchema, ResponseSchema } from "../../src/mesos/gen/mesos/v1/agent/agent_pb.ts";
import { agentView } from "../support/agent-view.ts";

const folder = mkdtempSync(join(tmpdir(), "http-pages-"));
const sandbox = join(folder, "work", "sandbox");
let files: AttachedFiles;
let port: number;
let close: () => Promise<void>;
const view = agentView({ tasks: 3 });

interface Got {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
  text: string;
}

/** A raw request: the path goes out exactly as written. */
function ask(
  path: string,
  options: { port?: number; method?: string; headers?: Record<string, string>; body?: string | Uint8Array } = {},
): Promise<Got> {
  const { body, ...rest } = options;
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: "127.0.0.1", port, path, agent: false, ...rest }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const all = Buffer.concat(chunks);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: all, text: all.toString("utf8") });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

async function serve(
  more: Partial<Parameters<typeof createAgentHttp>[0]> = {},
): Promise<{ port: number; close: () => Promise<void> }> {
  const http = await createAgentHttp({ view, files, log: silentLogger, clock: systemClock, rate: "none", ...more });
  const server: Server = createServer(http.handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      await http.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

beforeAll(async () => {
  mkdirSync(join(sandbox, "sub"), { recursive: true });
  mkdirSync(join(folder, "work", "sandbox-of-another"));
  writeFileSync(join(folder, "work", "sandbox-of-another", "secret"), "another's");
  writeFileSync(join(folder, "secret"), "secret");
  writeFileSync(join(sandbox, "stdout"), 'hello\n"world"\n');
  writeFileSync(join(sandbox, "bytes"), Buffer.from([0x61, 0xe2, 0x82, 0xac, 0xff, 0x00, 0x0a]));
  writeFileSync(join(sandbox, "big"), Buffer.alloc(200_000, "x"));
  writeFileSync(join(sandbox, "empty"), "");
  writeFileSync(join(sandbox, 'näme "1".txt'), "named");
  symlinkSync("../../secret", join(sandbox, "out"));
  symlinkSync("/", join(sandbox, "root"));
  symlinkSync("../sandbox-of-another", join(sandbox, "sibling"));
  symlinkSync("stdout", join(sandbox, "inside"));
  symlinkSync("loop", join(sandbox, "loop"));
  files = new AttachedFiles();
  files.attach(sandbox);
  files.attach(join(sandbox, "inside"), "/slave/log");
  ({ port, close } = await serve());
});
afterAll(async () => {
  await close();
  rmSync(folder, { recursive: true, force: true });
});

const path = (name: string): string => `?path=${encodeURIComponent(join(sandbox, name))}`;

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
    ["/nothing", 404, ""],
    ["/slave(2)/state", 404, ""],
    ["/..", 404, ""],
    ["/files/../state", 404, ""],
    ["/files/browse/x", 404, ""],
    ["//state", 404, ""],
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
    expect((await ask("/help", { headers: { "user-agent": "Mozilla" } })).text).toContain('<a href="/slave(1)/state">');
    expect((await ask("/help/slave(1)/state", { headers: { "user-agent": "curl/8" } })).text).toMatch(
      /^# Endpoints\n\n- `\/slave\(1\)\/state`/,
    );
    expect(JSON.parse((await ask("/help?format=json")).text).processes[0].id).toBe("slave(1)");
  });
});

describe("/files", () => {
  it("browses with ls' modes, sorted", async () => {
    const entries = JSON.parse((await ask(`/files/browse.json${path("")}`)).text);
    expect(entries.map(({ path: entry }: { path: string }) => entry.slice(sandbox.length + 1))).toEqual([
      "big",
      "bytes",
      "empty",
      "inside",
      "loop",
      'näme "1".txt',
      "out",
      "root",
      "sibling",
      "stdout",
      "sub",
    ]);
    expect(entries[0]).toMatchObject({ mode: "-rw-r--r--", size: 200_000, nlink: 1 });
    expect(entries.at(-1).mode).toBe("drwxr-xr-x");
    expect(JSON.parse((await ask(`/files/browse${path("stdout")}`)).text)).toEqual([]);
    expect((await ask("/files/browse")).text).toBe("Expecting 'path=value' in query.\n");
  });

  it("reads as the pager does: the size first, then parts of at most 64 KiB", async () => {
    expect((await ask(`/files/read${path("stdout")}&offset=-1`)).text).toBe('{"data":"","offset":14}');
    expect(JSON.parse((await ask(`/files/read${path("stdout")}&offset=6&length=3`)).text)).toEqual({
      data: '"wo',
      offset: 6,
    });
    expect(JSON.parse((await ask(`/files/read${path("big")}&offset=0`)).text).data).toHaveLength(65_536);
    expect(JSON.parse((await ask(`/files/read${path("big")}&offset=199990&length=50000`)).text).data).toHaveLength(10);
    expect(JSON.parse((await ask(`/files/read${path("big")}&offset=300000&length=1`)).text)).toEqual({
      data: "",
      offset: 300_000,
    });
    expect((await ask("/files/read?path=/slave/log&offset=0&jsonp=cb")).text).toBe(
      'cb({"data":"hello\\n\\"world\\"\\n","offset":0});',
    );
    const { body } = await ask(`/files/read${path("bytes")}&offset=0`);
    expect(body).toEqual(
      Buffer.concat([
        Buffer.from('{"data":"a'),
        Buffer.from([0xe2, 0x82, 0xac, 0xff]),
        Buffer.from('\\u0000\\n","offset":0}'),
      ]),
    );
  });

  it.each([
    ["read", `${path("sub")}&offset=0`, 400, "Cannot read a directory.\n"],
    ["read", `${path("stdout")}&offset=x`, 400, "Failed to parse offset: 'x' is not a whole number.\n"],
    ["read", `${path("stdout")}&offset=-2`, 400, "Negative offset provided: -2.\n"],
    ["read", `${path("missing")}&offset=0`, 404, ""],
    ["download", path("sub"), 400, "Cannot download a directory.\n"],
    ["download", path("missing"), 404, ""],
    ["browse", path("missing"), 404, ""],
    ["browse", path("loop"), 400, "ELOOP\n"],
  ])("%s%s: %i", async (page, query, status, text) => {
    const answer = await ask(`/files/${page}${query}`);
    expect([answer.status, answer.text]).toEqual([status, text]);
  });

  it("never leaves the sandbox", async () => {
    const out = [
      "out",
      "root",
      "root/etc/passwd",
      "sibling",
      "sibling/secret",
      "../sandbox-of-another/secret",
      "sub/../../../secret",
      "..",
      "../..",
      "sub/..//..//../secret",
    ].map((name) => `${sandbox}/${name}`);
    const odd = [
      "/etc/passwd",
      "/",
      "",
      ".",
      "..",
      "../etc/passwd",
      `${sandbox}-of-another/secret`,
      `${sandbox}/stdout\0`,
      "/slave/log/../../etc/passwd",
      `${folder}/secret`,
      `${sandbox}/${"a/".repeat(2100)}`,
    ];
    for (const page of ["browse", "read", "download"]) {
      for (const given of [...out, ...odd]) {
        for (const written of [
          encodeURIComponent(given),
          encodeURIComponent(encodeURIComponent(given)),
          given.replaceAll("/", "%2f"),
        ]) {
          if (/[\0 ]/.test(written)) continue;
          const answer = await ask(`/files/${page}?offset=0&path=${written}`);
          expect([400, 404], `${page} ${written.slice(0, 200)}`).toContain(answer.status);
          expect(answer.text).not.toMatch(/root:|secret|another's/);
        }
      }
    }
  });

  it("downloads whole files with a name", async () => {
    const big = await ask(`/files/download${path("big")}`);
    expect([big.body.length, big.headers["content-length"], big.headers["content-type"]]).toEqual([
      200_000,
      "200000",
      "application/octet-stream",
    ]);
    expect(big.headers["content-disposition"]).toBe("attachment; filename=big");
    const named = await ask(`/files/download${path('näme "1".txt')}`);
    expect(named.headers["content-disposition"]).toBe(
      `attachment; filename="n_me _1_.txt"; filename*=UTF-8''n%C3%A4me%20%221%22.txt`,
    );
    expect(named.text).toBe("named");
    expect((await ask(`/files/download${path("empty")}`)).status).toBe(200);
    expect(JSON.parse((await ask("/files/debug.json")).text)).toEqual({
      "/slave/log": join(sandbox, "inside"),
      [sandbox]: sandbox,
    });
  });
});

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
    ["a container call", json, '{"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"x"}}}', 501],
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

describe("access", () => {
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });

  it("asks for a password where it was told to", async () => {
    const digests = parseHttpCredentials('{"credentials":[{"principal":"p","secret":"s:1"}]}');
    const guarded = await serve({ access: { realms: { readonly: true, readwrite: false }, digests } });
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

  it("lets other rooms answer their own paths", async () => {
    const mounts = {
      "/slave(1)/api/v1/executor": (_: unknown, response: import("node:http").ServerResponse) =>
        void response.end("mine"),
      "/ui/": (_: unknown, response: import("node:http").ServerResponse) => void response.end("never"),
      "/slave(1)/ui/": (_: unknown, response: import("node:http").ServerResponse) => void response.end("page"),
    };
    const more = await serve({ mounts });
    expect((await ask("/api/v1/executor", { port: more.port, method: "POST" })).text).toBe("mine");
    expect((await ask("/ui/index.html", { port: more.port })).text).toBe("page");
    await more.close();
  });
});
