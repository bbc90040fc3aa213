import { createServer, type IncomingHttpHeaders, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, describe, expect, it } from "vitest";
import { agentView } from "../../../test/support/agent-view.ts";
import { passwordAccess } from "../../../test/support/password-access.ts";
import { noExecutors, noPage } from "../../../test/support/served-pages.ts";
import { systemClock } from "../../base/clock.ts";
import { silentLogger } from "../../base/log.ts";
import { Origins } from "../../http/origins.ts";
import { type Endpoint, endpoints } from "./endpoints.ts";
import { AttachedFiles } from "./files/attached.ts";
import { createAgentHttp } from "./server.ts";

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close().closeAllConnections();
});

async function serve(more: Partial<Parameters<typeof createAgentHttp>[0]> = {}): Promise<number> {
  const http = createAgentHttp({
    ...{ view: agentView({ tasks: 1 }), files: new AttachedFiles(), executors: noExecutors, ui: noPage },
    ...{ log: silentLogger, clock: systemClock, rate: "none", ...more },
  });
  const server = createServer(http.handler);
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return (server.address() as AddressInfo).port;
}

/** Status and headers; the path goes out exactly as written. */
function ask(port: number, method: string, path: string, headers: Record<string, string> = {}, body?: string) {
  return new Promise<{ status: number; headers: IncomingHttpHeaders }>((done, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, method, headers, agent: false }, (response) => {
      response.resume();
      response.on("end", () => done({ status: response.statusCode ?? 0, headers: response.headers }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const rows: readonly Endpoint[] = endpoints;
const names = rows.flatMap((row) => [row.path, ...row.aliases].map((name) => [name, row] as const));
const port = await serve();
const MASTER = "https://master1.example:5050";

describe("every endpoint, by each of its names", () => {
  it.each(names)("%s answers OPTIONS and methods that it does not take", async (name, { method, takesPost }) => {
    const allow = method === "POST" ? "POST" : takesPost === false ? "GET, HEAD" : "GET, HEAD, POST";
    const options = await ask(port, "OPTIONS", name);
    expect([options.status, options.headers.allow]).toEqual([204, `${allow}, OPTIONS`]);
    for (const other of ["PUT", "DELETE", "PATCH"]) {
      const got = await ask(port, other, name);
      expect([got.status, got.headers.allow], other).toEqual([405, allow]);
    }
  });

  it.each(names)("%s answers a preflight of an allowed origin, whatever password it asks for", async (name) => {
    const access = passwordAccess("p", "s", { readonly: true, readwrite: true });
    const guarded = await serve({
      access,
      origins: new Origins([MASTER]),
    });
    const headers = { origin: MASTER, "access-control-request-method": "POST" };
    const got = await ask(guarded, "OPTIONS", name, headers);
    expect([got.status, got.headers["access-control-allow-origin"]]).toEqual([200, MASTER]);
    const refused = await ask(guarded, "OPTIONS", name, { ...headers, origin: "https://other.example" });
    expect(refused.headers["access-control-allow-origin"]).toBeUndefined();
  });
});

describe("pages of other origins", () => {
  it("read no sandbox and change nothing, until somebody says who may", async () => {
    const headers = { origin: "https://any.example" };
    for (const { path, isPublic, realm } of rows) {
      const allowed = (await ask(port, "GET", path, headers)).headers["access-control-allow-origin"];
      expect(allowed, path).toBe(isPublic ? "*" : undefined);
      if (path.startsWith("/files/") || realm === "readwrite") expect(isPublic, path).toBeUndefined();
    }
  });

  it("that are named change what needs no password, or with it", async () => {
    const open = await serve({ origins: new Origins([MASTER]) });
    const json = { "content-type": "application/json", origin: MASTER };
    expect((await ask(open, "POST", "/api/v1", json)).status).toBe(400);
    expect((await ask(open, "POST", "/api/v1", { ...json, origin: "https://other.example" })).status).toBe(403);
    expect((await ask(open, "GET", "/files/debug", json)).headers["access-control-allow-origin"]).toBe(MASTER);
  });

  it("change something by * only with a password, and read without", async () => {
    const access = passwordAccess("p", "s", { readonly: true, readwrite: true });
    const origins = new Origins(["*"]);
    const json = { "content-type": "application/json", origin: MASTER };
    const [open, guarded] = [await serve({ origins }), await serve({ origins, access })];
    const call = (type: string, more: object = {}): string => JSON.stringify({ type, ...more });
    const setLevel = call("SET_LOGGING_LEVEL", { set_logging_level: { level: 0, duration: { nanoseconds: 0 } } });
    const launch = call("LAUNCH_CONTAINER", { launch_container: { container_id: { value: "a" } } });
    const authorization = `Basic ${Buffer.from("p:s").toString("base64")}`;
    for (const change of [setLevel, launch]) {
      expect((await ask(open, "POST", "/api/v1", json, change)).status, change).toBe(403);
      expect((await ask(guarded, "POST", "/api/v1", json, change)).status, change).toBe(401);
    }
    expect((await ask(guarded, "POST", "/api/v1", { ...json, authorization }, setLevel)).status).toBe(200);
    const own = { "content-type": "application/json" };
    expect((await ask(open, "POST", "/api/v1", own, setLevel)).status).toBe(200);
    for (const type of ["GET_HEALTH", "GET_STATE", "GET_TASKS"]) {
      const got = await ask(open, "POST", "/api/v1", json, call(type));
      expect([got.status, got.headers["access-control-allow-origin"]], type).toEqual([200, "*"]);
    }
    expect((await ask(open, "GET", "/logging/toggle?level=1&duration=1secs", json)).status).toBe(403);
    expect((await ask(open, "POST", "/api/v1/executor", json)).status).toBe(403);
    const stream = { "content-type": "application/recordio", origin: MASTER };
    expect((await ask(open, "POST", "/api/v1", stream)).status).toBe(403);
  });
});

it("a stream into a session asks for the password that every other call on containers asks for", async () => {
  const access = passwordAccess("p", "s", { readonly: true });
  const guarded = await serve({ access });
  const id = { value: "session", parent: { value: "container" } };
  const record = JSON.stringify({
    type: "ATTACH_CONTAINER_INPUT",
    attach_container_input: { type: "CONTAINER_ID", container_id: id },
  });
  const stream = { "content-type": "application/recordio", "message-content-type": "application/json" };
  const authorization = `Basic ${Buffer.from("p:s").toString("base64")}`;
  const status = async (headers: Record<string, string>): Promise<number> =>
    (await ask(guarded, "POST", "/api/v1", { ...stream, ...headers }, `${record.length}\n${record}`)).status;
  expect(await status({})).toBe(401);
  expect(await status({ authorization })).toBe(404);
});

it("who sends a stream and is refused is told so at once, not when the stream ends", async () => {
  const access = passwordAccess("p", "s", { readwrite: true });
  const guarded = await serve({ access });
  const headers = { "content-type": "application/recordio", "message-content-type": "application/json" };
  const sent = request({ host: "127.0.0.1", port: guarded, path: "/api/v1", method: "POST", headers, agent: false });
  const status = new Promise((done, failed) => {
    sent.on("response", ({ statusCode }) => done(statusCode));
    sent.on("error", failed);
  });
  sent.write("1");
  expect(await status).toBe(401);
  sent.destroy();
});
