import { type FileHandle, open } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { afterEach, beforeEach, expect, it, type TestContext } from "vitest";
import { missing } from "../../../test/support/missing.ts";
import { connectInside, NotEntered } from "./namespace.ts";

let net: FileHandle;
let server: Server;
let port: number;

beforeEach(async () => {
  net = await open("/proc/self/ns/net");
  server = createServer((socket) => socket.on("data", (data) => socket.end(`heard ${data}`)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
});
afterEach(async () => {
  await net.close();
  await new Promise((resolve) => server.close(resolve));
});

const forever = new AbortController().signal;

/** Entering a namespace, also one's own, needs CAP_SYS_ADMIN. */
async function connected(context: TestContext, host: string, at: number) {
  try {
    return await connectInside(net, host, at, forever);
  } catch (error) {
    if (error instanceof NotEntered) missing(context, error.message);
    throw error;
  }
}

it("bytes go both ways, and the end of the peer is the end of the stream", async (context) => {
  const stream = await connected(context, "127.0.0.1", port);
  stream.write("hello");
  let text = "";
  const closed = new Promise((resolve) => stream.once("close", resolve));
  stream.on("data", (piece) => {
    text += piece;
  });
  await closed;
  expect(text).toBe("heard hello");
});

it("a name is resolved, and a refused connection is told as such", async (context) => {
  (await connected(context, "localhost", port)).destroy();
  await new Promise((resolve) => server.close(resolve));
  server = createServer().listen(0, "127.0.0.1");
  await expect(connected(context, "127.0.0.1", port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await expect(connected(context, "no-such-host.invalid", port)).rejects.toThrow(/not known|failure|resolution/i);
});

it("a probe that is over ends it", async (context) => {
  const abort = new AbortController();
  const stream = await connected(context, "127.0.0.1", port);
  stream.destroy();
  abort.abort(new Error("the check is over"));
  await expect(connectInside(net, "127.0.0.1", port, abort.signal)).rejects.toThrow("the check is over");
});

it("what is no namespace is not entered, and the reason says what is missing", async () => {
  const file = await open("/dev/null");
  try {
    const refused = connectInside(file, "127.0.0.1", port, forever);
    await expect(refused).rejects.toBeInstanceOf(NotEntered);
    await expect(refused).rejects.toThrow("give the agent CAP_SYS_ADMIN");
  } finally {
    await file.close();
  }
  await expect(connectInside(net, "127.0.0.1", port, forever, "mips")).rejects.toThrow(/mips/);
});
