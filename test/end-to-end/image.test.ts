import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sleep, systemClock } from "../../src/base/clock.ts";
import { freePort } from "../support/free-port.ts";
import { buildKitClient, IMAGE, ImageDocker, whyNoImage } from "../support/image.ts";
import { Program } from "../support/program.ts";

const missing = whyNoImage();
let docker: ImageDocker;
let folder = "";
let master: Program;
let masterPort = 0;
let port = 0;

beforeAll(async () => {
  if (missing !== undefined) {
    if (process.env["CI"]) throw new Error(missing);
    return;
  }
  docker = await ImageDocker.start();
  docker.build();
  folder = mkdtempSync(join(tmpdir(), "image-node-"));
  masterPort = await freePort();
  master = new Program("mesos-local-master", ["--ip=127.0.0.1", `--port=${masterPort}`]);
  await master.printed("Serving at");
}, 1_200_000);

beforeEach(async (context) => {
  if (missing !== undefined) context.skip(missing);
  port = await freePort();
});

afterEach(() => {
  if (missing === undefined) docker.run(["rm", "-f", "node"]);
});

afterAll(async () => {
  if (missing !== undefined) return;
  await master?.stop();
  await docker.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** seed.md's example run command, with reachable addresses in place of its own. */
function documented(environment: string, ...more: string[]): string[] {
  const [work, sandbox] = [join(folder, `workdir-${port}`), join(folder, "sandbox")];
  mkdirSync(work, { recursive: true });
  mkdirSync(sandbox, { recursive: true });
  return [
    ...["run", "-d", "--name", "node", "--net=host", "--cap-add=SYS_ADMIN"],
    ...["-e", `ENVIRONMENT=${environment}`, "-e", "PARENT_HOST=the-host", "-e", "MESOS_IP=127.0.0.1"],
    ...["-e", `MESOS_MASTER=127.0.0.1:${masterPort}`, "-e", "MESOS_REGISTRATION_TIMEOUT=5min"],
    ...["-e", "MESOS_HOSTNAME=127.0.0.1", "-e", `MESOS_DOCKER_SANDBOX_DIRECTORY=${sandbox}`],
    ...["-e", `MESOS_WORKDIR=${work}`, "-e", `MESOS_PORT=${port}`],
    ...["-v", `${work}:${work}:rw`, "-v", `${sandbox}:${sandbox}:rw`, "-v", "/sys:/sys:ro"],
    ...["-v", "/usr/bin/docker:/usr/bin/docker:ro", "-v", `${docker.socket}:/var/run/docker.sock:rw`],
    ...more,
    IMAGE,
  ];
}

async function until(what: string, holds: () => boolean | Promise<boolean>, seconds = 30): Promise<void> {
  for (let left = seconds * 10; !(await holds()); left--) {
    if (left === 0) throw new Error(`not within ${seconds} s: ${what}\n${docker.logs("node").slice(-4000)}`);
    await sleep(systemClock, 100);
  }
}

const healthy = async (): Promise<boolean> => {
  try {
    return (await fetch(`http://127.0.0.1:${port}/health`)).ok;
  } catch {
    return false;
  }
};

const exitCode = (): number => Number(docker.docker("inspect", "-f", "{{.State.ExitCode}}", "node"));

function stop(): { readonly milliseconds: number; readonly code: number } {
  const since = systemClock.monotonic();
  docker.docker("stop", "node");
  return { milliseconds: systemClock.monotonic() - since, code: exitCode() };
}

describe("the image", () => {
  test("is small, and has no compiler, no npm and no tests", () => {
    const size = Number(docker.docker("image", "inspect", "-f", "{{.Size}}", IMAGE));
    console.log(`image: ${Math.round(size / 1e6)} MB`);
    expect(size).toBeLessThan(250e6);
    const found = docker.docker(
      "run",
      "--rm",
      "--net=host",
      "--entrypoint",
      "sh",
      IMAGE,
      "-c",
      "command -v gcc cc npm make; true",
    );
    expect(found).toBe("");
  });

  test.skipIf(missing !== undefined || buildKitClient() === undefined)("BuildKit builds it too", () => {
    docker.build({ client: buildKitClient(), tag: `${IMAGE}:buildkit` });
    const size = (tag: string): number => Number(docker.docker("image", "inspect", "-f", "{{.Size}}", tag));
    expect(Math.abs(size(`${IMAGE}:buildkit`) - size(IMAGE))).toBeLessThan(1e6);
  });

  test("carries labels, a health check and its bill of materials", () => {
    const [details] = JSON.parse(docker.docker("image", "inspect", IMAGE));
    expect(details.Config.Labels["org.opencontainers.image.title"]).toBe("mesos-slave");
    expect(details.Config.Healthcheck.Test).toEqual(["CMD", "/opt/scripts/healthcheck.sh"]);
    const bill = JSON.parse(
      docker.docker("run", "--rm", "--net=host", "--entrypoint", "cat", IMAGE, "/usr/share/mesos-slave/sbom.cdx.json"),
    );
    const names = bill.components.map(({ name }: { name: string }) => name);
    expect(names).toEqual(expect.arrayContaining(["node", "fastify", "supervisor", "bash"]));
  });

  test("has every documented path", () => {
    const paths = ["/init.sh", "/opt/scripts/redpill.sh", "/opt/logstash-forwarder/logstash-forwarder"];
    paths.push("/opt/logstash-forwarder/bin/logstash-forwarder", "/opt/logstash-forwarder/mesos-slave.conf");
    paths.push("/etc/supervisor/conf.d", "/etc/supervisor/supervisord.conf", "/var/log/mesos", "/var/lib/mesos");
    docker.docker("run", "--rm", "--net=host", "--entrypoint", "ls", IMAGE, "-d", ...paths);
  });
});

describe.for(["local", "production", "development", "debug"])(
  "the documented run command, ENVIRONMENT=%s",
  (environment) => {
    test("runs, is healthy, and stops in time with 0", async () => {
      docker.docker(...documented(environment));
      await until("the agent answers", healthy);
      const status = (): string => docker.run(["exec", "node", "supervisorctl", "status"]).stdout;
      const expected = { local: ["mesos", "redpill"], debug: ["mesos"] }[environment] ?? [
        "logstash-forwarder",
        "mesos",
        "redpill",
      ];
      await until("services run", () => expected.every((name) => new RegExp(`^${name} +RUNNING`, "m").test(status())));
      expect(status().trim().split("\n")).toHaveLength(expected.length);
      expect(docker.docker("exec", "node", "/opt/scripts/healthcheck.sh")).toBe("ok");
      const processes = docker.docker("exec", "node", "sh", "-c", "cat /proc/1/comm; ls -ld /run/supervisor.sock");
      expect(processes).toMatch(/^init.sh\nsrwx------/);
      const { milliseconds, code } = stop();
      expect(code).toBe(0);
      expect(milliseconds).toBeLessThan(10_000);
    });
  },
);

describe("failure and stop", () => {
  test("FATAL: clean-up, exit code 70, the service named", async () => {
    const cleanup = join(folder, "cleanup.sh");
    writeFileSync(cleanup, "echo cleaned up\n");
    const more = ["-e", "SERVICE_MESOS_CMD=/no/such/agent", "-e", "SERVICE_START_RETRIES=0"];
    docker.docker(
      ...documented(
        "production",
        ...more,
        "-e",
        "SERVICE_REDPILL_CLEANUP=/cleanup.sh",
        "-v",
        `${cleanup}:/cleanup.sh:ro`,
      ),
    );
    expect(docker.docker("wait", "node")).toBe("70");
    const log = docker.logs("node");
    expect(log.match(/cleaned up/g)).toHaveLength(1);
    expect(log).toContain("[Init][Exit] 70: mesos entered the FATAL state");
  });

  test("docker stop at every 50 ms of the first 3 s: 0, within 10 s", { timeout: 900_000 }, async () => {
    const moments = Array.from({ length: 61 }, (_, index) => 50 * index);
    const liveOn = async (name: string): Promise<void> => {
      const own = documented("local").map((word) => (word === "node" ? name : word));
      for (let after = moments.shift(); after !== undefined; after = moments.shift()) {
        await docker.later(...own);
        await sleep(systemClock, after);
        const since = systemClock.monotonic();
        await docker.later("stop", name);
        const quick = systemClock.monotonic() - since < 10_000;
        const code = Number(await docker.later("inspect", "-f", "{{.State.ExitCode}}", name));
        expect({ after, code, quick }, docker.logs(name)).toEqual({ after, code: 0, quick: true });
        await docker.later("rm", name);
      }
    };
    try {
      const lanes: Promise<void>[] = [];
      // Each with a port of its own.
      for (const lane of [1, 2, 3]) {
        lanes.push(liveOn(`node-${lane}`));
        port = await freePort();
      }
      await Promise.all(lanes);
    } finally {
      docker.run(["rm", "-f", "node-1", "node-2", "node-3"]);
    }
  });

  test("--pid=host: the same stop", async () => {
    docker.docker(...documented("local", "--pid=host"));
    await until("the agent answers", healthy);
    expect(stop().code).toBe(0);
  });

  test("a read-only root with the documented mounts", async () => {
    const mounts = [
      "/run",
      "/tmp",
      "/etc/supervisor/conf.d",
      "/var/log/supervisor",
      "/var/log/mesos",
      "/var/lib/logstash-forwarder",
    ];
    docker.docker(...documented("production", "--read-only", ...mounts.flatMap((path) => ["--tmpfs", path])));
    await until("the agent answers", healthy);
    expect(stop().code).toBe(0);
  });

  test("docker's own health check sees it healthy, and then not", async () => {
    docker.docker(...documented("local", "--health-interval=1s"));
    const health = (): string => docker.docker("inspect", "-f", "{{.State.Health.Status}}", "node");
    await until("healthy", () => health() === "healthy");
    docker.docker("exec", "node", "supervisorctl", "stop", "redpill");
    // The watchdog's last sign of life grows old: as if two intervals had passed.
    docker.docker("exec", "node", "sh", "-c", "echo '1000000000 30' > /run/redpill.alive");
    await until("unhealthy", () => health() === "unhealthy");
    const [details] = JSON.parse(docker.docker("inspect", "node"));
    expect(details.State.Health.Log.at(-1).Output).toMatch(/^the watchdog has not heard from supervisord for \d+ s/);
    docker.docker("exec", "node", "rm", "/run/redpill.alive");
    expect(docker.run(["exec", "node", "/opt/scripts/healthcheck.sh"]).stdout).toContain(
      "the watchdog has not started",
    );
  });

  test("a watchdog that is frozen is noticed", async () => {
    docker.docker(...documented("local", "-e", "SERVICE_REDPILL_INTERVAL=1"));
    await until("the agent answers", healthy);
    await until("the watchdog watches", () => docker.logs("node").includes("watching mesos"));
    const check = () => docker.run(["exec", "node", "/opt/scripts/healthcheck.sh"]);
    expect(check().stdout).toBe("ok\n");
    docker.docker("exec", "node", "sh", "-c", "kill -STOP $(supervisorctl pid redpill)");
    await until("the check fails", () => check().status === 1);
    expect(check().stdout).toContain("the watchdog has not heard from supervisord");
  });
});

describe("what runs inside", () => {
  test("the forwarder runs as its own user, and no secret of the agent's is in its environment", async () => {
    const secrets = ["-e", `MESOS_MASTER=zk://user:Sesame-zk@127.0.0.1:1/mesos`, "-e", "MESOS_CREDENTIAL=p Sesame-c"];
    docker.docker(
      ...documented("production", ...secrets, "-e", 'MESOS_DOCKER_CONFIG={"auths": {"r": {"auth": "Sesame-d"}}}'),
    );
    const inside = (words: string): string => docker.docker("exec", "node", "sh", "-c", words);
    const running = (): boolean =>
      /^logstash-forwarder +RUNNING/m.test(docker.run(["exec", "node", "supervisorctl", "status"]).stdout);
    await until("the forwarder runs", running);
    const status = inside("cat /proc/$(supervisorctl pid logstash-forwarder)/status");
    const [, uid] = /^Uid:\s+(\d+)/m.exec(status) ?? [];
    expect(Number(uid)).toBe(Number(inside("id -u logstash-forwarder")));
    expect(Number(uid)).toBeGreaterThan(0);
    expect(inside("tr '\\0' '\\n' < /proc/$(supervisorctl pid logstash-forwarder)/environ")).not.toContain("Sesame");
    expect(inside("cat /etc/supervisor/conf.d/*; cat /proc/[0-9]*/cmdline") + docker.logs("node")).not.toContain(
      "Sesame",
    );
    expect(inside("stat -c '%a %U' /run/mesos-slave/mesos_credential")).toBe("600 root");
    // It may read what it ships and write its registry.
    expect(inside("ls -ld /var/lib/logstash-forwarder")).toContain("logstash-forwarder");
    await until("the agent's log is followed", () =>
      docker.logs("node").includes("following '/var/log/mesos/mesos-slave.INFO'"),
    );
  });

  test("doctor says that it can work here", async () => {
    docker.docker(...documented("local"));
    await until("the agent answers", healthy);
    const { findings } = JSON.parse(docker.run(["exec", "node", "mesos-slave", "doctor", "--json"]).stdout);
    const failures = findings.filter(({ status }: { status: string }) => status === "failure");
    expect(failures).toEqual([]);
    const work = findings.find(({ check }: { check: string }) => check === "work_dir");
    expect(work).toMatchObject({ status: "ok" });
  });

  test("a task in Docker, and its agent's log lines at a TLS receiver with the three fields", async () => {
    const [certificate, key] = [join(folder, "sink.crt"), join(folder, "sink.key")];
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    execFileSync(
      "openssl",
      ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, "-keyout", key, "-out", certificate],
      { stdio: "ignore" },
    );
    const sinkPort = await freePort();
    const sink = new Program("lumberjack-sink", [
      "--listen",
      `127.0.0.1:${sinkPort}`,
      "--cert",
      certificate,
      "--key",
      key,
    ]);
    try {
      await sink.printed("listening");
      const shipping = [
        "-e",
        `SERVICE_LOGSTASH_FORWARDER_ADDRESS=localhost:${sinkPort}`,
        "-e",
        "SERVICE_LOGSTASH_FORWARDER_CERT=/sink.crt",
      ];
      docker.docker(...documented("production", ...shipping, "-v", `${certificate}:/sink.crt:ro`));
      await until("the agent answers", healthy);
      // The tests' own base image stands in for one of a registry.
      const name = `docker-task-${port}`;
      const execute = new Program("mesos-execute", [
        ...[`--master=127.0.0.1:${masterPort}`, `--name=${name}`, "--containerizer=docker"],
        ...[
          "--docker_image=mesos-slave-test/base:12",
          "--command=cat /etc/debian_version; sleep 1",
          "--resources=cpus:0.1;mem:32",
        ],
      ]);
      expect(await execute.ended(), execute.output + docker.logs("node").slice(-4000)).toBe(0);
      expect(execute.output).toMatch(/TASK_FINISHED/);
      await sink.printed(name);
      const line = sink.output.split("\n").find((each) => each.includes(name)) ?? "";
      expect(JSON.parse(line)).toMatchObject({
        app_name: "mesos-slave",
        environment: "production",
        parent_host: "the-host",
        type: "mesos-slave",
      });
    } finally {
      await sink.stop();
    }
  });

  test("memory of the whole idle container", async () => {
    docker.docker(...documented("production"));
    await until("the agent answers", healthy);
    await sleep(systemClock, 3000);
    // PSS: what is shared counts once.
    const text = docker.docker("exec", "node", "sh", "-c", "cat /proc/[0-9]*/smaps_rollup 2>/dev/null | grep ^Pss:");
    const total = text.split("\n").reduce((sum, line) => sum + Number(/(\d+) kB/.exec(line)?.[1] ?? 0), 0);
    console.log(`idle container: ${Math.round(total / 1024)} MB (PSS of all processes)`);
    expect(total).toBeLessThan(250 * 1024);
  });
});
