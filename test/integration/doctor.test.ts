import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { freePort } from "../support/free-port.ts";
import { Program } from "../support/program.ts";
import { Ensemble, missingZooKeeper } from "../support/zookeeper-ensemble.ts";

const missing = missingZooKeeper();
let folder = "";
let ensemble: Ensemble;
let master: Program;
let masterPort = 0;
let sink: Program;
let sinkPort = 0;

const file = (name: string): string => join(folder, name);

/** A certificate and its key, signed by itself. */
function certificate(name: string, ...names: string[]): void {
  const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=${names.join(",")}`];
  const files = ["-keyout", file(`${name}.key`), "-out", file(`${name}.crt`)];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90", ...subject, ...files], {
    stdio: "ignore",
  });
}

beforeAll(async () => {
  if (missing !== undefined) {
    if (process.env["CI"]) throw new Error(missing);
    return;
  }
  folder = mkdtempSync(join(tmpdir(), "doctor-"));
  certificate("right", "DNS:localhost");
  certificate("other", "DNS:localhost");
  ensemble = await Ensemble.create(1);
  await ensemble.startAll();
  [masterPort, sinkPort] = [await freePort(), await freePort()];
  master = new Program("mesos-local-master", [
    ...["--ip=127.0.0.1", `--port=${masterPort}`, `--zk=zk://${ensemble.servers}/mesos`],
  ]);
  sink = new Program("lumberjack-sink", [
    ...["--listen", `127.0.0.1:${sinkPort}`, "--cert", file("right.crt"), "--key", file("right.key")],
  ]);
  await Promise.all([master.printed("Serving at"), sink.printed("listening")]);
});

beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

afterAll(async () => {
  if (missing !== undefined) return;
  await Promise.all([master?.stop(), sink?.stop()]);
  await ensemble?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Finding {
  readonly check: string;
  readonly status: string;
  readonly detail: string;
  readonly fix?: string;
}

/** What doctor finds of `check` with these settings. */
async function examine(check: string, environment: Record<string, string>): Promise<Finding[]> {
  const doctor = new Program("doctor", ["--json"], {
    MESOS_IP: "127.0.0.1",
    MESOS_WORK_DIR: folder,
    MESOS_LOG_DIR: folder,
    MESOS_CONTAINERIZERS: "mesos",
    ...environment,
  });
  await doctor.ended();
  const { findings } = JSON.parse(doctor.output) as { findings: Finding[] };
  return findings.filter((finding) => finding.check === check);
}

describe("the way to the master", () => {
  test("ZooKeeper: session, leader, version", async () => {
    const url = `zk://user:a-password@${ensemble.servers}/mesos`;
    const found = await examine("master", { MESOS_MASTER: url });
    expect(found.map(({ status }) => status)).toEqual(["ok", "ok", "ok"]);
    expect(found[0]?.detail).toMatch(/session with ZooKeeper after \d+ ms, 1 master there$/);
    expect(found[1]?.detail).toBe(`the leader 127.0.0.1:${masterPort} is reached`);
    expect(found[2]?.detail).toMatch(/^Mesos \d+\.\d+\.\d+$/);
    expect(JSON.stringify(found)).not.toContain("a-password");
    expect((await examine("address", { MESOS_MASTER: url }))[0]).toMatchObject({ status: "ok" });
  });

  test("a fixed master, and one named in a file", async () => {
    const address = `127.0.0.1:${masterPort}`;
    writeFileSync(file("master"), `${address}\n`);
    for (const text of [address, `file://${file("master")}`]) {
      const found = await examine("master", { MESOS_MASTER: text });
      expect(found.map(({ status }) => status)).toEqual(["ok", "ok"]);
    }
  });

  test("ZooKeeper without a master below the path; ZooKeeper that is not there", async () => {
    const [empty] = await examine("master", { MESOS_MASTER: `zk://${ensemble.servers}/elsewhere` });
    expect(empty).toMatchObject({
      status: "failure",
      detail: expect.stringMatching(/session with ZooKeeper after \d+ ms, but no master below \/elsewhere/),
      fix: expect.stringContaining("--zk"),
    });
    const port = await freePort();
    const [silent] = await examine("master", { MESOS_MASTER: `zk://127.0.0.1:${port}/mesos` });
    expect(silent).toMatchObject({ status: "failure", detail: expect.stringContaining("no session with ZooKeeper") });
  });
});

describe("Logstash", () => {
  const shipping = (certificateName: string, address = `localhost:${sinkPort}`) => ({
    MESOS_MASTER: `127.0.0.1:${masterPort}`,
    SERVICE_LOGSTASH_FORWARDER: "enabled",
    SERVICE_LOGSTASH_FORWARDER_CONF: join(import.meta.dirname, "../../skel/opt/logstash-forwarder/mesos-slave.conf"),
    SERVICE_LOGSTASH_FORWARDER_ADDRESS: address,
    SERVICE_LOGSTASH_FORWARDER_CERT: file(certificateName),
  });

  test("TLS, name and an empty window", async () => {
    expect(await examine("logstash", shipping("right.crt"))).toEqual([
      {
        check: "logstash",
        status: "ok",
        detail: `localhost:${sinkPort}: TLSv1.3, certificate and name match, an empty window was acknowledged`,
      },
    ]);
    const [expiry] = await examine("certificates", shipping("right.crt"));
    expect(expiry).toMatchObject({ status: "ok", detail: expect.stringContaining("is valid until") });
  });

  test("of an own configuration's folder what the forwarder would read: comments, variables, no leftovers", async () => {
    const own = file("own.d");
    mkdirSync(own);
    const network = { servers: ["localhost:$SINK"], "ssl ca": file("right.crt"), ssl_verification: "certificate" };
    writeFileSync(join(own, "a.conf"), `{ "network": ${JSON.stringify(network)}, # ours\n "files": [] }`);
    writeFileSync(join(own, "a.conf~"), "{");
    const [found] = await examine("logstash", {
      SERVICE_LOGSTASH_FORWARDER: "enabled",
      SERVICE_LOGSTASH_FORWARDER_CONF: own,
      SINK: String(sinkPort),
    });
    expect(found).toMatchObject({ status: "ok", detail: expect.stringContaining("its certificate is trusted") });
  });

  test("each of several servers is looked at", async () => {
    const port = await freePort();
    const found = await examine("logstash", shipping("right.crt", `localhost:${sinkPort}, localhost:${port}`));
    expect(found.map(({ status }) => status)).toEqual(["ok", "failure"]);
  });

  test.for([
    ["another authority", "other.crt", "localhost", /must be the authority that signed/],
    ["a name that the certificate does not have", "right.crt", "127.0.0.1", /use a name in .*_ADDRESS that/],
    ["a certificate file that is not there", "none.crt", "localhost", /name the files/],
  ] as const)("%s: a failure with its fix", async ([, name, host, fix]) => {
    const [found] = await examine("logstash", shipping(name, `${host}:${sinkPort}`));
    expect(found).toMatchObject({ status: "failure", fix: expect.stringMatching(fix) });
  });
});
