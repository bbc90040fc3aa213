import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { silentLogger } from "../base/log.ts";
import { text } from "../http/answer.ts";
import { Routes } from "./routes.ts";

let server: Server;
let url: string;
beforeAll(async () => {
  const routes = new Routes(1024);
  routes.get(["/state", "/master/state"], () => text(200, "state"));
  routes.post(["/teardown"], async (request) => text(200, (await request.body(1024)).toString()));
  server = createServer(routes.handler(silentLogger, ["own.example"]));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close().closeAllConnections();
});

it("answers HEAD, OPTIONS, other methods and other paths as every server of this house", async () => {
  for (const [path, allow] of [
    ["/state", "GET, HEAD"],
    ["/state/", "GET, HEAD"],
    ["/master/state", "GET, HEAD"],
    ["/help", "GET, HEAD"],
    ["/teardown", "POST"],
  ] as const) {
    const options = await fetch(url + path, { method: "OPTIONS" });
    expect([options.status, options.headers.get("allow")], path).toEqual([204, `${allow}, OPTIONS`]);
    const put = await fetch(url + path, { method: "PUT" });
    expect([put.status, put.headers.get("allow")], path).toEqual([405, allow]);
  }
  const head = await fetch(`${url}/state`, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length")]).toEqual([200, "5"]);
  expect(await (await fetch(`${url}/nothing/`)).text()).toBe("There is no /nothing here: /help lists what there is\n");
  expect(await (await fetch(`${url}/teardown`)).text()).toBe("/teardown takes POST\n");
});

it("takes nothing from another site's page", async () => {
  const headers = { origin: "https://other.example" };
  expect((await fetch(`${url}/teardown`, { method: "POST", headers })).status).toBe(403);
  expect((await fetch(`${url}/state`, { headers })).status).toBe(200);
});
