import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { encodeMessage } from "../../src/libprocess/framing.ts";
import { Process } from "../../src/libprocess/process.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const MIB = 1024 ** 2;
const sender = { id: "master", ip: "127.0.0.1", port: 9 };

let agent: Process;
let peer: Process;
let pings = 0;
let wake: () => void = () => undefined;
const sockets = new Set<Socket>();

beforeEach(async () => {
  const options = {
    bind: { ip: "127.0.0.1", port: 0 },
    advertise: { ip: "127.0.0.1" },
    log: silentLogger,
    clock: systemClock,
  };
  agent = await Process.start({
    ...options,
    id: "slave(1)",
    limits: { inbound: { incomplete: 32 * MIB } },
  });
  peer = await Process.start({ ...options, id: "master" });
  agent.receive(() => ({ limit: 8 * MIB, objects: 1_000 }));
  agent.http((_request, response) => response.end("x".repeat(10_000)));
  agent.on("PING", (from) => agent.sendBytes(from, "PONG"));
  agent.on("big", () => undefined);
  peer.on("PONG", () => {
    pings++;
    wake();
  });
  peer.link(agent.self, () => expect.unreachable("the link must survive"));
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await peer.close();
  await agent.close();
});

/** A ping over the link that was there from the start: the agent serves, and the link was not touched. */
async function expectServing(): Promise<void> {
  const before = pings;
  peer.sendBytes(agent.self, "PING");
  while (pings === before) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}

function dial(): Socket {
  const socket = connect(agent.self.port, agent.self.ip);
  sockets.add(socket);
  socket.on("error", () => undefined);
  socket.on("close", () => sockets.delete(socket));
  return socket;
}

/** Writes and closes; resolves when the connection is gone. */
function shoot(bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = dial().resume();
    socket.on("close", () => resolve());
    socket.end(bytes);
  });
}

const random = (bound: number): number => Math.floor(Math.random() * bound);

/** A valid message or request with some of its bytes changed, cut or repeated; or plain garbage. */
function fuzzed(): Buffer {
  const seeds = [
    () => encodeMessage(agent.self, sender, "PING", randomBytes(random(200))),
    () => encodeMessage(agent.self, sender, "no.such.Message", randomBytes(random(2000))),
    () => encodeMessage({ ...agent.self, id: "nobody" }, sender, "x", randomBytes(random(100))),
    () => Buffer.from("GET /state?a=%zz HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n".repeat(1 + random(3))),
    () => Buffer.from(`POST /slave(1)/x HTTP/1.1\r\nLibprocess-From: x\r\nContent-Length: ${random(99)}\r\n\r\nabc`),
    () => Buffer.from("POST /slave(1)/big HTTP/1.1\r\nLibprocess-From: x\r\nContent-Encoding: gzip\r\n\r\n"),
    () => randomBytes(1 + random(500)),
  ];
  const bytes = Buffer.from(seeds[random(seeds.length)]?.() ?? "");
  for (let count = random(4); count > 0; count--) bytes[random(bytes.length)] = random(256);
  return random(3) === 0 ? bytes.subarray(0, random(bytes.length + 1)) : bytes;
}

/** Bytes in use after a collection, buffers included. */
async function memory(): Promise<number> {
  for (let turn = 0; turn < 3; turn++) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe("the port under fire", () => {
  it("serves after 10,000 fuzzed requests and messages, and memory is flat", async () => {
    const volley = async (count: number): Promise<void> => {
      for (let left = count; left > 0; left -= 50) await Promise.all(Array.from({ length: 50 }, () => shoot(fuzzed())));
    };
    await volley(2_000);
    await expectServing();
    const before = await memory();
    await volley(8_000);
    await expectServing();
    expect((await memory()) - before).toBeLessThan(24 * MIB);
    expect(agent.load.incompleteBytes).toBe(0);
  });

  it("bounds what incomplete messages hold, at the cost of those who hold most", async () => {
    const head = "POST /slave(1)/big HTTP/1.1\r\nLibprocess-From: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    const part = Buffer.concat([Buffer.from(`${head}700000\r\n`), Buffer.alloc(6 * MIB)]);
    const dribblers = Array.from({ length: 20 }, () => {
      const socket = dial().resume();
      socket.write(part);
      return new Promise<void>((resolve) => {
        socket.on("close", () => resolve());
      });
    });
    await Promise.any(dribblers);
    await expectServing();
    expect(agent.load.incompleteBytes).toBeLessThanOrEqual(32 * MIB);
    expect(agent.load.connections).toBeLessThan(20);
  });

  it("refuses a message over the bound, and any compressed one", async () => {
    agent.on("big", () => expect.unreachable("the message is too large"));
    const body = Buffer.alloc(9 * MIB);
    await shoot(encodeMessage(agent.self, sender, "big", body));
    const zipped = gzipSync("small");
    const head = `POST /slave(1)/big HTTP/1.1\r\nLibprocess-From: x\r\nContent-Encoding: gzip\r\nContent-Length: ${zipped.length}\r\n\r\n`;
    await shoot(Buffer.concat([Buffer.from(head), zipped]));
    await expectServing();
  });

  it("keeps silent links, half-sent heads and slow readers apart from the others", async () => {
    const before = await memory();
    for (let count = 0; count < 500; count++) {
      dial().write(["", "POST /sla", "\x16\x03", "G"][count % 4] ?? "");
      if (count % 5 > 0) continue;
      // Asks for much and reads nothing.
      const greedy = dial().pause();
      greedy.write("GET /state HTTP/1.1\r\n\r\n".repeat(500));
    }
    // A quarter sent something that is no HTTP, and is gone.
    while (agent.load.connections < 375) await new Promise((resolve) => setImmediate(resolve));
    for (let count = 0; count < 20; count++) await expectServing();
    expect((await memory()) - before).toBeLessThan(64 * MIB);
    expect(agent.load.waitingRequests).toBeLessThanOrEqual(4_096);
  });
});
