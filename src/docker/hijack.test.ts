import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "vitest";
import { TestClock } from "../../test/support/test-clock.ts";
import { hijack, NotHandedOver } from "./hijack.ts";
import { Transport } from "./transport.ts";

/** A daemon on a socket that hands connections over. */
let folder: string;
let server: Server;
let transport: Transport;
let clock: TestClock;
const held = new Set<Socket>();

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "hijack-"));
  clock = new TestClock();
  server = createServer((request, response) => {
    // Without an upgrade, as refusals are.
    if (request.url === "/refused") response.writeHead(409).end('{"message":"Container c is paused"}');
    else if (request.url === "/plain") response.writeHead(200).write("body");
  });
  server.on("connection", (socket) => held.add(socket));
  server.on("upgrade", (request, socket, head) => {
    if (request.url === "/refused")
      return socket.end('HTTP/1.1 409 Conflict\r\n\r\n{"message":"Container c is paused"}');
    if (request.url === "/plain") return socket.end("HTTP/1.1 200 OK\r\n\r\nbody");
    if (request.url === "/silent") return undefined;
    if (request.url === "/speechless") return socket.write("HTTP/1.1 500 Trouble\r\nContent-Length: 9\r\n\r\n");
    const asked = head.toString();
    socket.write(`HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n${request.url} first;`);
    let heard = asked;
    socket.on("data", (piece: Buffer) => {
      heard += piece;
    });
    socket.on("end", () => socket.end(`heard ${heard.replace(/^\{.*?\}/, "")}`));
    return undefined;
  });
  await new Promise<void>((resolve) => server.listen(join(folder, "socket"), resolve));
  transport = new Transport({ kind: "unix", path: join(folder, "socket") }, clock);
});
afterEach(async () => {
  await transport.close();
  for (const socket of held) socket.destroy();
  held.clear();
  server.close();
  rmSync(folder, { recursive: true });
});

it("both sides write, what came with the answer is not lost, and each ends its own direction", async () => {
  const connection = await transport.connect("/exec/1/start", {
    query: { h: 1 },
    body: { Tty: false },
    deadline: 1000,
  });
  connection.write("one ");
  connection.end("two");
  expect(await text(connection)).toBe("/exec/1/start?h=1 first;heard one two");
});

it("a daemon that refuses says why, one that does not hand over is told so", async () => {
  await expect(transport.connect("/refused", { deadline: 1000 })).rejects.toMatchObject({
    ...{ kind: "refused", status: 409, message: "Container c is paused" },
  });
  await expect(transport.connect("/plain", { deadline: 1000 })).rejects.toMatchObject({ kind: "protocol" });
  expect(transport.counters).toMatchObject({ calls: 2, refused: 1 });
});

it("one that does not answer is given up after its deadline; one that is not there at once", async () => {
  const asked = new Promise((resolve) => server.once("upgrade", resolve));
  const waiting = transport.connect("/silent", { deadline: 1000 });
  waiting.catch(() => undefined);
  await asked;
  await clock.advance(1000);
  await expect(waiting).rejects.toMatchObject({ kind: "timeout" });
  const nobody = new Transport({ kind: "unix", path: join(folder, "none") }, clock);
  await expect(nobody.connect("/x", { deadline: 1000 })).rejects.toMatchObject({
    ...{ kind: "unreachable", message: expect.stringContaining("the socket does not exist") },
  });
  await nobody.close();
});

it("one that refuses and never says why is given up as well", async () => {
  const late = new AbortController();
  const endpoint = { kind: "unix", path: join(folder, "socket") } as const;
  const asked = hijack(endpoint, { path: "/speechless", body: undefined, signal: late.signal });
  const refusal = await asked.catch((error: unknown) => error);
  if (!(refusal instanceof NotHandedOver)) throw new Error("it does not hand over");
  late.abort();
  await expect(text(refusal.response)).rejects.toMatchObject({ code: "ECONNRESET" });
});
