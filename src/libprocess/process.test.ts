import { connect, createServer, type Server, Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../base/clock.ts";
import { type Logger, silentLogger } from "../base/log.ts";
import { PingSlaveMessageSchema } from "../mesos/gen/mesos/internal/messages_pb.ts";
import { encodeMessage } from "./framing.ts";
import { Process, type ProcessOptions } from "./process.ts";
import type { UPID } from "./upid.ts";

const open: { close(): unknown }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

async function start(id: string, options: Partial<ProcessOptions> = {}): Promise<Process> {
  const process = await Process.start({
    id,
    bind: { ip: "127.0.0.1", port: 0 },
    advertise: { ip: "127.0.0.1" },
    log: silentLogger,
    clock: systemClock,
    ...options,
  });
  open.push(process);
  return process;
}

/** Collects what a process receives under `name`; `next` resolves with the next one. */
function inbox(process: Process, name: string): { received: string[]; until: (count: number) => Promise<string[]> } {
  const received: string[] = [];
  let wake: () => void = () => undefined;
  process.on(name, (from, body) => {
    received.push(`${from?.id}:${Buffer.from(body).toString("latin1")}`);
    wake();
  });
  return {
    received,
    async until(count) {
      while (received.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return received;
    },
  };
}

/** A plain socket to `to`, and everything it answers. */
function dial(to: UPID): { socket: Socket; answer: Promise<string> } {
  const socket = connect(to.port, to.ip);
  open.push({ close: () => socket.destroy() });
  let text = "";
  const answer = new Promise<string>((resolve) => {
    socket.on("data", (data) => {
      text += data.toString("latin1");
    });
    socket.on("close", () => resolve(text));
    socket.on("error", () => undefined);
  });
  return { socket, answer };
}

const sender = { id: "master", ip: "127.0.0.1", port: 9 };
const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

describe("Process", () => {
  it("carries typed messages both ways, in order", async () => {
    const [a, b] = [await start("a"), await start("b")];
    const seen: boolean[] = [];
    const done = new Promise<void>((resolve) => {
      b.install(PingSlaveMessageSchema, (from, message) => {
        seen.push(message.connected);
        if (seen.length === 100) resolve();
        if (seen.length === 1) b.sendBytes(from, "PONG");
      });
    });
    const pongs = inbox(a, "PONG");
    a.link(b.self, () => undefined);
    for (let count = 0; count < 100; count++)
      a.send(b.self, PingSlaveMessageSchema, create(PingSlaveMessageSchema, { connected: count % 3 === 0 }));
    await done;
    expect(seen).toEqual(Array.from({ length: 100 }, (_, count) => count % 3 === 0));
    expect(await pongs.until(1)).toEqual(["b:"]);
  });

  it("drops what lacks a required field, with a warning", async () => {
    const warnings: string[] = [];
    const log: Logger = { ...silentLogger, warn: (line) => warnings.push(line) };
    const [a, b] = [await start("a"), await start("b", { log })];
    b.install(PingSlaveMessageSchema, () => expect.unreachable());
    const after = inbox(b, "after");
    a.link(b.self, () => undefined);
    a.sendBytes(b.self, PingSlaveMessageSchema.typeName);
    a.sendBytes(b.self, "after");
    await after.until(1);
    expect(warnings.join()).toContain("connected");
  });

  it("shares a port between several ids, and ends one alone", async () => {
    const [a, b] = [await start("a"), await start("b")];
    const second = b.spawn("b(2)");
    expect(() => b.spawn("b(2)")).toThrow("exists");
    const [first, other] = [inbox(b, "m"), inbox(second, "m")];
    a.link(b.self, () => undefined);
    a.sendBytes(second.self, "m", bytes("two"));
    await other.until(1);
    second.terminate();
    a.sendBytes(second.self, "m", bytes("nobody"));
    a.sendBytes(b.self, "m", bytes("one"));
    expect(await first.until(1)).toEqual(["a:one"]);
    expect(other.received).toEqual(["a:two"]);
  });

  it("delivers a request that is followed at once by the end of file", async () => {
    const b = await start("b");
    const got = inbox(b, "m");
    for (let count = 1; count <= 20; count++) {
      const { socket } = dial(b.self);
      socket.end(Buffer.concat([encodeMessage(b.self, sender, "m", bytes("x".repeat(count * 1000)))]));
      await got.until(count);
    }
    expect(got.received.at(-1)).toBe(`master:${"x".repeat(20_000)}`);
  });

  it("receives all of a burst whose sender is gone before it is answered", async () => {
    const b = await start("b");
    const got = inbox(b, "m");
    const burst = Buffer.concat(
      Array.from({ length: 400 }, (_, count) => encodeMessage(b.self, sender, "m", bytes(`${count}`.padEnd(2_000)))),
    );
    const { socket } = dial(b.self);
    socket.pause();
    // As libprocess does: the last byte is handed to the kernel, the socket is closed, answers meet a reset.
    socket.end(burst, () => socket.destroy());
    const received = await got.until(400);
    expect(received.map((text) => Number(text.split(":")[1]))).toEqual(
      Array.from({ length: 400 }, (_, count) => count),
    );
  });

  it("lets others have their turn while somebody sends without waiting for answers, and loses nothing", async () => {
    const b = await start("b");
    let [count, inTurn, most] = [0, 0, 0];
    const all = Promise.withResolvers<void>();
    b.on("m", () => {
      if (++inTurn === 1)
        setImmediate(() => {
          most = Math.max(most, inTurn);
          inTurn = 0;
        });
      if (++count === 20_000) all.resolve();
    });
    const { socket } = dial(b.self);
    const one = encodeMessage(b.self, sender, "m", new Uint8Array());
    socket.write(Buffer.concat(Array.from({ length: 20_000 }, () => one)));
    await all.promise;
    // What one read of the system brings is taken as a whole: 64 KB.
    expect(most).toBeLessThanOrEqual(128 + Math.ceil(65_536 / one.length));
    expect(most).toBeGreaterThan(0);
  });

  it("takes no compressed message, and those around it in order", async () => {
    const b = await start("b");
    const got = inbox(b, "m");
    const zipped = gzipSync("z".repeat(5_000_000));
    const head =
      "POST /b/m HTTP/1.1\r\nLibprocess-From: master@127.0.0.1:9\r\nContent-Encoding: gzip\r\n" +
      `Content-Length: ${zipped.length}\r\n\r\n`;
    const { socket } = dial(b.self);
    const message = (text: string): Buffer => encodeMessage(b.self, sender, "m", bytes(text));
    socket.write(Buffer.concat([message("before"), bytes(head), zipped, message("after")]));
    expect(await got.until(2)).toEqual(["master:before", "master:after"]);
  });

  it("answers 202, 404 and hands HTTP to its owner, on one connection", async () => {
    const b = await start("b");
    b.http((request, response) => {
      response.setHeader("connection", "close");
      response.end(`you asked for ${request.url}`);
    });
    b.on("m", () => undefined);
    const { socket, answer } = dial(b.self);
    socket.write(encodeMessage(b.self, sender, "m", bytes("x")));
    socket.write(encodeMessage({ ...b.self, id: "c" }, sender, "m", bytes("x")));
    socket.write("GET /state HTTP/1.1\r\n\r\n");
    expect([...(await answer).matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status)).toEqual(["202", "404", "200"]);
    expect(await answer).toContain("you asked for /state");
  });

  it("handles the HTTP requests of one connection one after the other", async () => {
    const b = await start("b");
    let running = 0;
    let most = 0;
    b.http((_request, response) => {
      most = Math.max(most, ++running);
      setImmediate(() => {
        running--;
        response.end("done");
      });
    });
    const { socket, answer } = dial(b.self);
    socket.end("GET /a HTTP/1.1\r\n\r\n".repeat(50));
    expect((await answer).match(/done/g)).toHaveLength(50);
    expect(most).toBe(1);
  });

  it("survives arbitrary cuts of the byte stream", async () => {
    const b = await start("b");
    const bodies = ["", "one", "x".repeat(3000), "\r\n0\r\n\r\n", "last"];
    const stream = Buffer.concat(bodies.map((body) => encodeMessage(b.self, sender, "m", bytes(body))));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: stream.length - 1 }), { maxLength: 12 }), async (cuts) => {
        const got = inbox(b, "m");
        const { socket } = dial(b.self);
        socket.setNoDelay(true);
        const places = [...new Set([0, ...cuts, stream.length])].sort((x, y) => x - y);
        for (const [index, place] of places.slice(1).entries()) {
          socket.write(stream.subarray(places[index], place));
          await new Promise((resolve) => setImmediate(resolve));
        }
        expect(await got.until(bodies.length)).toEqual(bodies.map((body) => `master:${body}`));
        socket.destroy();
      }),
      { numRuns: 30 },
    );
  });

  it("tells linked processes once when the peer is gone, and links anew", async () => {
    const [a, b] = [await start("a"), await start("b")];
    const gone: string[] = [];
    const exited = new Promise<void>((resolve) => {
      a.link({ ...b.self, id: "b" }, (upid) => gone.push(upid.id));
      a.link({ ...b.self, id: "c" }, (upid) => {
        gone.push(upid.id);
        resolve();
      });
    });
    const got = inbox(b, "m");
    a.sendBytes(b.self, "m");
    await got.until(1);
    await b.close();
    await exited;
    expect(gone).toEqual(["b", "c"]);
    const refused = new Promise<string>((resolve) => a.link(b.self, (_upid, why) => resolve(why)));
    expect(await refused).toContain("ECONNREFUSED");
  });

  it("says in one write what one turn has to say, in order", async () => {
    const [a, b] = [await start("a"), await start("b")];
    const got = inbox(b, "m");
    a.link(b.self, () => undefined);
    a.sendBytes(b.self, "m", bytes("first"));
    await got.until(1);
    const writes = vi.spyOn(Socket.prototype, "write");
    try {
      for (let count = 0; count < 50; count++) a.sendBytes(b.self, "m", bytes(`${count}`));
      await got.until(51);
      const messages = writes.mock.calls.filter(([data]) => String(data).startsWith("POST "));
      expect(messages).toHaveLength(1);
    } finally {
      writes.mockRestore();
    }
    expect(got.received.slice(1)).toEqual(Array.from({ length: 50 }, (_, count) => `a:${count}`));
  });

  it("says what it has to say before it closes", async () => {
    const [a, b] = [await start("a"), await start("b")];
    const got = inbox(b, "m");
    a.link(b.self, () => undefined);
    a.sendBytes(b.self, "m", bytes("first"));
    await got.until(1);
    a.sendBytes(b.self, "m", bytes("last"));
    await a.close();
    expect(await got.until(2)).toEqual(["a:first", "a:last"]);
  });

  it("relinks over a fresh socket without telling anybody", async () => {
    const a = await start("a");
    const sockets: Socket[] = [];
    let wake: () => void = () => undefined;
    const server: Server = createServer((socket) => {
      sockets.push(socket.resume());
      socket.on("close", () => wake());
      wake();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    open.push({
      close: () => {
        for (const socket of sockets) socket.destroy();
        server.close();
      },
    });
    const until = async (condition: () => boolean): Promise<void> => {
      while (!condition()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    const peer = { id: "p", ip: "127.0.0.1", port: (server.address() as { port: number }).port };
    const exited = (): never => expect.unreachable();
    a.link(peer, exited);
    await until(() => sockets.length === 1);
    a.relink(peer, exited);
    await until(() => sockets.length === 2 && sockets[0]?.closed === true);
    expect(sockets[1]?.closed).toBe(false);
    a.unlink(exited);
    await until(() => sockets[1]?.closed === true);
  });

  it("sends to strangers over a socket that it closes again", async () => {
    const [a, b] = [await start("a"), await start("b")];
    const got = inbox(b, "m");
    a.sendBytes(b.self, "m", bytes("1"));
    a.sendBytes(b.self, "m", bytes("2"));
    expect(await got.until(2)).toEqual(["a:1", "a:2"]);
    while (b.load.connections > 0 || a.load.peers > 0) await new Promise((resolve) => setImmediate(resolve));
    a.sendBytes(undefined, "m");
  });
});
