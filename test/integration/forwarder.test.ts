import { execFile, execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { bundleForwarder, type Started, scratch, startForwarder, until, writeConfig } from "../support/forwarder.ts";
import { freePort } from "../support/free-port.ts";
import { LumberjackReceiver, type ReceiverOptions } from "../support/lumberjack-receiver.ts";

const work = scratch("forwarder");
let program = "";
beforeAll(async () => {
  program = await bundleForwarder(work.path);
});
afterAll(() => work.remove());

const running: Started[] = [];
const receivers: LumberjackReceiver[] = [];
afterEach(async () => {
  for (const { process } of running.splice(0)) process.kill("SIGKILL");
  for (const receiver of receivers.splice(0)) await receiver.close();
});

let number = 0;
function place(): string {
  const folder = join(work.path, `t${number++}`);
  mkdirSync(folder);
  return folder;
}

async function receive(options: ReceiverOptions = {}): Promise<LumberjackReceiver> {
  const receiver = await new LumberjackReceiver(options).listen();
  receivers.push(receiver);
  return receiver;
}

interface Sections {
  readonly network?: object;
  readonly file?: object;
  readonly shipping?: object;
  readonly more?: object;
}

function configure(folder: string, ports: number[], { network, file, shipping, more }: Sections = {}): string {
  return writeConfig(folder, {
    network: {
      servers: ports.map((port) => `localhost:${port}`),
      "ssl enabled": false,
      "backoff initial": "20ms",
      "backoff maximum": "50ms",
      timeout: 5,
      ...network,
    },
    shipping: { "flush time": "10ms", ...shipping },
    reading: { "scan interval": "200ms" },
    registry: { path: join(folder, "registry.json") },
    files: [{ paths: [join(folder, "*.log")], ...file }],
    ...more,
  });
}

function start(config: string, args: string[] = [], options = {}): Started {
  const started = startForwarder(program, ["-config", config, ...args], options);
  running.push(started);
  return started;
}

const linesOf = (receiver: LumberjackReceiver): string[] => receiver.events.map(({ line }) => line);
const numbered = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `line ${from + index}`);
const textOf = (lines: string[]): string => lines.map((line) => `${line}\n`).join("");

/** A certificate authority, a server's and a client's certificate, by openssl. */
function authority(folder: string): {
  ca: string;
  server: { cert: Buffer; key: Buffer };
  client: { cert: string; key: string };
} {
  const run = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe", cwd: folder });
  run(
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    "-subj",
    "/CN=authority",
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
  );
  for (const name of ["server", "client"]) {
    run(
      "req",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-subj",
      `/CN=${name}`,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.csr`,
    );
    writeFileSync(join(folder, "ext"), "subjectAltName=DNS:localhost");
    run(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      "-CA",
      "ca.pem",
      "-CAkey",
      "ca.key",
      "-CAcreateserial",
      "-days",
      "2",
      "-extfile",
      "ext",
      "-out",
      `${name}.pem`,
    );
  }
  const read = (name: string) => readFileSync(join(folder, name));
  return {
    ca: join(folder, "ca.pem"),
    server: { cert: read("server.pem"), key: read("server.key") },
    client: { cert: join(folder, "client.pem"), key: join(folder, "client.key") },
  };
}

describe("receivers", () => {
  const kinds: [string, ReceiverOptions, object][] = [
    [
      "the Beats input, version 1, slow with keepalives",
      { mode: "beats", delay: 30, keepalive: 5 },
      { "protocol version": 1 },
    ],
    ["the Beats input, version 2", { mode: "beats" }, { "protocol version": 2 }],
    ["go-lumber with a window limit of 100", { mode: "go-lumber", windowLimit: 100 }, { "protocol version": 2 }],
    [
      "go-lumber with a window limit of 100 that is slow to acknowledge",
      { mode: "go-lumber", windowLimit: 100, delay: 20 },
      { "protocol version": 2 },
    ],
    ["the old Ruby input, version 1", { mode: "ruby" }, { "protocol version": 1 }],
    ["the old Ruby input, version 2, acknowledging in parts", { mode: "ruby" }, { "protocol version": 2 }],
    ["one that speaks version 2 only", { versions: [2] }, {}],
    ["one that speaks version 1 only", { versions: [1] }, {}],
  ];
  it.each(kinds)("%s", async (_, options, network) => {
    const folder = place();
    const receiver = await receive(options);
    writeFileSync(join(folder, "a.log"), textOf(numbered(3000)));
    const forwarder = start(configure(folder, [receiver.port], { network }));
    await until(() => receiver.events.length >= 3000, "all lines", forwarder.log);
    appendFileSync(join(folder, "a.log"), textOf(numbered(3, 3000)));
    await until(() => receiver.events.length >= 3003, "three more lines", forwarder.log);
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
    expect(linesOf(receiver)).toEqual(numbered(3003));
    expect(receiver.violations).toEqual([]);
  });

  it("one that closes idle connections is connected to again without a complaint", async () => {
    const folder = place();
    const receiver = await receive({ idleClose: 50 });
    writeFileSync(join(folder, "a.log"), "one\n");
    const forwarder = start(configure(folder, [receiver.port]));
    await until(() => receiver.events.length === 1, "the first line", forwarder.log);
    await new Promise((resolve) => setTimeout(resolve, 200));
    appendFileSync(join(folder, "a.log"), "two\n");
    await until(() => receiver.events.length === 2, "the second line", forwarder.log);
    expect(receiver.connections).toBe(2);
    expect(forwarder.log()).not.toContain("WARNING");
  });

  const broken: [string, ReceiverOptions, string][] = [
    ["that never answers", { silent: true }, "was not acknowledged"],
    [
      "that answers garbage",
      { garbage: Buffer.from("HTTP/1.1 400 Bad Request\r\n") },
      "is this a Lumberjack receiver?",
    ],
    [
      "that acknowledges what was not sent",
      { garbage: Buffer.from([0x31, 0x41, 0, 0, 0xff, 0]) },
      "acknowledgement 65280 of a window",
    ],
    ["that says it is alive for ever", { delay: 1e9, keepalive: 50 }, "was not acknowledged"],
  ];
  it.each(broken)("one %s is left for another", async (_, options, complaint) => {
    const folder = place();
    const bad = await receive(options);
    const good = await receive();
    writeFileSync(join(folder, "a.log"), textOf(numbered(100)));
    const network = { timeout: 0.3, "maximum wait": 0.6, "protocol version": 1 };
    // Which server is picked first is chance: with one only, the other joins by a reload.
    const config = configure(folder, [bad.port], { network });
    const forwarder = start(config);
    await until(() => forwarder.log().includes(complaint), "the complaint", forwarder.log);
    configure(folder, [bad.port, good.port], { network });
    forwarder.process.kill("SIGHUP");
    await until(() => new Set(linesOf(good)).size >= 100, "all lines at the other one", forwarder.log);
    expect([...new Set(linesOf(good))]).toEqual(numbered(100));
  });

  it("several share the load", async () => {
    const folder = place();
    const both = [await receive({ delay: 5 }), await receive({ delay: 5 })];
    writeFileSync(join(folder, "a.log"), textOf(numbered(5000)));
    const ports = both.map(({ port }) => port);
    const forwarder = start(
      configure(folder, ports, { network: { "load balance": true }, shipping: { "bulk size": 64 } }),
    );
    await until(() => both.flatMap(linesOf).length >= 5000, "all lines", forwarder.log);
    for (const receiver of both) expect(receiver.events.length).toBeGreaterThan(0);
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
    expect(new Set(both.flatMap(linesOf))).toEqual(new Set(numbered(5000)));
    expect(both.flatMap(linesOf)).toHaveLength(5000);
  });

  it("one that takes a window and dies before it says so: exactly that window is doubled", async () => {
    const folder = place();
    const receiver = await receive({ loseAcks: 1 });
    writeFileSync(join(folder, "a.log"), textOf(numbered(1000)));
    const forwarder = start(configure(folder, [receiver.port], { shipping: { "bulk size": 50 } }));
    await until(() => new Set(linesOf(receiver)).size >= 1000, "all lines", forwarder.log);
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
    expect(receiver.events.length - 1000).toBe(receiver.windows[0]);
  });
});

describe("TLS", () => {
  it("is mutual, trusts every certificate of a bundle, and takes renewed files at the next connection", async () => {
    const folder = place();
    const mine = authority(folder);
    const other = place();
    authority(other);
    const bundle = join(folder, "bundle.pem");
    writeFileSync(bundle, readFileSync(join(other, "ca.pem"), "utf8") + readFileSync(mine.ca, "utf8"));
    const receiver = await receive({
      tls: { ...mine.server, ca: readFileSync(mine.ca), requestCert: true, rejectUnauthorized: true },
    });
    writeFileSync(join(folder, "a.log"), textOf(numbered(10)));
    // First with a client certificate that the server does not know.
    const [cert, key] = [join(folder, "mine.pem"), join(folder, "mine.key")];
    writeFileSync(cert, readFileSync(join(other, "client.pem")));
    writeFileSync(key, readFileSync(join(other, "client.key")));
    const network = { "ssl enabled": true, "ssl ca": bundle, "ssl certificate": cert, "ssl key": key };
    const forwarder = start(configure(folder, [receiver.port], { network }));
    await until(() => forwarder.log().includes("next attempt"), "a refusal", forwarder.log);
    expect(receiver.events).toEqual([]);
    writeFileSync(key, readFileSync(mine.client.key));
    writeFileSync(cert, readFileSync(mine.client.cert));
    await until(() => receiver.events.length >= 10, "all lines", forwarder.log);
    expect(linesOf(receiver)).toEqual(numbered(10));
  });

  it("refuses a server that it cannot trust, or with another name, and says what to do", async () => {
    const folder = place();
    const { ca, server } = authority(folder);
    const receiver = await receive({ tls: server });
    writeFileSync(join(folder, "a.log"), "secret\n");
    const servers = [`127.0.0.1:${receiver.port}`];
    const untrusted = start(configure(folder, [receiver.port], { network: { "ssl enabled": true } }));
    await until(() => untrusted.log().includes("'ssl ca'"), "the advice", untrusted.log);
    untrusted.process.kill("SIGKILL");
    await untrusted.exit;
    const misnamed = start(configure(folder, [], { network: { "ssl enabled": true, "ssl ca": ca, servers } }));
    await until(() => misnamed.log().includes("'ssl verification'"), "the advice", misnamed.log);
    expect(receiver.events).toEqual([]);
    misnamed.process.kill("SIGKILL");
    await misnamed.exit;
    const lenient = start(
      configure(folder, [], {
        network: { "ssl enabled": true, "ssl ca": ca, servers, "ssl verification": "certificate" },
      }),
    );
    await until(() => receiver.events.length === 1, "the line", lenient.log);
  });
});

describe("what is read", () => {
  it("decodes, joins, filters and parses", async () => {
    const folder = place();
    const receiver = await receive();
    writeFileSync(join(folder, "utf16.txt"), Buffer.from("grün\r\nblau\nhalb", "utf16le"));
    writeFileSync(join(folder, "stack.txt"), "1 error\n  at a\n  at b\n2 DEBUG\n3 fine\n");
    writeFileSync(join(folder, "json.txt"), '{"level":"info","n":1,"message":"hello"}\nnot json\n');
    writeFileSync(join(folder, "old.txt.gz"), gzipSync("archived\nlast without end"));
    const group = (name: string, more: object) => ({ paths: [join(folder, name)], fields: { kind: name }, ...more });
    const config = configure(folder, [receiver.port], {
      more: {
        files: [
          group("utf16.txt", { encoding: "utf-16le" }),
          group("stack.txt", {
            multiline: { pattern: "^\\d", negate: true, match: "after" },
            "exclude lines": ["DEBUG"],
          }),
          group("json.txt", { json: true }),
          group("*.gz", {}),
        ],
      },
    });
    const forwarder = start(config, ["-once"]);
    expect(await forwarder.exit, forwarder.log()).toBe(0);
    const of = (kind: string) => receiver.events.filter(({ fields }) => fields["kind"] === kind);
    expect(of("utf16.txt").map(({ line }) => line)).toEqual(["grün", "blau", "halb"]);
    expect(of("stack.txt").map(({ line }) => line)).toEqual(["1 error\n  at a\n  at b", "3 fine"]);
    expect(of("json.txt").map(({ fields }) => fields)).toMatchObject([
      { level: "info", n: 1, message: "hello" },
      { json_error: "not a JSON object", message: "not json" },
    ]);
    expect(of("*.gz").map(({ line }) => line)).toEqual(["archived", "last without end"]);
    const again = start(config, ["-once"]);
    expect(await again.exit).toBe(0);
    expect(receiver.events).toHaveLength(9);
  });

  it("cuts lines over the bound, keeps NULs, skips a hole, refuses a FIFO, waits for a line's end", async () => {
    const folder = place();
    const receiver = await receive();
    const long = "x".repeat(400_000);
    writeFileSync(join(folder, "a.log"), `a\0b\n${long}\nhalf`);
    execFileSync("mkfifo", [join(folder, "pipe.log")]);
    const forwarder = start(configure(folder, [receiver.port], { file: { "maximum line": 262_144 } }));
    await until(() => receiver.events.length >= 3, "three events", forwarder.log);
    expect(linesOf(receiver)).toEqual(["a\0b", "x".repeat(262_144), "x".repeat(400_000 - 262_144)]);
    await until(() => forwarder.log().includes("it is a fifo, not a file"), "the refusal", forwarder.log);
    appendFileSync(join(folder, "a.log"), " whole\n");
    await until(() => receiver.events.length >= 4, "the whole line", forwarder.log);
    expect(linesOf(receiver)[3]).toBe("half whole");
    const size = statSync(join(folder, "a.log")).size;
    // A writer that does not append goes on at its own position after a truncation.
    writeFileSync(join(folder, "a.log"), Buffer.concat([Buffer.alloc(size), Buffer.from("after the hole\n")]));
    await until(() => receiver.events.length >= 5, "the line after the hole", forwarder.log);
    expect(linesOf(receiver)[4]).toBe("after the hole");
  });

  it("ships standard input, its last line too, and ends with it", async () => {
    const folder = place();
    const receiver = await receive();
    const forwarder = start(configure(folder, [receiver.port], { file: { paths: ["-"] } }));
    forwarder.process.stdin?.write(textOf(numbered(5000)));
    forwarder.process.stdin?.end("the end");
    expect(await forwarder.exit, forwarder.log()).toBe(0);
    expect(linesOf(receiver)).toEqual([...numbered(5000), "the end"]);
  });

  it("prints events with -tap, and records nothing", async () => {
    const folder = place();
    writeFileSync(join(folder, "a.log"), "one\ntwo\n");
    const forwarder = start(configure(folder, []), ["-tap", "-once"]);
    expect(await forwarder.exit).toBe(0);
    const events = forwarder
      .output()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events).toMatchObject([
      { message: "one", offset: 0, file: join(folder, "a.log") },
      { message: "two", offset: 4 },
    ]);
    expect(existsSync(join(folder, "registry.json"))).toBe(false);
  });

  it("begins at the end with -tail, and leaves old files alone until they grow", async () => {
    const folder = place();
    const receiver = await receive();
    writeFileSync(join(folder, "a.log"), "before\n");
    execFileSync("touch", ["-d", "2 days ago", join(folder, "a.log")]);
    const forwarder = start(configure(folder, [receiver.port]));
    await until(() => existsSync(join(folder, "registry.json")), "the registry", forwarder.log);
    appendFileSync(join(folder, "a.log"), "after\n");
    await until(() => receiver.events.length >= 1, "the new line", forwarder.log);
    expect(linesOf(receiver)).toEqual(["after"]);
  });

  it("follows more files than it may hold open", async () => {
    const folder = place();
    const receiver = await receive();
    for (let file = 0; file < 40; file++) writeFileSync(join(folder, `${file}.log`), `first ${file}\n`);
    const more = { reading: { "scan interval": "100ms", "maximum open files": 5 } };
    const forwarder = start(configure(folder, [receiver.port], { more }));
    await until(() => receiver.events.length >= 40, "the first lines", forwarder.log);
    expect(
      execFileSync("ls", [`/proc/${forwarder.process.pid}/fd`, "-l"], { encoding: "utf8" }).match(/\.log$/gm)?.length,
    ).toBeLessThanOrEqual(5);
    for (let file = 0; file < 40; file++) appendFileSync(join(folder, `${file}.log`), `second ${file}\n`);
    await until(() => receiver.events.length >= 80, "the second lines", forwarder.log);
    expect(new Set(linesOf(receiver)).size).toBe(80);
  });
});

describe("positions", () => {
  it("of the old program are taken over", async () => {
    const folder = place();
    const receiver = await receive();
    const path = join(folder, "a.log");
    writeFileSync(path, "one\r\ntwo\r\nthree\r\n");
    const { ino: inode, dev: device } = statSync(path);
    // It counted CRLF as one byte: its offset lies before the line end of the second line.
    writeFileSync(
      join(folder, ".logstash-forwarder"),
      JSON.stringify({ [path]: { source: path, offset: 8, inode, device } }),
    );
    const forwarder = start(configure(folder, [receiver.port]), ["-once"], { cwd: folder });
    expect(await forwarder.exit, forwarder.log()).toBe(0);
    expect(linesOf(receiver)).toEqual(["two", "three"]);
  });

  it("that are broken are kept aside, and everything is sent again", async () => {
    const folder = place();
    const receiver = await receive();
    writeFileSync(join(folder, "a.log"), "one\n");
    writeFileSync(join(folder, "registry.json"), "\0\0\0");
    const forwarder = start(configure(folder, [receiver.port]), ["-once"]);
    expect(await forwarder.exit).toBe(0);
    expect(linesOf(receiver)).toEqual(["one"]);
    expect(forwarder.log()).toContain("files are sent again");
    expect(execFileSync("ls", [folder], { encoding: "utf8" })).toContain("registry.json.broken-");
  });

  it("belong to one process", async () => {
    const folder = place();
    const receiver = await receive();
    writeFileSync(join(folder, "a.log"), "one\n");
    const config = configure(folder, [receiver.port]);
    const first = start(config);
    await until(() => receiver.events.length === 1, "the line", first.log);
    const second = start(config);
    expect(await second.exit).toBe(2);
    expect(second.log()).toContain(`process ${first.process.pid} already uses this registry`);
  });

  it("survive reloads: nothing lost, nothing doubled, a broken configuration not taken over", async () => {
    const folder = place();
    const receiver = await receive({ delay: 5 });
    const path = join(folder, "a.log");
    writeFileSync(path, "");
    const config = configure(folder, [receiver.port]);
    const forwarder = start(config);
    await until(() => existsSync(join(folder, "registry.json")), "it runs", forwarder.log);
    for (let round = 0; round < 20; round++) {
      appendFileSync(path, textOf(numbered(100, round * 100)));
      await new Promise((resolve) => setTimeout(resolve, 25));
      if (round === 10) {
        writeFileSync(config, "{");
        forwarder.process.kill("SIGHUP");
        await until(() => forwarder.log().includes("is not taken over"), "the complaint", forwarder.log);
      }
      if (round === 10) configure(folder, [receiver.port], { file: { fields: { reloaded: "yes" } } });
      forwarder.process.kill("SIGHUP");
    }
    await until(() => receiver.events.length >= 2000, "all lines", forwarder.log);
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
    expect(linesOf(receiver)).toEqual(numbered(2000));
    expect(receiver.events.at(-1)?.fields["reloaded"]).toBe("yes");
  });
});

describe("being operated", () => {
  it("serves its status and metrics", async () => {
    const folder = place();
    const receiver = await receive();
    const port = await freePort();
    writeFileSync(join(folder, "a.log"), textOf(numbered(10)));
    const statusFile = join(folder, "status.json");
    const more = { monitoring: { address: `127.0.0.1:${port}`, "status file": statusFile } };
    const forwarder = start(configure(folder, [receiver.port], { more }));
    await until(() => receiver.events.length >= 10, "all lines", forwarder.log);
    const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const status = JSON.parse(await get("/status"));
    expect(status).toMatchObject({
      shipped: { events: 10 },
      servers: [{ state: "ready", events: 10 }],
      files: [{ source: join(folder, "a.log"), lagBytes: 0, lagSeconds: 0 }],
    });
    const metrics = await get("/metrics");
    expect(metrics).toContain("logstash_forwarder_events_total 10");
    expect(metrics).toContain(`logstash_forwarder_file_lag_bytes{source="${join(folder, "a.log")}"} 0`);
    forwarder.process.kill("SIGTERM");
    await forwarder.exit;
    expect(JSON.parse(readFileSync(statusFile, "utf8")).shipped.events).toBe(10);
  });

  it("stops in bounded time with a receiver that does not answer", async () => {
    const folder = place();
    const receiver = await receive({ silent: true });
    writeFileSync(join(folder, "a.log"), "one\n");
    const forwarder = start(configure(folder, [receiver.port], { shipping: { "drain time": "300ms" } }));
    await until(() => receiver.windows.length > 0, "a window", forwarder.log);
    forwarder.process.kill("SIGTERM");
    expect(await forwarder.exit).toBe(0);
    expect(forwarder.log()).toContain("sent again at the next start");
  });

  it("runs as nobody, on a root that cannot be written but for its registry", async (context) => {
    if (process.getuid?.() !== 0 || !existsSync("/usr/bin/unshare")) {
      if (process.env["CI"]) throw new Error("needs root and unshare(1)");
      context.skip("needs root and unshare(1)");
    }
    const folder = place();
    const receiver = await receive();
    for (const path of [work.path, folder]) chmodSync(path, 0o755);
    const state = join(folder, "state");
    mkdirSync(state);
    chownSync(state, 65_534, 65_534);
    writeFileSync(join(folder, "a.log"), textOf(numbered(100)));
    writeFileSync(join(folder, "private.log"), "not for nobody\n", { mode: 0o600 });
    const config = configure(folder, [receiver.port], { more: { registry: { path: join(state, "registry.json") } } });
    const script = `mount --bind ${state} ${state} && mount -o remount,ro,bind / && exec setpriv --reuid 65534 --regid 65534 --clear-groups ${process.execPath} ${program} -config ${config} -once`;
    const { stdout: output } = await promisify(execFile)("unshare", ["-m", "sh", "-c", `${script} 2>&1`], {
      timeout: 30_000,
    });
    expect(linesOf(receiver)).toEqual(numbered(100));
    expect(output).toContain("cannot read");
    expect(existsSync(join(state, "registry.json"))).toBe(true);
  });
});
