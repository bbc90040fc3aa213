import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Container, canBePid1, makeRoot, whyNoSupervisord } from "../support/container.ts";
import { LumberjackReceiver } from "../support/lumberjack-receiver.ts";

const missing = whyNoSupervisord();
const pid1 = canBePid1();
let root = "";
let running: Container | undefined;
let receiver: LumberjackReceiver;

beforeAll(async () => {
  if (missing === undefined) root = await makeRoot(["init", "redpill", "logstash-forwarder"]);
  else if (process.env["CI"]) throw new Error(missing);
});

beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

afterEach(async () => {
  await running?.kill();
  running = undefined;
  await receiver?.close();
});

afterAll(() => {
  if (root !== "") rmSync(root, { recursive: true, force: true });
});

/** Below the root, so that nothing of a test is left; readable for the forwarder's user. */
function write(path: string, text: string, mode = 0o644): string {
  const file = join(root, path);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

const lines = (): string[] => receiver.events.map(({ line }) => line);

async function arrives(line: string): Promise<void> {
  await expect.poll(lines).toContain(line);
}

describe("the last words of a service", () => {
  /** An agent that says farewell on TERM, or dies by itself after its first word has arrived. */
  const agent = (log: string, end: string): string =>
    write(
      "agent.sh",
      `#!/bin/bash\ntrap 'echo "farewell" >> ${log}; exit 0' TERM\necho "hello" >> ${log}\nwhile [ ! -e ${root}/go ]; do sleep 0.1 & wait; done\n${end}\n`,
      0o755,
    );

  async function start(end: string): Promise<Container> {
    chmodSync(root, 0o755);
    receiver = await new LumberjackReceiver().listen();
    rmSync(join(root, "go"), { force: true });
    const log = write("var/log/mesos/a.log", "");
    const configuration = write(
      "own.conf",
      JSON.stringify({
        network: { servers: [`127.0.0.1:${receiver.port}`], "ssl enabled": false },
        files: [{ paths: [log] }],
        registry: { path: join(root, "var/lib/logstash-forwarder/registry.json") },
      }),
    );
    rmSync(join(root, "var/lib/logstash-forwarder"), { recursive: true, force: true });
    running = new Container(
      root,
      {
        ENVIRONMENT: "production",
        MESOS_MASTER: "127.0.0.1:1",
        SERVICE_MESOS_CMD: agent(log, end),
        SERVICE_LOGSTASH_FORWARDER_CONF: configuration,
        SERVICE_START_SECONDS: "60",
        SERVICE_START_RETRIES: "0",
      },
      { pid1 },
    );
    await arrives("hello");
    return running;
  }

  test("when the container is stopped", async () => {
    const container = await start("");
    container.stop();
    expect((await container.ended).code).toBe(0);
    expect(lines()).toEqual(["hello", "farewell"]);
  });

  test("when it fails for good", async () => {
    const container = await start(`echo "dying" >> ${root}/var/log/mesos/a.log; exit 1`);
    writeFileSync(join(root, "go"), "");
    expect((await container.ended).code).toBe(70);
    expect(lines()).toEqual(["hello", "dying"]);
  });
});

describe("an own command ships with the settings that its variables give", () => {
  const forwarder = (): string => join(root, "opt/mesos-slave/run logstash-forwarder");

  test.for([
    ["the default", undefined],
    ["supervisord's variable", '-config="%(ENV_SERVICE_LOGSTASH_FORWARDER_CONF)s"'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as the documentation writes it
    ["a shell's variable", '-config="${SERVICE_LOGSTASH_FORWARDER_CONF}"'],
    ["the source's own path", "-config=ROOT/opt/logstash-forwarder/mesos-slave.conf"],
  ] as const)("%s", async ([, flag]) => {
    chmodSync(root, 0o755);
    const [certificate, key] = [join(root, "sink.crt"), join(root, "sink.key")];
    const subject = ["-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"];
    execFileSync(
      "openssl",
      ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, "-keyout", key, "-out", certificate],
      { stdio: "ignore" },
    );
    receiver = await new LumberjackReceiver({
      tls: { cert: readFileSync(certificate), key: readFileSync(key) },
    }).listen();
    rmSync(join(root, "var/lib/logstash-forwarder"), { recursive: true, force: true });
    const logs = join(root, `logs-${receiver.port}`);
    mkdirSync(logs);
    writeFileSync(join(logs, "x"), "one\n");
    symlinkSync("x", join(logs, "mesos-slave.INFO"));
    running = new Container(
      root,
      {
        ENVIRONMENT: "production",
        MESOS_MASTER: "127.0.0.1:1",
        MESOS_LOG_DIR: logs,
        APP_NAME: "shop",
        SERVICE_MESOS_CMD: "sleep 600",
        SERVICE_LOGSTASH_FORWARDER_ADDRESS: `127.0.0.1:${receiver.port}`,
        SERVICE_LOGSTASH_FORWARDER_CERT: certificate,
        ...(flag === undefined
          ? {}
          : { SERVICE_LOGSTASH_FORWARDER_CMD: `${forwarder()} ${flag.replace("ROOT", root)}` }),
      },
      { pid1 },
    );
    await arrives("one");
    expect(receiver.events[0]?.fields).toMatchObject({
      app_name: "shop",
      environment: "production",
      type: "mesos-slave",
    });
  });
});
