import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { messageTable } from "../../src/agent/model/senders.ts";
import { encodeMessage } from "../../src/libprocess/framing.ts";
import { upid } from "../support/forged.ts";
import { freePort } from "../support/free-port.ts";
import { Program } from "../support/program.ts";
import { AgentProcess } from "../support/real-agent.ts";

/** Every port that the programs open, under 10,000 inputs each: the same ones in every run. */
const INPUTS = 10_000;
const AT_ONCE = 50;
const SEED = 20_261_129;

/** mulberry32: numbers below `bound`, from a seed. */
function generator(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

type Random = ReturnType<typeof generator>;

const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length)] as T;
const bytes = (random: Random, most: number): Buffer =>
  Buffer.from(Array.from({ length: random(most) }, () => random(256)));

/** Protobuf as it might be: tags and lengths that mostly fit. */
function protobuf(random: Random, depth = 0): Buffer {
  const parts: Buffer[] = [];
  for (let count = random(6); count > 0; count--) {
    const field = 1 + random(20);
    if (random(2) === 0) parts.push(Buffer.from([field << 3, random(128)]));
    else {
      const inner = depth < 4 && random(2) === 0 ? protobuf(random, depth + 1) : bytes(random, 60);
      parts.push(Buffer.from([((field & 15) << 3) | 2, Math.min(inner.length, 127)]), inner.subarray(0, 127));
    }
  }
  return Buffer.concat(parts);
}

const JSONS = [
  '{"type":"GET_STATE"}',
  '{"type":1e999}',
  `${"[".repeat(5_000)}`,
  '{"type":"READ_FILE","read_file":{"path":',
  "\\u0000",
];

function request(random: Random, paths: readonly string[]): Buffer {
  const type = pick(random, ["application/json", "application/x-protobuf", "text/plain", "application/recordio", ""]);
  const body = random(2) === 0 ? Buffer.from(pick(random, JSONS)) : protobuf(random);
  const sent = random(5) === 0 ? gzipSync(body) : body;
  const query = pick(random, [
    "",
    "?a=%zz",
    "?path=/../..",
    "?level=99999&duration=1",
    "?jsonp=alert(1)",
    "?offset=-9",
  ]);
  const head = [
    `${pick(random, ["GET", "POST", "PUT", "HEAD", "OPTIONS", "BREW"])} ${pick(random, paths)}${query} HTTP/1.1`,
    `Host: ${pick(random, ["", "localhost", "evil.example", "a:b:c", "[::"])}`,
    ...(type === "" ? [] : [`Content-Type: ${type}`]),
    ...(random(5) === 0 ? ["Content-Encoding: gzip"] : []),
    random(8) === 0 ? "Transfer-Encoding: chunked" : `Content-Length: ${random(10) === 0 ? random(1e9) : sent.length}`,
    "Connection: close",
  ];
  return Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), sent]);
}

/** Changes some bytes, cuts or repeats. */
function mutated(random: Random, input: Buffer): Buffer {
  const out = Buffer.from(input);
  for (let count = random(4); count > 0 && out.length > 0; count--) out[random(out.length)] = random(256);
  if (random(4) === 0) return out.subarray(0, random(out.length + 1));
  return random(8) === 0 ? Buffer.concat([out, out]) : out;
}

/** Sends and closes; resolves when the connection is gone, or has been cut off after a while. */
function fire(port: number, input: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.setTimeout(3_000, () => socket.destroy());
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
    socket.resume();
    socket.end(input);
  });
}

async function storm(port: number, make: (random: Random) => Buffer): Promise<void> {
  const random = generator(SEED);
  for (let sent = 0; sent < INPUTS; sent += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, () => fire(port, mutated(random, make(random)))));
}

/** Kilobytes of memory that a process holds. */
const memoryOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN);

async function healthOf(port: number): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(20_000) });
  return answer.status;
}

let folder: string;
const ends: (() => Promise<unknown>)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fuzz-"));
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  rmSync(folder, { recursive: true, force: true });
});

const PAGES = ["/state", "/flags", "/api/v1", "/api/v1/executor", "/files/read", "/files/browse", "/logging/toggle"];
const MASTER_PAGES = [
  "/state",
  "/tasks",
  "/api/v1/scheduler",
  "/master/api/v1/scheduler",
  "/teardown",
  "/redirect",
  "/",
];
const MASTER_MESSAGES = ["RegisterSlaveMessage", "ReregisterSlaveMessage", "StatusUpdateMessage", "UpdateSlaveMessage"];

function message(random: Random, to: string, names: readonly string[]): Buffer {
  const from = upid(pick(random, ["stranger(1)@127.0.0.1:9", "master@127.0.0.1:9", "executor(1)@10.0.0.1:1"]));
  return encodeMessage(upid(to), from, pick(random, names), protobuf(random));
}

describe(`${INPUTS} inputs to`, () => {
  it("the agent's port leave it as it was", async () => {
    const port = await freePort();
    const agent = new AgentProcess({ master: "192.0.2.1:5050", port });
    ends.push(() => agent.destroy());
    agent.start();
    await expect.poll(() => agent.log).toContain(" leads");
    const names = messageTable.map(({ name }) => name);
    const before = memoryOf(agent.pid);
    await storm(port, (random) =>
      random(2) === 0 ? request(random, PAGES) : message(random, `slave(1)@127.0.0.1:${port}`, names),
    );
    expect(await healthOf(port)).toBe(200);
    expect(memoryOf(agent.pid) - before).toBeLessThan(200_000);
    expect(agent.log).not.toMatch(/Shutting down: |Draining|Uncaught/);
  });

  it("the development master's port leave it as it was", async () => {
    const port = await freePort();
    const master = new Program("mesos-local-master", [`--port=${port}`]);
    ends.push(() => master.stop());
    await master.printed("Serving at");
    const before = memoryOf(master.child.pid ?? 0);
    const names = MASTER_MESSAGES.map((name) => `mesos.internal.${name}`);
    await storm(port, (random) =>
      random(2) === 0 ? request(random, MASTER_PAGES) : message(random, `master@127.0.0.1:${port}`, names),
    );
    expect(await healthOf(port)).toBe(200);
    expect(memoryOf(master.child.pid ?? 0) - before).toBeLessThan(200_000);
  });

  it("the forwarder's monitoring port leave it as it was", async () => {
    const port = await freePort();
    const configuration = join(folder, "forwarder.json");
    writeFileSync(
      configuration,
      JSON.stringify({
        network: { servers: ["127.0.0.1:9"], transport: "tcp" },
        files: [{ paths: [join(folder, "*.log")] }],
        monitoring: { address: `127.0.0.1:${port}` },
      }),
    );
    const forwarder = new Program("logstash-forwarder", ["-config", configuration]);
    ends.push(() => forwarder.stop());
    await expect.poll(() => healthOf(port).catch(() => 0)).toBe(200);
    const before = memoryOf(forwarder.child.pid ?? 0);
    await storm(port, (random) => request(random, ["/", "/status", "/metrics", "/health", "/x"]));
    expect(await healthOf(port)).toBe(200);
    expect(memoryOf(forwarder.child.pid ?? 0) - before).toBeLessThan(200_000);
  });
});
