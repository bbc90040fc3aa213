import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sleep, systemClock } from "../../src/base/clock.ts";
import { freePort } from "../support/free-port.ts";
import { buildKitClient, IMAGE } from "../support/image.ts";
import { useImageNode } from "../support/image-node.ts";
import { missing } from "../support/missing.ts";
import { Program } from "../support/program.ts";

const image = useImageNode();

describe("the image", () => {
  test("is small, and has no compiler, no npm and no tests", () => {
    const size = Number(image.node.docker.docker("image", "inspect", "-f", "{{.Size}}", IMAGE));
    console.log(`image: ${Math.round(size / 1e6)} MB`);
    expect(size).toBeLessThan(250e6);
    const found = image.node.docker.docker(
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

  test("BuildKit builds it too", (context) => {
    const client = buildKitClient();
    if (client === undefined) {
      return missing(context, "no docker command with BuildKit is installed (apt-get install docker.io)");
    }
    image.node.docker.build({ client, tag: `${IMAGE}:buildkit` });
    const size = (tag: string): number => Number(image.node.docker.docker("image", "inspect", "-f", "{{.Size}}", tag));
    expect(Math.abs(size(`${IMAGE}:buildkit`) - size(IMAGE))).toBeLessThan(1e6);
  });

  test("carries labels, a health check and its bill of materials", () => {
    const [details] = JSON.parse(image.node.docker.docker("image", "inspect", IMAGE));
    const { name, version, license } = JSON.parse(
      readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"),
    ) as Record<string, string>;
    const label = (key: string): unknown => details.Config.Labels[`org.opencontainers.image.${key}`];
    expect([label("title"), label("version"), label("licenses")]).toEqual([name, version, license]);
    expect(details.Config.Healthcheck.Test).toEqual(["CMD", "/opt/scripts/healthcheck.sh"]);
    const bill = JSON.parse(
      image.node.docker.docker(
        "run",
        "--rm",
        "--net=host",
        "--entrypoint",
        "cat",
        IMAGE,
        "/usr/share/mesos-slave/sbom.cdx.json",
      ),
    );
    const names = bill.components.map(({ name }: { name: string }) => name);
    expect(names).toEqual(expect.arrayContaining(["node", "undici", "supervisor", "bash"]));
  });

  test("has every documented path", () => {
    const paths = ["/init.sh", "/opt/scripts/redpill.sh", "/opt/logstash-forwarder/logstash-forwarder"];
    paths.push("/opt/logstash-forwarder/bin/logstash-forwarder", "/opt/logstash-forwarder/mesos-slave.conf");
    paths.push("/etc/supervisor/conf.d", "/etc/supervisor/supervisord.conf", "/var/log/mesos", "/var/lib/mesos");
    image.node.docker.docker("run", "--rm", "--net=host", "--entrypoint", "ls", IMAGE, "-d", ...paths);
  });
});

describe.for(["local", "production", "development", "debug"])(
  "the documented run command, ENVIRONMENT=%s",
  (environment) => {
    test("runs, is healthy, and stops in time with 0", async () => {
      image.node.run(environment);
      await image.node.answers();
      const status = (): string => image.node.docker.run(["exec", "node", "supervisorctl", "status"]).stdout;
      const expected = { local: ["mesos", "redpill"], debug: ["mesos"] }[environment] ?? [
        "logstash-forwarder",
        "mesos",
        "redpill",
      ];
      await image.node.until("services run", () =>
        expected.every((name) => new RegExp(`^${name} +RUNNING`, "m").test(status())),
      );
      expect(status().trim().split("\n")).toHaveLength(expected.length);
      expect(image.node.docker.docker("exec", "node", "/opt/scripts/healthcheck.sh")).toBe("ok");
      const processes = image.node.docker.docker(
        "exec",
        "node",
        "sh",
        "-c",
        "cat /proc/1/comm; ls -ld /run/supervisor.sock",
      );
      expect(processes).toMatch(/^init.sh\nsrwx------/);
      const { milliseconds, code } = image.node.stop();
      expect(code).toBe(0);
      expect(milliseconds).toBeLessThan(10_000);
    });
  },
);

describe("what runs inside", () => {
  test("the forwarder runs as its own user, and no secret of the agent's is in its environment", async () => {
    const secrets = ["-e", `MESOS_MASTER=zk://user:Sesame-zk@127.0.0.1:1/mesos`, "-e", "MESOS_CREDENTIAL=p Sesame-c"];
    image.node.docker.docker(
      ...image.node.documented(
        "production",
        ...secrets,
        "-e",
        'MESOS_DOCKER_CONFIG={"auths": {"r": {"auth": "Sesame-d"}}}',
      ),
    );
    const running = (): boolean =>
      /^logstash-forwarder +RUNNING/m.test(image.node.docker.run(["exec", "node", "supervisorctl", "status"]).stdout);
    await image.node.until("the forwarder runs", running);
    const status = image.node.inside("cat /proc/$(supervisorctl pid logstash-forwarder)/status");
    const [, uid] = /^Uid:\s+(\d+)/m.exec(status) ?? [];
    expect(Number(uid)).toBe(Number(image.node.inside("id -u logstash-forwarder")));
    expect(Number(uid)).toBeGreaterThan(0);
    expect(image.node.inside("tr '\\0' '\\n' < /proc/$(supervisorctl pid logstash-forwarder)/environ")).not.toContain(
      "Sesame",
    );
    expect(
      image.node.inside("cat /etc/supervisor/conf.d/*; cat /proc/[0-9]*/cmdline") + image.node.docker.logs("node"),
    ).not.toContain("Sesame");
    expect(image.node.inside("stat -c '%a %U' /run/mesos-slave/mesos_credential")).toBe("600 root");
    // It may read what it ships and write its registry.
    expect(image.node.inside("ls -ld /var/lib/logstash-forwarder")).toContain("logstash-forwarder");
    await image.node.until("the agent's log is followed", () =>
      image.node.docker.logs("node").includes("following '/var/log/mesos/mesos-slave.INFO'"),
    );
  });

  test("doctor says that it can work here", async () => {
    image.node.run("local");
    await image.node.answers();
    const { findings } = JSON.parse(image.node.docker.run(["exec", "node", "mesos-slave", "doctor", "--json"]).stdout);
    const failures = findings.filter(({ status }: { status: string }) => status === "failure");
    expect(failures).toEqual([]);
    const work = findings.find(({ check }: { check: string }) => check === "work_dir");
    expect(work).toMatchObject({ status: "ok" });
  });

  test("a task in Docker, and its agent's log lines at a TLS receiver with the three fields", async () => {
    const [certificate, key] = [join(image.node.folder, "sink.crt"), join(image.node.folder, "sink.key")];
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
      image.node.run("production", ...shipping, "-v", `${certificate}:/sink.crt:ro`);
      await image.node.answers();
      // The tests' own base image stands in for one of a registry.
      const name = `docker-task-${image.node.port}`;
      const execute = new Program("mesos-execute", [
        ...[`--master=127.0.0.1:${image.node.masterPort}`, `--name=${name}`, "--containerizer=docker"],
        ...[
          "--docker_image=mesos-slave-test/base:12",
          "--command=cat /etc/debian_version; sleep 1",
          "--resources=cpus:0.1;mem:32",
        ],
      ]);
      expect(await execute.ended(), execute.output + image.node.docker.logs("node").slice(-4000)).toBe(0);
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
    image.node.run("production");
    await image.node.answers();
    await sleep(systemClock, 3000);
    // PSS: what is shared counts once.
    const text = image.node.docker.docker(
      "exec",
      "node",
      "sh",
      "-c",
      "cat /proc/[0-9]*/smaps_rollup 2>/dev/null | grep ^Pss:",
    );
    const total = text.split("\n").reduce((sum, line) => sum + Number(/(\d+) kB/.exec(line)?.[1] ?? 0), 0);
    console.log(`idle container: ${Math.round(total / 1024)} MB (PSS of all processes)`);
    expect(total).toBeLessThan(250 * 1024);
  });
});
