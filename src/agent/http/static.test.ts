import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agentView } from "../../../test/support/agent-view.ts";
import { noExecutors } from "../../../test/support/served-pages.ts";
import { systemClock } from "../../base/clock.ts";
import { silentLogger } from "../../base/log.ts";
import { AttachedFiles } from "./files/attached.ts";
import { createAgentHttp } from "./server.ts";
import { readStaticFiles, type StaticFiles } from "./static.ts";

const packageUi = resolve(import.meta.dirname, "../../../ui");
const folder = mkdtempSync(join(tmpdir(), "static-"));
const servers: Server[] = [];

async function serve(page: StaticFiles): Promise<number> {
  const view = agentView({ tasks: 0 });
  const common = { clock: systemClock, log: silentLogger, files: new AttachedFiles() };
  const server = createServer(createAgentHttp({ ...common, view, ui: page, executors: noExecutors }).handler);
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return (server.address() as AddressInfo).port;
}

interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A raw request: the path goes out exactly as written. */
function ask(port: number, path: string, options: { method?: string; headers?: Record<string, string> } = {}) {
  return new Promise<Got>((done, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, agent: false, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        done({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    sent.on("error", reject);
    sent.end();
  });
}

let port: number;

beforeAll(async () => {
  port = await serve(readStaticFiles(packageUi));
});

afterAll(async () => {
  for (const server of servers) await new Promise((done) => server.close(done));
  rmSync(folder, { recursive: true });
});

describe("the web page's files", () => {
  it("are the page at / and its files below /ui, and nothing is inline", async () => {
    const { status, headers, body } = await ask(port, "/?x=1");
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(headers["content-security-policy"]).toContain("script-src 'self'");
    expect(headers["x-content-type-options"]).toBe("nosniff");
    const html = body.toString();
    expect(html).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|https?:/i);
    const names = [...html.matchAll(/(?:src|href)="(ui\/[^"]+)"/g)].map(([, name]) => name ?? "");
    expect(names.length).toBeGreaterThanOrEqual(3);
    for (const name of names) expect((await ask(port, `/${name}`)).status, name).toBe(200);
  });

  it("are compressed for those who take it, and not sent again", async () => {
    const plain = await ask(port, "/");
    const small = await ask(port, "/", { headers: { "accept-encoding": "gzip" } });
    expect(small.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(small.body).equals(plain.body)).toBe(true);
    const again = await ask(port, "/", { headers: { "if-none-match": plain.headers.etag ?? "" } });
    expect([again.status, again.body.length]).toEqual([304, 0]);
    const head = await ask(port, "/", { method: "HEAD" });
    expect([head.status, head.body.length]).toEqual([200, 0]);
    expect(head.headers["content-length"]).toBe(String(plain.body.length));
  });

  it("leave nothing else to be read, and are only read", async () => {
    for (const path of ["/ui/../package.json", "/ui/%2e%2e/package.json", "/ui/package.json", "/ui//index.html"])
      expect((await ask(port, path)).status, path).toBe(404);
    const posted = await ask(port, "/", { method: "POST" });
    expect([posted.status, posted.headers.allow]).toEqual([405, "GET, HEAD"]);
  });

  it("are found from other spellings of the page", async () => {
    for (const path of ["/ui", "/ui/", "/slave(1)", "/slave(1)/", "/slave(1)/ui"]) {
      const { status, headers } = await ask(port, path);
      expect(status, path).toBe(307);
      expect(new URL(headers.location ?? "", `http://agent${path}`).pathname, path).toBe("/");
    }
  });

  it("may be missing: the reason is said, and where", async () => {
    const missing = readStaticFiles(join(folder, "nowhere"));
    expect("problem" in missing && missing.problem).toContain(join(folder, "nowhere"));
    writeFileSync(join(folder, "page.css"), "");
    const partial = readStaticFiles(folder);
    expect("problem" in partial && partial.problem).toContain("there is no index.html");
    const answer = await ask(await serve(partial), "/");
    expect(answer.status).toBe(404);
    expect(answer.body.toString()).toContain("Install the whole package");
  });

  it("are refused when they are too large to be a page", () => {
    writeFileSync(join(folder, "index.html"), Buffer.alloc(5 * 1024 * 1024));
    const page = readStaticFiles(folder);
    expect("problem" in page && page.problem).toContain("more than 4194304 bytes");
  });
});
