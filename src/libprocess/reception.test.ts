import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { settle, TestClock } from "../../test/support/test-clock.ts";
import { systemClock } from "../base/clock.ts";
import { type Logger, silentLogger } from "../base/log.ts";
import { readBody } from "../http/bodies.ts";
import { PingSlaveMessageSchema } from "../mesos/gen/mesos/internal/messages_pb.ts";
import { encodeMessage } from "./framing.ts";
import { Process, type ProcessOptions } from "./process.ts";

/** Who is heard on a port, and what that may cost. */
const open: { close(): unknown }[] = [];
const warnings: string[] = [];
const log: Logger = { ...silentLogger, warn: (line) => warnings.push(line) };

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
  warnings.length = 0;
});

async function start(options: Partial<ProcessOptions> = {}): Promise<Process> {
  const process = await Process.start({
    id: "slave(1)",
    bind: { ip: "127.0.0.1", port: 0 },
    advertise: { ip: "127.0.0.1" },
    log,
    clock: systemClock,
    ...options,
  });
  open.push(process);
  return process;
}

function dial({ self }: Process): { socket: Socket; answer: Promise<string> } {
  const socket = connect(self.port, self.ip);
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

const master = { id: "master", ip: "127.0.0.1", port: 9 };
const stranger = { id: "stranger", ip: "127.0.0.1", port: 9 };
const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

/** Everything that `names` bring, as `name sender`, until `count` came. */
function heard(process: Process, ...names: string[]): (count: number) => Promise<string[]> {
  const got: string[] = [];
  let wake: () => void = () => undefined;
  for (const name of names) {
    process.on(name, (from) => {
      got.push(`${name} ${from?.id}`);
      wake();
    });
  }
  return async (count) => {
    while (got.length < count)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    return got;
  };
}

describe("the port", () => {
  it("does not hold the body of a sender who is not heard", async () => {
    const agent = await start();
    const until = heard(agent, "order", "after");
    agent.receive((name) => ({
      limit: 1_000_000,
      objects: 10,
      ...(name === "order" && { objection: (from) => (from?.id === "master" ? undefined : "it is no master") }),
    }));
    const { socket } = dial(agent);
    socket.write(encodeMessage(agent.self, stranger, "order", Buffer.alloc(500_000)).subarray(0, 400_000));
    await expect.poll(() => warnings.join()).toContain("Ignoring order from stranger@127.0.0.1:9: it is no master");
    expect(agent.load.incompleteBytes).toBe(0);
    const other = dial(agent).socket;
    other.write(
      Buffer.concat([
        encodeMessage(agent.self, stranger, "order", bytes("x")),
        encodeMessage(agent.self, master, "order", bytes("x")),
        encodeMessage(agent.self, stranger, "after", bytes("x")),
      ]),
    );
    expect(await until(2)).toEqual(["order master", "after stranger"]);
  });

  it("asks again before it decodes, for what was said before may have changed who is heard", async () => {
    const agent = await start();
    let master = "stranger";
    agent.receive((name) => ({
      limit: 1_000,
      objects: 10,
      ...(name === "order" && { objection: (from) => (from?.id === master ? undefined : "it is no master") }),
    }));
    agent.on("order", () => expect.unreachable());
    agent.on("change", () => {
      master = "master";
    });
    const { socket, answer } = dial(agent);
    // The order's head is read while the change is not complete.
    socket.write(
      Buffer.concat([
        encodeMessage(agent.self, stranger, "change", bytes("x")),
        encodeMessage(agent.self, stranger, "order", bytes("x")),
        bytes("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
      ]),
    );
    expect(await answer).toContain("404");
    expect(warnings.join()).toContain("it is no master");
  });

  it("takes no more of a message than its name allows", async () => {
    const agent = await start();
    agent.on("small", () => expect.unreachable());
    agent.receive(() => ({ limit: 100, objects: 10 }));
    const { socket, answer } = dial(agent);
    socket.write(encodeMessage(agent.self, master, "small", Buffer.alloc(101)));
    await answer;
    expect(warnings.join()).toContain("larger than 100 bytes");
  });

  it("does not decode what would become too many objects", async () => {
    const agent = await start();
    const until = heard(agent, "after");
    agent.install(PingSlaveMessageSchema, () => expect.unreachable());
    agent.receive(() => ({ limit: 1_000_000, objects: 100 }));
    const { socket } = dial(agent);
    const flood = Buffer.concat([Buffer.from([0x08, 0x01]), Buffer.alloc(400, Buffer.from([0x78, 0x00]))]);
    socket.write(encodeMessage(agent.self, master, PingSlaveMessageSchema.typeName, flood));
    socket.write(encodeMessage(agent.self, master, "after", bytes("x")));
    await until(1);
    expect(warnings.join()).toContain("more than 100 objects");
  });

  it("takes a sender with a host name for none: answering it would ask the resolver", async () => {
    const agent = await start();
    const until = heard(agent, "m");
    const { socket } = dial(agent);
    socket.write(encodeMessage(agent.self, { ...stranger, ip: "some.example" }, "m", bytes("x")));
    expect(await until(1)).toEqual(["m undefined"]);
  });

  it("refuses senders that are not where they say, when that is asked for", async () => {
    const agent = await start({ requirePeerMatch: true });
    const until = heard(agent, "m");
    const { socket, answer } = dial(agent);
    const elsewhere = { ...master, ip: "10.0.0.1" };
    socket.write(encodeMessage(agent.self, elsewhere, "m", bytes("x")));
    socket.write(encodeMessage(agent.self, master, "m", bytes("x")));
    expect(await until(1)).toEqual(["m master"]);
    socket.end();
    expect([...(await answer).matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status)).toEqual(["400", "202"]);
    expect(warnings.join()).toContain("LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH");
  });

  it("gives a body that takes too long up, of a message and of a request", async () => {
    const clock = new TestClock();
    const agent = await start({ clock, limits: { inbound: { body: 1_000 } } });
    agent.on("m", () => expect.unreachable());
    const statuses: number[] = [];
    agent.http((request, response) => {
      readBody(request, 100).catch((error: { status: number }) => {
        statuses.push(error.status);
        response.destroy();
      });
    });
    const slow = dial(agent);
    slow.socket.write(encodeMessage(agent.self, master, "m", bytes("xyz")).subarray(0, -8));
    const other = dial(agent);
    other.socket.write("POST /x HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
    await expect.poll(() => agent.load.incompleteBytes).toBeGreaterThan(3);
    await clock.advance(1_300);
    await settle();
    await Promise.all([slow.answer, other.answer]);
    expect(statuses).toEqual([408]);
    expect(agent.load.incompleteBytes).toBe(0);
  });

  it("counts the bodies of requests and of messages together, and gives up who holds most", async () => {
    const agent = await start({ limits: { inbound: { incomplete: 1_000 } } });
    const until = heard(agent, "m");
    agent.http((request) => {
      readBody(request, 10_000).catch(() => request.socket.destroy());
    });
    const greedy = dial(agent);
    greedy.socket.write(`POST /x HTTP/1.1\r\nContent-Length: 9000\r\n\r\n${"x".repeat(900)}`);
    await expect.poll(() => agent.load.incompleteBytes).toBe(900);
    const { socket } = dial(agent);
    // In two parts: one that is whole is held for nobody.
    const message = encodeMessage(agent.self, master, "m", Buffer.alloc(200));
    socket.write(message.subarray(0, -50));
    await greedy.answer;
    socket.write(message.subarray(-50));
    expect(await until(1)).toEqual(["m master"]);
    expect(agent.load.incompleteBytes).toBe(0);
  });

  it("makes room for one who speaks by closing those who never did", async () => {
    const agent = await start({ limits: { inbound: { connections: 8, connectionsPerAddress: 8 } } });
    agent.http((_request, response) => response.end("there"));
    const silent = Array.from({ length: 8 }, () => dial(agent));
    await expect.poll(() => agent.load.connections).toBe(8);
    const { socket, answer } = dial(agent);
    socket.end("GET /health HTTP/1.1\r\nConnection: close\r\n\r\n");
    expect(await answer).toContain("there");
    await silent[0]?.answer;
    expect(warnings.join()).toContain("Closed an unused connection");
  });

  it("dials no more unlinked peers at once than it may", async () => {
    const agent = await start({ limits: { outbound: { temporary: 4 } } });
    // Nobody is there, and nobody says so: TEST-NET-1.
    for (let port = 1; port <= 20; port++) agent.sendBytes({ id: "x", ip: "192.0.2.1", port }, "PONG");
    expect(agent.load.peers).toBeLessThanOrEqual(4);
  });
});
