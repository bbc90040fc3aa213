import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startBrowser, whyNoBrowser } from "../support/browser.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";

const missing = whyNoBrowser();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);

/** What a browser really does for pages of other origins, with --http_cors_allowed_origins and with passwords. */
const folder = mkdtempSync(join(tmpdir(), "page-origins-"));
const servers: Server[] = [];
let browser: Browser;
let agent: AgentProcess;
let named: string;
let stranger: string;

async function serveEmptyPage(): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>Elsewhere</title>");
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  if (missing !== undefined) return;
  [named, stranger] = [await serveEmptyPage(), await serveEmptyPage()];
  const credentials = join(folder, "credentials");
  writeFileSync(credentials, JSON.stringify({ credentials: [{ principal: "ops", secret: "s" }] }), { mode: 0o600 });
  agent = new AgentProcess({
    master: "127.0.0.1:9",
    port: await freePort(),
    flags: [
      `--http_cors_allowed_origins=${named}`,
      "--authenticate_http_readwrite",
      `--http_credentials=${credentials}`,
    ],
  });
  agent.start();
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await agent?.destroy();
  for (const server of servers) server.close().closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});

interface Sent {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly credentials?: "include";
}

/** Runs code in a page of `origin`. */
async function inPage<T>(origin: string, code: string): Promise<T> {
  const page = await browser.newPage();
  try {
    await page.goto(`${origin}/`);
    return await page.evaluate<T>(code);
  } finally {
    await page.close();
  }
}

const urlOf = (path: string): string => JSON.stringify(`http://127.0.0.1:${agent.port}${path}`);

/** What such a page gets by fetch: status and text of an answer that it may read, or that it may not. */
const fetched = (origin: string, path: string, sent: Sent = {}): Promise<string> =>
  inPage(
    origin,
    `fetch(${urlOf(path)}, ${JSON.stringify(sent)}).then(
      async (answer) => answer.status + " " + (await answer.text()),
      () => "may not be read",
    )`,
  );

/** Whether such a page gets JSON as a script. */
const scripted = (origin: string, referrerPolicy: string): Promise<boolean> =>
  inPage(
    origin,
    `new Promise((done) => {
      globalThis.found = () => done(true);
      const script = document.createElement("script");
      script.referrerPolicy = ${JSON.stringify(referrerPolicy)};
      script.onerror = () => done(false);
      script.src = ${urlOf("/flags?jsonp=found")};
      document.head.append(script);
    })`,
  );

const call = (more: Record<string, string> = {}): Sent => ({
  method: "POST",
  headers: { "content-type": "application/json", accept: "application/json", ...more },
  body: JSON.stringify({ type: "GET_HEALTH" }),
});
const password = { authorization: `Basic ${Buffer.from("ops:s").toString("base64")}` };

it("a page of a named origin reads pages and sandboxes, and calls the operator API with its reader's password", async (ctx) => {
  if (missing !== undefined) return ctx.skip(missing);
  await expect.poll(() => agent.log).toContain(" leads");
  expect(await fetched(named, "/flags")).toContain("200 {");
  expect(await fetched(named, "/files/debug", { credentials: "include" })).toContain("200 {");
  expect(await fetched(named, "/api/v1", call(password))).toMatch(/^200 .*"healthy":true/);
  expect(await fetched(named, "/api/v1", call())).toMatch(/^401 /);
  expect(await fetched(named, "/nothing")).toBe("404 404 Not Found.");
});

it("a page of another origin gets nothing, by scripts either", async (ctx) => {
  if (missing !== undefined) return ctx.skip(missing);
  await expect.poll(() => agent.log).toContain(" leads");
  for (const path of ["/flags", "/health", "/files/debug"])
    expect([path, await fetched(stranger, path)]).toEqual([path, "may not be read"]);
  expect(await fetched(stranger, "/api/v1", call(password))).toBe("may not be read");
  expect(await scripted(named, "origin")).toBe(true);
  expect(await scripted(stranger, "origin")).toBe(false);
  expect(await scripted(stranger, "no-referrer")).toBe(false);
});
