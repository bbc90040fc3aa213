import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../base/clock.ts";
import { silentLogger } from "../base/log.ts";
import { encodeMessage } from "./framing.ts";
import { messageAt } from "./message-reader.ts";
import { Process } from "./process.ts";

const agent = { id: "slave(1)", ip: "127.0.0.1", port: 5051 };
const master = { id: "master", ip: "127.0.0.1", port: 5050 };
const stranger = { id: "stranger", ip: "127.0.0.1", port: 9 };
const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");
const ping = encodeMessage(agent, master, "mesos.internal.PingSlaveMessage", latin1("body"));
const bare = encodeMessage(agent, master, "PING", new Uint8Array());

describe("messageAt", () => {
  it("reads what real senders write, one behind the other", () => {
    const stream = Buffer.concat([bare, ping]);
    const first = messageAt(stream, 0);
    expect(first).toMatchObject({ url: "/slave(1)/PING", body: Buffer.alloc(0), next: bare.length });
    const second = messageAt(stream, bare.length);
    expect(second).toMatchObject({ url: "/slave(1)/mesos.internal.PingSlaveMessage", next: stream.length });
    expect(second).toMatchObject({
      body: latin1("body"),
      headers: { "user-agent": "libprocess/master@127.0.0.1:5050", "libprocess-from": "master@127.0.0.1:5050" },
    });
  });

  it.each([
    ["with a body", ping],
    ["without one", bare],
  ])("waits for the rest of any part of a message %s", (_what, message) => {
    for (let length = 0; length < message.length; length++)
      expect(messageAt(message.subarray(0, length), 0), `${length} bytes`).toBe("more");
  });

  const head = "POST /a/b HTTP/1.1\r\nUser-Agent: libprocess/x@1.2.3.4:5\r\n";
  const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n`;
  it.each([
    ["another method", "GET /a/b HTTP/1.1\r\n\r\n"],
    ["another version", "POST /a/b HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"],
    ["a blank in the path", "POST /a b HTTP/1.1\r\n\r\n"],
    ["a header of other clients", `${head}Content-Length: 0\r\n\r\n`],
    ["a compressed body", `${head}Content-Encoding: gzip\r\n\r\n`],
    ["a header twice", `${head}User-Agent: libprocess/y@1.2.3.4:5\r\n\r\n`],
    ["a folded header", `${head} more\r\n\r\n`],
    ["a bare line feed", `${head}Host: a\nContent-Length: 5\r\n\r\n`],
    ["the wish to close", `${head}Connection: close\r\n\r\n`],
    ["another encoding", `${head}Transfer-Encoding: gzip, chunked\r\n\r\n`],
    ["two chunks", `${chunked}1\r\na\r\n1\r\nb\r\n0\r\n\r\n`],
    ["a chunk with an extension", `${chunked}1;x\r\na\r\n0\r\n\r\n`],
    ["a trailer", `${chunked}1\r\na\r\n0\r\nX: y\r\n\r\n`],
    ["no chunk but the last", `${chunked}0\r\n\r\n0\r\n\r\n`],
    ["a size with a sign", `${chunked}+1\r\na\r\n0\r\n\r\n`],
    ["a size that is none", `${chunked}\r\na\r\n0\r\n\r\n`],
    ["a size with more digits than a held one has", `${chunked}000001\r\na\r\n0\r\n\r\n`],
    ["a chunk that is too large to be held", `${chunked}10001\r\na`],
  ])("leaves %s to the HTTP parser", (_what, text) => {
    expect(messageAt(latin1(text), 0)).toBe("other");
  });
});

const open: { close(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

/** A process that hears `m` from the master only, keeps what it heard, and answers HTTP with "there". */
async function listen(): Promise<{ process: Process; heard: string[]; told: (count: number) => Promise<string[]> }> {
  const process = await Process.start({
    ...{ id: "slave(1)", bind: { ip: "127.0.0.1", port: 0 }, advertise: { ip: "127.0.0.1" } },
    ...{ log: silentLogger, clock: systemClock },
  });
  open.push(process);
  process.receive(() => ({
    ...{ limit: 1_000_000, objects: 1_000 },
    objection: (from) => (from?.id === "master" ? undefined : "it is not the master"),
  }));
  const heard: string[] = [];
  process.on("m", (_from, body) => heard.push(Buffer.from(body).toString("latin1")));
  process.http((request, response) => {
    heard.push(request.url ?? "");
    response.end("there");
  });
  const told = async (count: number): Promise<string[]> => {
    await expect.poll(() => heard.length).toBe(count);
    return heard;
  };
  return { process, heard, told };
}

function dial({ self }: Process): { socket: Socket; text: () => string; closed: Promise<string> } {
  const socket = connect({ port: self.port, host: self.ip, noDelay: true });
  open.push({ close: () => socket.destroy() });
  let text = "";
  socket.on("error", () => undefined).on("data", (bytes) => (text += bytes.toString("latin1")));
  const closed = new Promise<string>((resolve) => socket.once("close", () => resolve(text)));
  return { socket, text: () => text, closed };
}

const m = (body: string, from = master): Buffer => encodeMessage(agent, from, "m", latin1(body));
const request = latin1("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
const statuses = (text: string): string[] => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status = ""]) => status);

describe("a connection", () => {
  it("keeps the order of answers when HTTP comes behind messages, and messages behind that", async () => {
    const { process, told } = await listen();
    const { socket, text } = dial(process);
    socket.write(Buffer.concat([m("1"), m("2"), request, m("3")]));
    expect(await told(4)).toEqual(["1", "2", "/health", "3"]);
    await expect.poll(() => statuses(text())).toEqual(["202", "202", "200", "202"]);
  });

  it("is told of nothing that a stranger says, and what comes behind it is heard", async () => {
    const { process, told } = await listen();
    const { socket, text } = dial(process);
    socket.write(Buffer.concat([m("1"), m("x", stranger), m("2")]));
    expect(await told(2)).toEqual(["1", "2"]);
    await expect.poll(() => statuses(text())).toEqual(["202", "202", "202"]);
  });

  it("answers 404 for a process that is not there, in its place", async () => {
    const { process, told } = await listen();
    const { socket, text } = dial(process);
    socket.write(Buffer.concat([m("1"), encodeMessage({ ...agent, id: "nobody" }, master, "m", latin1("x")), m("2")]));
    expect(await told(2)).toEqual(["1", "2"]);
    await expect.poll(() => statuses(text())).toEqual(["202", "404", "202"]);
  });

  it("keeps it when what was taken and what was left to the parser come in the same turn", async () => {
    const { process, told } = await listen();
    const { socket, text } = dial(process);
    // More than one read of the system brings, and fewer messages than a turn takes.
    const many = Array.from({ length: 100 }, () => m("x".repeat(1_000)));
    socket.write(Buffer.concat([...many, encodeMessage({ ...agent, id: "nobody" }, master, "m", latin1("x"))]));
    await told(100);
    await expect.poll(() => statuses(text())).toEqual([...many.map(() => "202"), "404"]);
  });

  it("answers all of a burst in a few writes, and closes behind the peer", async () => {
    const { process, told } = await listen();
    const { socket, closed } = dial(process);
    const bodies = Array.from({ length: 500 }, (_, number) => `${number}`);
    socket.end(Buffer.concat(bodies.map((body) => m(body))));
    expect(await told(500)).toEqual(bodies);
    expect(statuses(await closed)).toHaveLength(500);
  });

  it("does not wait with answers for the end of a stream that has none", async () => {
    const { process, told } = await listen();
    const { socket, text } = dial(process);
    let answeredBefore = false;
    process.on("last", () => (answeredBefore = text() !== ""));
    const many = Array.from({ length: 4_000 }, () => m(""));
    socket.write(Buffer.concat([...many, encodeMessage(agent, master, "last", new Uint8Array())]));
    await told(4_000);
    await expect.poll(() => statuses(text()).length).toBe(4_001);
    expect(answeredBefore).toBe(true);
  });

  it("holds a part of a message for a sender who is heard, and gives a stranger's to the parser, which bounds it", async () => {
    const { process, told } = await listen();
    const known = dial(process);
    known.socket.write(m("1"));
    await told(1);
    const second = m("2");
    known.socket.write(second.subarray(0, -10));
    for (const before of [Buffer.alloc(0), m("x", stranger)]) {
      const other = dial(process);
      other.socket.write(before);
      other.socket.write(m("y".repeat(100)).subarray(0, -50));
      await expect.poll(() => process.load.incompleteBytes).toBeGreaterThan(0);
      other.socket.destroy();
      await expect.poll(() => process.load.incompleteBytes).toBe(0);
    }
    known.socket.write(second.subarray(-10));
    expect(await told(2)).toEqual(["1", "2"]);
    await expect.poll(() => statuses(known.text())).toEqual(["202", "202"]);
    // The parser's answers have a date.
    expect(known.text()).not.toContain("Date:");
  });

  it("holds no head without an end, whoever sends it", async () => {
    const { process, told } = await listen();
    const { socket, text, closed } = dial(process);
    socket.write(m("1"));
    await told(1);
    await expect.poll(() => statuses(text())).toEqual(["202"]);
    socket.write(`POST /slave(1)/m HTTP/1.1\r\nUser-Agent: ${"x".repeat(100_000)}`);
    expect(await Promise.race([closed, pause(10_000, "still open")])).not.toBe("still open");
  });

  it("takes a message that is larger than what is held", async () => {
    const { process, told } = await listen();
    const { socket, text } = dial(process);
    const large = "x".repeat(200_000);
    socket.write(Buffer.concat([m("1"), m(large), m("2")]));
    expect(await told(3)).toEqual(["1", large, "2"]);
    await expect.poll(() => statuses(text())).toEqual(["202", "202", "202"]);
  });

  it("gives the same, however the bytes are cut", async () => {
    const { process, heard, told } = await listen();
    const parts = [m("1"), m(""), request, m("\r\n0\r\n\r\n"), m("last")];
    for (const order of [parts, parts.filter((part) => part !== request)]) {
      const stream = Buffer.concat(order);
      const cut = fc.array(fc.integer({ min: 1, max: stream.length - 1 }), { maxLength: 8 });
      await fc.assert(
        fc.asyncProperty(cut, async (cuts) => {
          heard.length = 0;
          const { socket, text } = dial(process);
          const places = [...new Set([0, ...cuts, stream.length])].sort((one, other) => one - other);
          for (const [index, place] of places.slice(1).entries()) {
            socket.write(stream.subarray(places[index], place));
            await new Promise((resolve) => setImmediate(resolve));
          }
          const messages = ["1", "", "\r\n0\r\n\r\n", "last"];
          await told(order.length);
          // A request waits for no message before it; its answer does.
          expect(heard.filter((one) => one !== "/health")).toEqual(messages);
          const answers = order.map((part) => (part === request ? "200" : "202"));
          await expect.poll(() => statuses(text())).toEqual(answers);
          socket.destroy();
        }),
        { numRuns: 15 },
      );
    }
  });
});
