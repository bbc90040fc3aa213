import { execFileSync } from "node:child_process";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { type Logger, silentLogger } from "../../src/base/log.ts";
import { Process } from "../../src/libprocess/process.ts";
import { createTls } from "../../src/libprocess/tls.ts";
import { readTlsSettings } from "../../src/libprocess/tls-settings.ts";

let folder: string;
let missing: string | undefined;
const open: Process[] = [];
const warnings: string[] = [];
const log: Logger = { ...silentLogger, warn: (line) => warnings.push(line), error: (line) => warnings.push(line) };

const openssl = (...args: string[]): void => {
  execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
};

/** A certificate `name`.pem with its key, for these subject names, signed by our authority. */
async function certify(name: string, alternatives: string): Promise<void> {
  await writeFile(join(folder, `${name}.ext`), `subjectAltName=${alternatives}\n`);
  openssl(
    "req",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-keyout",
    `${name}.key`,
    "-out",
    `${name}.csr`,
    "-subj",
    `/CN=${name}`,
  );
  const sign = ["x509", "-req", "-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
  openssl(...sign, "-days", "2", "-extfile", `${name}.ext`, "-out", `${name}.pem`);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tls-"));
  try {
    openssl("version");
  } catch {
    missing = "openssl is not installed";
    return;
  }
  const own = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
  openssl(...own, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority");
  openssl(...own, "-keyout", "stranger.key", "-out", "stranger.pem", "-subj", "/CN=stranger");
  await certify("node", "DNS:node.example,IP:127.0.0.1");
  await certify("elsewhere", "DNS:elsewhere.example");
});

afterAll(() => rm(folder, { recursive: true, force: true }));

beforeEach((ctx) => {
  warnings.length = 0;
  if (missing === undefined) return;
  if (process.env["CI"]) throw new Error(missing);
  ctx.skip(missing);
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

interface Side {
  /** Which certificate; none: plain. */
  readonly certificate?: string;
  readonly variables?: Record<string, string>;
  /** What every address resolves back to. */
  readonly reverse?: string[];
}

async function start(id: string, { certificate, variables, reverse = [] }: Side): Promise<Process> {
  const settings = readTlsSettings({
    LIBPROCESS_SSL_ENABLED: certificate === undefined ? "0" : "1",
    LIBPROCESS_SSL_KEY_FILE: join(folder, `${certificate}.key`),
    LIBPROCESS_SSL_CERT_FILE: join(folder, `${certificate}.pem`),
    LIBPROCESS_SSL_CA_FILE: join(folder, "ca.pem"),
    ...variables,
  });
  const tls =
    settings && (await createTls(settings, { clock: systemClock, log, reverse: () => Promise.resolve(reverse) }));
  const made = await Process.start({
    id,
    bind: { ip: "127.0.0.1", port: 0 },
    advertise: { ip: "127.0.0.1" },
    log,
    clock: systemClock,
    tls,
  });
  open.push(made);
  return made;
}

/** Sends a message from one to the other over a link: "delivered", or why the link broke. */
async function exchange(from: Side, to: Side): Promise<string> {
  const [a, b] = [await start("a", from), await start("b", to)];
  return new Promise((resolve) => {
    b.on("hello", (sender, body) => resolve(`delivered ${Buffer.from(body)} from ${sender?.id}`));
    a.link(b.self, (_upid, why) => resolve(why));
    a.sendBytes(b.self, "hello", Buffer.from("x".repeat(3)));
  });
}

const plain: Side = {};
const node: Side = { certificate: "node" };
const verify = { LIBPROCESS_SSL_VERIFY_SERVER_CERT: "true" };
const downgrade = { LIBPROCESS_SSL_SUPPORT_DOWNGRADE: "true" };

describe("TLS between processes", () => {
  it("carries messages and HTTP", async () => {
    expect(await exchange(node, node)).toBe("delivered xxx from a");
    const [, b] = open;
    b?.http((_request, response) => response.end("state"));
    const body = await new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port: b?.self.port, path: "/state", rejectUnauthorized: false };
      const sent = request(options, (response) => response.on("data", (data) => resolve(String(data))));
      sent.on("error", reject);
      sent.end();
    });
    expect(body).toBe("state");
  });

  it("carries a message that is followed at once by the end of file", async () => {
    const [a, b] = [await start("a", node), await start("b", node)];
    const got = new Promise<string>((resolve) => b.on("hello", (_from, body) => resolve(Buffer.from(body).toString())));
    a.sendBytes(b.self, "hello", Buffer.from("x".repeat(50_000)));
    expect(await got).toHaveLength(50_000);
  });

  it("serves plain and TLS peers on one port where downgrade is allowed", async () => {
    expect(await exchange(plain, { ...node, variables: downgrade })).toBe("delivered xxx from a");
    expect(await exchange(node, { ...node, variables: downgrade })).toBe("delivered xxx from a");
  });

  it("goes on without TLS with a plain peer, where downgrade is allowed, and only there", async () => {
    expect(await exchange({ ...node, variables: downgrade }, plain)).toBe("delivered xxx from a");
    expect(await exchange(node, plain)).toMatch(/TLS handshake|closed|disconnected/);
    expect(await exchange(plain, node)).toMatch(/closed|disconnected|ECONNRESET/);
  });

  it("verifies by the address, the name that was dialled, or the name it resolves back to", async () => {
    const byIp = { ...verify, LIBPROCESS_SSL_VERIFY_IPADD: "true" };
    expect(await exchange({ ...node, variables: byIp }, node)).toContain("delivered");
    const dialled = { ...verify, LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME: "openssl" };
    expect(await exchange({ ...node, variables: dialled }, node)).toContain("delivered");
    expect(await exchange({ ...node, variables: verify, reverse: ["node.example"] }, node)).toContain("delivered");
  });

  it("says which name did not match, and which names the certificate has", async () => {
    const why = await exchange({ ...node, variables: verify, reverse: ["node.example"] }, { certificate: "elsewhere" });
    expect(why).toContain("127.0.0.1 resolves back to node.example");
    expect(why).toContain("DNS:elsewhere.example");
    const dialled = { ...verify, LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME: "openssl" };
    expect(await exchange({ ...node, variables: dialled }, { certificate: "elsewhere" })).toMatch(
      /127\.0\.0\.1 was dialled, but its certificate is for DNS:elsewhere\.example/,
    );
  });

  it("refuses certificates of strangers, and never falls back to plain for that", async () => {
    const variables = { ...verify, ...downgrade };
    const why = await exchange({ ...node, variables }, { certificate: "stranger", variables: downgrade });
    expect(why).toMatch(/CN=stranger.*not trusted/);
  });

  it("requires client certificates", async () => {
    const required = { ...node, variables: { LIBPROCESS_SSL_REQUIRE_CLIENT_CERT: "true" } };
    expect(await exchange(node, required)).toContain("delivered");
    expect(await exchange({ certificate: "stranger" }, required)).toMatch(/closed|disconnected|ECONNRESET/);
    expect(warnings.join("\n")).toMatch(/Refused a TLS connection.*CN=stranger.*not trusted/);
  });

  it("uses changed certificate files for new connections, and keeps the old ones when the new are broken", async () => {
    await copyFile(join(folder, "elsewhere.key"), join(folder, "renewed.key"));
    await copyFile(join(folder, "elsewhere.pem"), join(folder, "renewed.pem"));
    const settings = readTlsSettings({
      SSL_ENABLED: "1",
      SSL_KEY_FILE: join(folder, "renewed.key"),
      SSL_CERT_FILE: join(folder, "renewed.pem"),
      SSL_CA_FILE: join(folder, "ca.pem"),
    });
    if (settings === undefined) return expect.unreachable();
    const tls = await createTls(settings, { clock: systemClock, log });
    const server = await Process.start({
      id: "b",
      bind: { ip: "127.0.0.1", port: 0 },
      advertise: { ip: "127.0.0.1" },
      log,
      clock: systemClock,
      tls,
    });
    open.push(server);
    const outcome = async (): Promise<string> => {
      const variables = { ...verify, LIBPROCESS_SSL_VERIFY_IPADD: "true" };
      const client = await start("a", { ...node, variables });
      return new Promise((resolve) => {
        server.on("hello", () => resolve("delivered"));
        client.link(server.self, (_upid, why) => resolve(why));
        client.sendBytes(server.self, "hello");
      });
    };
    expect(await outcome()).toContain("elsewhere.example");
    await copyFile(join(folder, "node.pem"), join(folder, "renewed.pem"));
    await tls.material.reload();
    expect(warnings.at(-1)).toContain("the old ones stay");
    expect(await outcome()).toContain("elsewhere.example");
    await copyFile(join(folder, "node.key"), join(folder, "renewed.key"));
    await tls.material.reload();
    expect(await outcome()).toBe("delivered");
  });
});
