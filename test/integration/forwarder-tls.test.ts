import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { configure, forwarderSuite, linesOf, numbered, textOf, until } from "../support/forwarder.ts";

const { place, receive, start } = forwarderSuite("tls");

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
    expect(misnamed.log()).toContain("the server's certificate is for DNS:localhost, not for '127.0.0.1'");
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

  it("says with -validate which file is wrong, and on which line of the configuration", async () => {
    const folder = place();
    const { ca, client } = authority(folder);
    const validate = async (network: object) => {
      const config = configure(folder, [5043], { network: { "ssl enabled": true, "ssl ca": ca, ...network } });
      const forwarder = start(config, ["-validate"]);
      return { code: await forwarder.exit, log: forwarder.log(), output: forwarder.output() };
    };
    const whole = await validate({ "ssl certificate": client.cert, "ssl key": client.key });
    expect([whole.code, whole.log]).toEqual([0, ""]);
    expect(JSON.parse(whole.output).network).toMatchObject({ tls: { ca, verification: "full" } });
    expect((await validate({ "ssl ca": "/nowhere.pem" })).log).toContain("cannot read the CA bundle '/nowhere.pem'");
    const mixed = await validate({ "ssl certificate": client.cert, "ssl key": join(folder, "ca.key") });
    expect([mixed.code, mixed.log]).toEqual([0, expect.stringMatching(/cannot be used \(.*mismatch/)]);
    const { code, log } = await validate({ "ssl verificaton": "none" });
    expect([code, log]).toEqual([2, expect.stringMatching(/forwarder\.json:\d+: 'ssl verificaton' is not an option/)]);
    expect(log).toContain("did you mean 'ssl verification'?");
  });
});
