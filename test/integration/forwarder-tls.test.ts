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

/** root → middle → leaf, for localhost; and a stranger's root. */
function chain(folder: string): void {
  const openssl = (line: string) => execFileSync("openssl", line.split(" "), { stdio: "pipe", cwd: folder });
  const request = (name: string) =>
    openssl(`req -newkey rsa:2048 -nodes -subj /CN=${name} -keyout ${name}.key -out ${name}.csr`);
  const sign = (name: string, by: string, extension: string) => {
    writeFileSync(join(folder, "ext"), extension);
    openssl(
      `x509 -req -in ${name}.csr -CA ${by}.pem -CAkey ${by}.key -CAcreateserial -days 2 -extfile ext -out ${name}.pem`,
    );
  };
  for (const name of ["root", "stranger"])
    openssl(`req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=${name} -keyout ${name}.key -out ${name}.pem`);
  request("middle");
  sign("middle", "root", "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign");
  request("leaf");
  sign("leaf", "middle", "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE");
  const parts = ["leaf.pem", "middle.pem"].map((name) => readFileSync(join(folder, name), "utf8"));
  writeFileSync(join(folder, "chain.pem"), parts.join(""));
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

  it("trusts what the file of 'ssl ca' holds: an intermediate, or the server's own certificate", async () => {
    const folder = place();
    chain(folder);
    const read = (name: string) => readFileSync(join(folder, name));
    const key = read("leaf.key");
    const cases: [ca: string, shown: string, trusted: boolean][] = [
      ["middle.pem", "chain.pem", true],
      ["middle.pem", "leaf.pem", true],
      ["leaf.pem", "leaf.pem", true],
      ["root.pem", "chain.pem", true],
      ["root.pem", "leaf.pem", false],
      ["stranger.pem", "chain.pem", false],
    ];
    for (const [index, [ca, shown, trusted]] of cases.entries()) {
      const receiver = await receive({ tls: { cert: read(shown), key } });
      const mine = place();
      writeFileSync(join(mine, "a.log"), "one\n");
      const network = { "ssl enabled": true, "ssl ca": join(folder, ca) };
      const forwarder = start(configure(mine, [receiver.port], { network }));
      if (trusted) await until(() => receiver.events.length === 1, `case ${index}`, forwarder.log);
      else await until(() => forwarder.log().includes("'ssl ca'"), `case ${index}`, forwarder.log);
      expect(receiver.events.length).toBe(trusted ? 1 : 0);
    }
  });

  it("says once, at the start and with -validate, why the client's key cannot be used", async () => {
    const folder = place();
    const { ca, server, client } = authority(folder);
    const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe", cwd: folder });
    openssl("rsa", "-aes128", "-passout", "pass:open", "-in", client.key, "-out", "locked.key");
    writeFileSync(join(folder, "word"), "open\n");
    const locked = join(folder, "locked.key");
    const receiver = await receive({
      tls: { ...server, ca: readFileSync(ca), requestCert: true, rejectUnauthorized: true },
    });
    const using = (network: object, mine = place()) => {
      writeFileSync(join(mine, "a.log"), "one\n");
      const all = { "ssl enabled": true, "ssl ca": ca, "ssl certificate": client.cert, ...network };
      return configure(mine, [receiver.port], { network: all });
    };
    const faults: [network: object, words: string][] = [
      [{ "ssl key": join(folder, "none.key") }, "cannot read the client key"],
      [{ "ssl key": join(folder, "ca.key") }, "is not the key of the certificate"],
      [{ "ssl key": locked }, "is encrypted and there is no passphrase"],
      [{ "ssl key": locked, "ssl key passphrase": "wrong" }, "the passphrase does not open"],
      [{ "ssl key": client.cert }, "holds no private key"],
    ];
    for (const [network, words] of faults) {
      const validated = start(using(network), ["-validate"]);
      expect([await validated.exit, validated.log()]).toEqual([2, expect.stringContaining(words)]);
      const forwarder = start(using(network), ["-quiet", "-verbose=false"]);
      await until(() => forwarder.log().includes(words), words, forwarder.log);
      // Several attempts later it has been said once.
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(forwarder.log().split(words)).toHaveLength(2);
      forwarder.process.kill("SIGKILL");
    }
    expect(receiver.events).toEqual([]);
    start(using({ "ssl key": locked, "ssl key passphrase": "open" }));
    await until(() => receiver.events.length === 1, "with a passphrase");
    start(using({ "ssl key": locked, "ssl key passphrase file": join(folder, "word") }));
    await until(() => receiver.events.length === 2, "with a passphrase from a file");
    const printed = start(using({ "ssl key": locked, "ssl key passphrase": "open" }), ["-validate"]);
    expect(await printed.exit).toBe(0);
    expect(printed.output()).not.toContain('"open"');
  });

  it.each([
    ["TLS is spoken to a server that does not", false, { "ssl enabled": true }, "may not speak TLS on this port"],
    ["a server that speaks TLS is spoken to without", true, { "ssl enabled": false }, "speak TLS, and we do not"],
  ])("says that %s, with -quiet too", async (_, tls, network, words) => {
    const folder = place();
    const receiver = await receive(tls ? { tls: authority(folder).server } : {});
    writeFileSync(join(folder, "a.log"), "one\n");
    const forwarder = start(configure(folder, [receiver.port], { network }), ["-quiet"]);
    await until(() => forwarder.log().includes(words), words, forwarder.log);
    expect(forwarder.log()).toMatch(/ERROR: /);
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
    expect(JSON.parse(whole.output).network).toMatchObject({ "ssl ca": ca, "ssl verification": "full" });
    const missing = await validate({ "ssl ca": "/nowhere.pem" });
    expect([missing.code, missing.output]).toEqual([2, ""]);
    expect(missing.log).toContain("cannot read the CA bundle '/nowhere.pem'");
    const mixed = await validate({ "ssl certificate": client.cert, "ssl key": join(folder, "ca.key") });
    expect([mixed.code, mixed.log]).toEqual([2, expect.stringContaining("is not the key of the certificate")]);
    const { code, log } = await validate({ "ssl verificaton": "none" });
    expect([code, log]).toEqual([0, expect.stringMatching(/forwarder\.json:\d+: 'ssl verificaton' is no option/)]);
    expect(log).toContain("did you mean 'ssl verification'?");
  });
});
