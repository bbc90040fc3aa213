import { spawnSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sleep, systemClock } from "../../src/base/clock.ts";
import { Container, canBePid1, childrenOf, commandLine, makeRoot, whyNoSupervisord } from "../support/container.ts";
import { freePort } from "../support/free-port.ts";

const missing = whyNoSupervisord();
let root = "";
let port = 0;
let container: Container | undefined;

/** Every variable that may hold a secret, with one in it that nothing else could contain. */
const SECRETS: Readonly<Record<string, string>> = {
  MESOS_MASTER: "zk://user:Sesame-master@127.0.0.1:1/mesos",
  MESOS_CREDENTIAL: '{"principal": "node", "secret": "Sesame-credential"}',
  MESOS_HTTP_CREDENTIALS: '{"credentials": [{"principal": "operator", "secret": "Sesame-http"}]}',
  MESOS_DOCKER_CONFIG: '{"auths": {"registry.example": {"auth": "Sesame-docker"}}}',
  MESOS_EXECUTOR_ENVIRONMENT_VARIABLES: '{"TOKEN": "Sesame-executor"}',
};

beforeAll(async () => {
  if (missing === undefined) root = await makeRoot(["init", "doctor", "redpill", "mesos-slave", "logstash-forwarder"]);
  else if (process.env["CI"]) throw new Error(missing);
});

beforeEach(async (context) => {
  if (missing !== undefined) context.skip(missing);
  port = await freePort();
});

afterEach(async () => {
  await container?.kill();
  container = undefined;
});

afterAll(() => {
  if (root !== "") rmSync(root, { recursive: true, force: true });
});

/** The same settings, as text or as names of files. */
function given(how: string): Record<string, string> {
  const settings = Object.entries(SECRETS).map(([name, value]) => {
    if (how === "as text") return [name, value];
    const file = join(root, name);
    writeFileSync(file, `${value}\n`);
    chmodSync(file, 0o600);
    return [`${name}_FILE`, file];
  });
  return Object.fromEntries(settings);
}

function start(secrets: Readonly<Record<string, string>>): Container {
  container = new Container(
    root,
    {
      ENVIRONMENT: "production",
      MESOS_IP: "127.0.0.1",
      MESOS_HOSTNAME: "127.0.0.1",
      MESOS_PORT: String(port),
      MESOS_WORK_DIR: join(root, "var/lib/mesos"),
      MESOS_CONTAINERIZERS: "mesos",
      SERVICE_LOGSTASH_FORWARDER_ADDRESS: "127.0.0.1:1",
      ...secrets,
    },
    { pid1: canBePid1() },
  );
  return container;
}

/** Every regular file below `folder` whose content is asked for. */
const textsBelow = (folder: string): (readonly [string, string])[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile())
    .map((path) => [path, readFileSync(path, "latin1")] as const);

const commandsBelow = (pid: number): string[] => [commandLine(pid), ...childrenOf(pid).flatMap(commandsBelow)];

/** Everything that somebody may see of a running node, by where. */
async function shown(node: Container): Promise<(readonly [string, string])[]> {
  const page = async (path: string): Promise<readonly [string, string]> => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    expect(answer.status, path).toBe(200);
    return [path, await answer.text()];
  };
  return [
    ...commandsBelow(node.pid).map((words) => ["a command line", words] as const),
    ["the console", node.output],
    ...textsBelow(join(root, "etc")),
    ...textsBelow(join(root, "var/log")),
    ...textsBelow(join(root, "run")).filter(([path]) => !path.startsWith(join(root, "run/mesos-slave/"))),
    ...(await Promise.all(["/flags", "/state", "/metrics/snapshot"].map(page))),
    ["supervisorctl", node.control("tail", "-50000", "mesos", "stderr").stdout + node.control("avail").stdout],
  ];
}

describe.for(["as text", "in files"])("secrets given %s", (how) => {
  test("work, and are shown nowhere", async () => {
    const node = start(given(how));
    for (const each of [/Finished recovery/, /watching mesos/, /logstash-forwarder entered RUNNING/])
      await node.says(each);
    // The agent has read them: a credential that it cannot read would have ended it.
    const { flags } = (await (await fetch(`http://127.0.0.1:${port}/flags`)).json()) as {
      flags: Record<string, string>;
    };
    expect(flags["credential"]).toMatch(/^\//);
    expect(readFileSync(flags["credential"] ?? "", "utf8")).toBe(`${SECRETS["MESOS_CREDENTIAL"]}\n`);
    expect(statSync(flags["credential"] ?? "").mode & 0o077).toBe(0);
    expect(flags["master"]).toMatch(/^zk:\/\/user:\*+@127\.0\.0\.1:1\/mesos$/);
    await sleep(systemClock, 200);
    for (const [where, text] of await shown(node)) expect(/Sesame-\w+/.exec(text)?.[0], where).toBeUndefined();
    node.stop();
    expect((await node.ended).code).toBe(0);
    expect(/Sesame-\w+/.exec(node.output)?.[0]).toBeUndefined();
  });

  test.for(["--dry-run", "--dry-run --json", "--check", "doctor", "doctor --json"])("and %s shows none", (words) => {
    const { stdout, stderr } = spawnSync(join(root, "init.sh"), words.split(" "), {
      encoding: "utf8",
      env: { PATH: process.env["PATH"], ...given(how) },
    });
    expect(stdout).toMatch(/mesos-slave|ok/);
    expect(/Sesame-\w+/.exec(stdout + stderr)?.[0]).toBeUndefined();
  });
});
