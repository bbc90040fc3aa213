import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AttachedFiles } from "../../src/agent/http/files/attached.ts";
import { type AgentHttp, createAgentHttp } from "../../src/agent/http/server.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { Process } from "../../src/libprocess/process.ts";
import { agentView } from "../support/agent-view.ts";
import { noExecutors, noPage } from "../support/served-pages.ts";

/** The pages on the port that also carries messages. */
const folder = mkdtempSync(join(tmpdir(), "http-libprocess-"));
let listener: Process;
let http: AgentHttp;
let port: number;

beforeAll(async () => {
  listener = await Process.start({
    id: "slave(1)",
    bind: { ip: "127.0.0.1", port: 0 },
    advertise: { ip: "127.0.0.1" },
    log: silentLogger,
    clock: systemClock,
  });
  port = listener.self.port;
  const files = new AttachedFiles();
  writeFileSync(join(folder, "big"), Buffer.alloc(20_000_000, "0123456789"));
  files.attach(folder);
  http = createAgentHttp({
    executors: noExecutors,
    ui: noPage,
    view: agentView({ tasks: 50 }),
    files,
    log: silentLogger,
    clock: systemClock,
    rate: "none",
  });
  listener.http(http.handler);
});
afterAll(async () => {
  http.close();
  await listener.close();
  rmSync(folder, { recursive: true, force: true });
});

const url = (path: string): string => `http://127.0.0.1:${port}${path}`;

/** Sends raw bytes and gives what came until the other side closed. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
  });
}

describe("pages on the libprocess port", () => {
  it("answer pipelined requests in order, and close when asked", async () => {
    const answer = await raw(
      "GET /slave(1)/health HTTP/1.1\r\nHost: x\r\n\r\n" +
        "GET /flags HTTP/1.1\r\nHost: x\r\n\r\n" +
        "POST /logging/toggle HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" +
        "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]);
    expect(statuses).toEqual(["200", "200", "200", "404"]);
    expect(answer).toMatch(/\r\nDate: /i);
  });

  it("close after an HTTP/1.0 request", async () => {
    expect(await raw("GET /health HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.\d 200/);
  });

  it("send large files whole, to many at once", async () => {
    const query = `/files/download?path=${encodeURIComponent(join(folder, "big"))}`;
    const sizes = await Promise.all(
      Array.from({ length: 5 }, async () => (await (await fetch(url(query))).arrayBuffer()).byteLength),
    );
    expect(sizes).toEqual([20_000_000, 20_000_000, 20_000_000, 20_000_000, 20_000_000]);
  });

  it("survive clients that hang up in the middle", async () => {
    const query = `/files/download?path=${encodeURIComponent(join(folder, "big"))}`;
    for (let round = 0; round < 20; round++) {
      await new Promise<void>((resolve) => {
        const socket = connect(port, "127.0.0.1", () => socket.write(`GET ${query} HTTP/1.1\r\nHost: x\r\n\r\n`));
        socket.once("data", () => socket.destroy());
        socket.on("close", () => resolve());
      });
    }
    const state = (await (await fetch(url("/state"))).json()) as { frameworks: { executors: unknown[] }[] };
    expect(state.frameworks[0]?.executors).toHaveLength(50);
    await expect.poll(() => openFiles(folder)).toBe(0);
  });

  it("read a compressed body of a call", async () => {
    const { gzipSync } = await import("node:zlib");
    const answer = await fetch(url("/api/v1"), {
      method: "POST",
      headers: { "content-type": "application/json", "content-encoding": "gzip", accept: "application/json" },
      body: gzipSync('{"type":"GET_HEALTH"}'),
    });
    expect(await answer.json()).toEqual({ type: "GET_HEALTH", get_health: { healthy: true } });
    const bomb = await fetch(url("/api/v1"), {
      method: "POST",
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
      body: gzipSync(Buffer.alloc(50_000_000)),
    });
    expect(bomb.status).toBe(400);
  });
});

/** How many descriptors of this process lead into a folder. */
async function openFiles(path: string): Promise<number> {
  const { readdir, readlink } = await import("node:fs/promises");
  const links = await Promise.all(
    (await readdir("/proc/self/fd")).map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")),
  );
  return links.filter((link) => link.startsWith(path)).length;
}
