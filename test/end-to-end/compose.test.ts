import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { sleep, systemClock } from "../../src/base/clock.ts";
import { freePort, isFree } from "../support/free-port.ts";
import { ImageDocker, whyNoImage } from "../support/image.ts";
import { missing as whatIsMissing } from "../support/missing.ts";
import { Program } from "../support/program.ts";
import { Ensemble, missingZooKeeper } from "../support/zookeeper-ensemble.ts";

const packageFolder = resolve(import.meta.dirname, "../..");
const COMPOSE = spawnSync("docker-compose", ["--version"]).status === 0 ? "docker-compose" : undefined;
const missing = whyNoImage() ?? (COMPOSE === undefined ? "docker-compose is not installed" : missingZooKeeper());
const PROJECT = `compose-test-${process.pid}`;
let docker: ImageDocker;
let folder = "";
let profile = "";
let settings: Record<string, string> = {};

beforeAll(async () => {
  if (missing !== undefined) {
    if (process.env["CI"]) throw new Error(missing);
    return;
  }
  folder = mkdtempSync(join(tmpdir(), "compose-"));
  docker = await ImageDocker.start();
  docker.build();
  // The tests' own daemon in place of the machine's, and ports and folders of their own; all else is as it is.
  const work = join(folder, "workdir");
  const mounts = (targets: readonly string[]): string[] => [
    `${docker.socket}:/var/run/docker.sock:rw`,
    ...targets.map((target) => `${join(folder, target.replaceAll("/", "-"))}:${target}`),
  ];
  const overrides = {
    demo: { volumes: mounts(["/var/lib/mesos"]) },
    join: {
      environment: { MESOS_PORT: String(await freePort()), MESOS_WORK_DIR: work },
      volumes: [
        `${work}:${work}:rw`,
        ...mounts(["/data/mesos/workdir", "/certificates", "/var/log/mesos", "/var/lib/logstash-forwarder"]),
      ],
    },
  };
  writeFileSync(join(folder, "tests.json"), JSON.stringify({ services: overrides }));
}, 1_200_000);

beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

afterEach(() => {
  if (missing === undefined) compose("down", "--volumes");
});

afterAll(async () => {
  if (missing !== undefined) return;
  await docker.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

function compose(...words: string[]): { readonly status: number | null; readonly text: string } {
  const files = ["-f", "docker-compose.yml", "-f", join(folder, "tests.json")];
  const { status, stdout, stderr } = spawnSync(
    COMPOSE ?? "",
    ["-p", PROJECT, ...files, "--profile", profile, ...words],
    {
      cwd: packageFolder,
      encoding: "utf8",
      env: { ...process.env, DOCKER_HOST: `unix://${docker.socket}`, ...settings },
    },
  );
  return { status, text: stdout + stderr };
}

async function logged(pattern: RegExp): Promise<string> {
  for (let left = 600; ; left--) {
    const { text } = compose("logs", "--no-color");
    if (pattern.test(text)) return text;
    if (left === 0) throw new Error(`not within a minute: ${pattern}\n${text.slice(-4000)}`);
    await sleep(systemClock, 100);
  }
}

test("demo: a node on its own, the line to try, and its log at the sink", async (context) => {
  profile = "demo";
  settings = {};
  for (const port of [5050, 5051, 5043])
    if (!(await isFree(port))) whatIsMissing(context, `port ${port}, which is taken`);
  const { status, text } = compose("up", "-d");
  expect(status, text).toBe(0);
  await logged(/demo[^\n]*Registered with the master/);
  // As the file's first lines say it.
  const words = ["--master=127.0.0.1:5050", "--name=hello", "--command=echo hello; sleep 1; echo done"];
  const ran = compose("exec", "-T", "demo", "mesos-execute", ...words);
  expect(ran.text).toMatch(/hello\ndone\n[\s\S]*TASK_FINISHED/);
  expect(ran.status).toBe(0);
  const shipped = await logged(/sink[^\n]*"app_name":"mesos-slave"[^\n]*mesos-execute hello/);
  expect(shipped).toMatch(/"environment":"development","parent_host":"/);
});

test("join: a node of a cluster behind ZooKeeper; stopped within its grace with 0", async () => {
  profile = "join";
  const ensemble = await Ensemble.create(1);
  const port = await freePort();
  const master = new Program("mesos-local-master", [
    ...["--ip=127.0.0.1", `--port=${port}`, `--zk=zk://${ensemble.servers}/mesos`],
  ]);
  try {
    await ensemble.startAll();
    settings = { MESOS_MASTER: `zk://${ensemble.servers}/mesos`, MESOS_IP: "127.0.0.1" };
    const { status, text } = compose("up", "-d");
    expect(status, text).toBe(0);
    await logged(/Registered with the master/);
    const ran = new Program("mesos-execute", [`--master=127.0.0.1:${port}`, "--name=joined", "--command=echo joined"]);
    expect(await ran.ended(), ran.output).toBe(0);
    const since = systemClock.monotonic();
    compose("stop");
    expect(systemClock.monotonic() - since).toBeLessThan(10_000);
    const id = compose("ps", "-q").text.trim();
    expect(docker.docker("inspect", "-f", "{{.State.ExitCode}}", id)).toBe("0");
  } finally {
    await master.stop();
    await ensemble.close();
  }
});
