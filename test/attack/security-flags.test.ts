import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeMessage } from "../../src/libprocess/framing.ts";
import { PingSlaveMessageSchema, ShutdownMessageSchema } from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { shoot, upid } from "../support/forged.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";

/** Each setting that keeps somebody out, as the program itself reads it: no part of it is put together by the test. */
let folder: string;
let agent: AgentProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "security-"));
});
afterEach(async () => {
  await agent?.destroy();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts the agent, with nobody for a master; resolves when it is recovered. */
async function start(flags: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<number> {
  const port = await freePort();
  const made = new AgentProcess({ master: "127.0.0.1:9", port, flags, environment });
  agent = made;
  made.start();
  await expect.poll(() => made.log).toContain(" leads");
  return port;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

function ask(port: number, path: string, { body, ...options }: Asked = {}): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, agent: false, ...options }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const statusOf = async (port: number, path: string, asked: Asked = {}): Promise<number> =>
  (await ask(port, path, asked)).status;

const call = (type: string, more: object = {}, headers: Record<string, string> = {}): Asked => ({
  method: "POST",
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify({ type, ...more }),
});

/** Files of a key and of a certificate for 127.0.0.1 that signs itself. */
function keyPair(): { readonly key: string; readonly certificate: string } {
  const [key, certificate] = [join(folder, "key"), join(folder, "certificate")];
  const subject = ["-subj", "/CN=node", "-addext", "subjectAltName=IP:127.0.0.1"];
  const files = ["-keyout", key, "-out", certificate];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", ...files, ...subject]);
  return { key, certificate };
}

const ping = (port: number, from: string): Buffer =>
  encodeMessage(
    upid(`slave(1)@127.0.0.1:${port}`),
    upid(from),
    PingSlaveMessageSchema.typeName,
    Buffer.from([0x08, 0x01]),
  );

describe("settings that keep somebody out", () => {
  it("LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH", async () => {
    const port = await start([], { LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH: "true" });
    expect(await shoot(port, ping(port, "master@10.9.9.9:5050"))).toMatch(/^HTTP\/1.1 400/);
    expect(await shoot(port, ping(port, "master@127.0.0.1:5050"))).toMatch(/^HTTP\/1.1 202/);
  });

  it("--firewall_rules, with every spelling of an endpoint, and what others have mounted", async () => {
    const paths = ["/slave(1)/state", "/slave(1)/api/v1/executor", "/"];
    const port = await start([`--firewall_rules=${JSON.stringify({ disabled_endpoints: { paths } })}`]);
    for (const path of ["/state", "/slave(1)/state", "/state.json", "/slave%281%29/state/", "/", "/slave(1)"])
      expect([path, await statusOf(port, path)]).toEqual([path, 403]);
    for (const path of ["/api/v1/executor", "/slave(1)/api/v1/executor", "/slave(1)/api/v1/executor/"])
      expect([path, await statusOf(port, path, call("SUBSCRIBE"))]).toEqual([path, 403]);
    expect(await statusOf(port, "/flags")).toBe(200);
    expect(agent?.log).not.toContain("which is no endpoint");
  });

  it("--authenticate_http_readonly: what it hides, the operator API hides too", async () => {
    const credentials = join(folder, "credentials");
    writeFileSync(credentials, JSON.stringify({ credentials: [{ principal: "a", secret: "b" }] }), { mode: 0o600 });
    const port = await start(["--authenticate_http_readonly", `--http_credentials=${credentials}`]);
    const authorization = `Basic ${Buffer.from("a:b").toString("base64")}`;
    const readFile = { read_file: { path: "/slave/log", offset: 0 } };
    for (const type of [
      "READ_FILE",
      "LIST_FILES",
      "GET_STATE",
      "GET_FLAGS",
      "GET_CONTAINERS",
      "GET_AGENT",
      "GET_TASKS",
    ])
      expect([type, await statusOf(port, "/api/v1", call(type, readFile))]).toEqual([type, 401]);
    expect(await statusOf(port, "/state")).toBe(401);
    expect(await statusOf(port, "/state", { headers: { authorization } })).toBe(200);
    expect(await statusOf(port, "/api/v1", call("GET_FLAGS", {}, { authorization }))).toBe(200);
    expect(await statusOf(port, "/api/v1", call("GET_HEALTH"))).toBe(200);
    expect(await statusOf(port, "/health")).toBe(200);
  });

  it("--acls, --http_credentials and --credential, read again on SIGHUP unless they are broken", async () => {
    const [acls, credentials] = [join(folder, "acls"), join(folder, "credentials")];
    const credential = join(folder, "credential");
    const basic = (text: string) => ({ headers: { authorization: `Basic ${Buffer.from(text).toString("base64")}` } });
    writeFileSync(acls, '{"permissive": false}');
    writeFileSync(credentials, '{"credentials":[{"principal":"ops","secret":"s"}]}', { mode: 0o600 });
    writeFileSync(credential, "agent secret", { mode: 0o600 });
    const asked = [
      "--authenticate_http_readonly",
      "--authenticate_http_readwrite",
      `--http_credentials=${credentials}`,
    ];
    const port = await start([...asked, `--acls=file://${acls}`, `--credential=${credential}`]);
    const again = async (line: string): Promise<void> => {
      const before = agent?.log.split(line).length ?? 0;
      process.kill(agent?.pid ?? 0, "SIGHUP");
      await expect.poll(() => agent?.log.split(line).length).toBe(before + 1);
    };
    const [own, other] = [basic("ops:s"), basic("ops:t")];
    const statuses = async () => [await statusOf(port, "/flags", own), await statusOf(port, "/flags", other)];
    expect(await statuses()).toEqual([403, 401]);
    expect(agent?.log).toContain('Refusing principal "ops" the action view_flags');
    writeFileSync(acls, '{"permissive": true}');
    await again("Took over the rules");
    expect(await statuses()).toEqual([200, 401]);
    writeFileSync(acls, '{"permissive": false, "view_flag": []}');
    writeFileSync(credentials, '{"credentials":[{"principal":"ops","secret":"t"}]}');
    await again("Not taken over, what was in force stays so: the rules");
    expect(agent?.log).toContain("did you mean 'view_flags'?");
    // Each file for itself: the passwords were right.
    expect(await statuses()).toEqual([401, 200]);
    expect(agent?.log).toContain(`Took over the credential for the master in ${credential}`);
  });

  it("--authenticate_http_executors: nobody without a token speaks for an executor", async () => {
    const key = join(folder, "key");
    writeFileSync(key, "a key", { mode: 0o644 });
    const port = await start(["--authenticate_http_executors", `--executor_secret_key=${key}`]);
    const body = JSON.stringify({ type: "HEARTBEAT", framework_id: { value: "F" }, executor_id: { value: "E" } });
    const call = { method: "POST", headers: { "content-type": "application/json" }, body };
    expect(await statusOf(port, "/api/v1/executor", call)).toBe(401);
    expect(await statusOf(port, "/slave(1)/api/v1/executor", call)).toBe(401);
    expect(agent?.log).toContain(`chmod 600 ${key}`);
    // The pages ask nobody here.
    expect(await statusOf(port, "/state")).toBe(200);
  });

  it("--authenticate_http_readwrite", async () => {
    const credentials = join(folder, "credentials");
    writeFileSync(credentials, JSON.stringify({ credentials: [{ principal: "a", secret: "b" }] }), { mode: 0o600 });
    const port = await start(["--authenticate_http_readwrite", `--http_credentials=${credentials}`]);
    expect(await statusOf(port, "/api/v1", call("GET_HEALTH"))).toBe(401);
    expect(await statusOf(port, "/logging/toggle?level=1&duration=1secs")).toBe(401);
    expect(await statusOf(port, "/state")).toBe(200);
  });

  it("the Host of a request, and --http_hosts", async () => {
    const port = await start(["--http_hosts=node.example.com,.consul"]);
    const asking = (host: string, path = "/flags") => statusOf(port, path, { headers: { host } });
    expect(await asking("evil.example:5051")).toBe(403);
    expect(await asking("evil.example:5051", "/")).toBe(403);
    expect(await asking("evil.example:5051", "/api/v1/executor")).toBe(403);
    for (const host of ["node.example.com:5051", "agent.service.consul", "127.0.0.1:5051", "localhost", "node-1"])
      expect([host, await asking(host)]).toEqual([host, 200]);
    expect(await asking("evil.example:5051", "/health")).toBe(200);
  });

  it("--http_cors_allowed_origins: whose pages may use the agent from elsewhere", async () => {
    const master = "https://master1.example:5050";
    const port = await start([`--http_cors_allowed_origins=${master}`]);
    const health = (origin: string): Asked => call("GET_HEALTH", {}, { origin });
    expect(await statusOf(port, "/api/v1", health(master))).toBe(200);
    expect(await statusOf(port, "/api/v1", health("https://evil.example:5050"))).toBe(403);
    const preflight = { "access-control-request-method": "POST" };
    for (const path of ["/api/v1", "/state", "/files/browse", "/api/v1/executor", "/"])
      for (const [origin, status] of [
        [master, 200],
        ["https://evil.example:5050", 204],
      ] as const)
        expect(
          [path, await statusOf(port, path, { method: "OPTIONS", headers: { origin, ...preflight } })],
          origin,
        ).toEqual([path, status]);
    const script = { "user-agent": "Mozilla/5.0", referer: "https://evil.example:5050/" };
    expect(await statusOf(port, "/state?jsonp=f", { headers: script })).toBe(403);
    expect(await statusOf(port, "/state?jsonp=f", { headers: { ...script, referer: `${master}/` } })).toBe(200);
  });

  it("/logging/toggle: another site's page does not change the level", async () => {
    const port = await start([]);
    const path = "/logging/toggle?level=3&duration=1mins";
    const level = async (): Promise<string> => (await ask(port, "/logging/toggle")).text.trim();
    const browser = { "user-agent": "Mozilla/5.0" };
    for (const headers of [{ origin: "http://evil.example" }, { "sec-fetch-site": "cross-site" }, browser]) {
      expect(await statusOf(port, path, { headers })).toBe(403);
      expect(await level()).toBe("0");
    }
    const origin = { origin: "http://evil.example", ...browser };
    expect(await statusOf(port, path, { method: "POST", headers: origin })).toBe(403);
    expect(await statusOf(port, "/api/v1", call("SET_LOGGING_LEVEL", {}, origin))).toBe(403);
    expect(await level()).toBe("0");
    expect(await statusOf(port, path)).toBe(200);
    expect(await level()).toBe("3");
  });

  it("the rate of /containers holds for GET_CONTAINERS too", async () => {
    const port = await start([], { LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT: "1/1secs" });
    const begin = performance.now();
    const asked = [statusOf(port, "/api/v1", call("GET_CONTAINERS")), statusOf(port, "/containers")];
    await Promise.all([...asked, statusOf(port, "/api/v1", call("GET_CONTAINERS"))]);
    expect(performance.now() - begin).toBeGreaterThan(1_900);
  });

  it("LIBPROCESS_SSL_ENABLED with LIBPROCESS_SSL_REQUIRE_CLIENT_CERT: nobody without a certificate is heard", async () => {
    const { key, certificate } = keyPair();
    const port = await start([], {
      LIBPROCESS_SSL_ENABLED: "true",
      LIBPROCESS_SSL_KEY_FILE: key,
      LIBPROCESS_SSL_CERT_FILE: certificate,
      LIBPROCESS_SSL_CA_FILE: certificate,
      LIBPROCESS_SSL_REQUIRE_CLIENT_CERT: "true",
    });
    const asking = (options: object): Promise<string> =>
      new Promise((resolve) => {
        let text = "";
        const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options }, () =>
          socket.write("GET /health HTTP/1.1\r\nConnection: close\r\n\r\n"),
        );
        socket.on("data", (chunk) => {
          text += chunk.toString("latin1");
        });
        socket.on("error", () => undefined);
        socket.on("close", () => resolve(text));
      });
    expect(await asking({ key: readFileSync(key), cert: readFileSync(certificate) })).toMatch(/^HTTP\/1.1 200/);
    expect(await asking({})).toBe("");
    expect(await shoot(port, Buffer.from("GET /health HTTP/1.1\r\n\r\n"))).toBe("");
  });
});

it("--require_master_certificate: whoever only says that he is the master is not obeyed", async () => {
  const { key, certificate } = keyPair();
  const environment = {
    LIBPROCESS_SSL_ENABLED: "true",
    LIBPROCESS_SSL_SUPPORT_DOWNGRADE: "true",
    LIBPROCESS_SSL_KEY_FILE: key,
    LIBPROCESS_SSL_CERT_FILE: certificate,
    LIBPROCESS_SSL_CA_FILE: certificate,
    LIBPROCESS_SSL_VERIFY_CERT: "true",
  };
  const port = await start(["--require_master_certificate"], environment);
  const order = encodeMessage(
    upid(`slave(1)@127.0.0.1:${port}`),
    upid("master@127.0.0.1:9"),
    ShutdownMessageSchema.typeName,
    new Uint8Array(),
  );
  const send = (options: object): Promise<void> =>
    new Promise((resolve) => {
      const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options }, () =>
        socket.end(order),
      );
      socket.resume();
      socket.on("error", () => undefined);
      socket.on("close", () => resolve());
    });
  await shoot(port, order);
  await send({});
  await expect.poll(() => agent?.log.match(/its connection shows no certificate/g)).toHaveLength(2);
  expect(await statusOf(port, "/health")).toBe(200);
  await send({ key: readFileSync(key), cert: readFileSync(certificate) });
  expect(await agent?.exited()).toBe(0);
});

it("--require_master_certificate without TLS ends the start", async () => {
  const made = new AgentProcess({
    master: "127.0.0.1:9",
    port: await freePort(),
    flags: ["--require_master_certificate"],
  });
  agent = made;
  made.start();
  expect(await made.exited()).toBe(1);
  expect(made.log).toContain("LIBPROCESS_SSL_VERIFY_CERT=true");
});

it("a flood of silent connections does not keep anybody else out", async () => {
  const port = await start([]);
  const sockets: Socket[] = [];
  try {
    for (let round = 0; round < 50; round++) {
      await Promise.all(
        Array.from(
          { length: 100 },
          () =>
            new Promise<void>((resolve) => {
              const socket = connect(port, "127.0.0.1", resolve);
              socket.on("error", () => resolve());
              sockets.push(socket);
            }),
        ),
      );
    }
    expect(await statusOf(port, "/health")).toBe(200);
    expect(agent?.log).toContain("Closed an unused connection from 127.0.0.1: too many are open");
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});
