import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sleep, systemClock } from "../../src/base/clock.ts";
import { IMAGE } from "../support/image.ts";
import { useImageNode } from "../support/image-node.ts";

const image = useImageNode();

/** What `docker run` with these words says, and its exit code. */
function ran(words: readonly string[], command: readonly string[] = ["init", "--check"]) {
  const { status, stdout, stderr } = image.node.docker.run(["run", "--rm", "--net=host", ...words, IMAGE, ...command]);
  return { status, said: stdout + stderr };
}

const MASTER = ["-e", "MESOS_MASTER=127.0.0.1:1"];

describe("init --check in the image names the thing and the fix", () => {
  test("nothing is set at all", () => {
    const { status, said } = ran([]);
    expect(status).toBe(1);
    expect(said).toContain("error: MESOS_MASTER is not set");
    expect(said).toContain("MESOS_WORK_DIR=/var/lib/mesos is not mounted");
    expect(said).toContain("-v /var/lib/mesos:/var/lib/mesos:rw");
    expect(said).toContain("there is no Docker socket at /var/run/docker.sock: -v /var/run/docker.sock");
  });

  test("a work_dir that is mounted, and one that is mounted read-only", () => {
    const folder = join(image.node.folder, "data");
    mkdirSync(folder, { recursive: true });
    const data = ["-e", `MESOS_WORK_DIR=${folder}`];
    expect(ran([...MASTER, ...data, "-v", `${folder}:${folder}:rw`])).toMatchObject({
      status: 0,
      said: expect.not.stringContaining("not mounted"),
    });
    const { status, said } = ran([...MASTER, ...data, "-v", `${folder}:${folder}:ro`]);
    expect(status).toBe(1);
    expect(said).toMatch(/MESOS_WORK_DIR=\S+ lies on the mount \S+ which is read-only: mount it writable/);
  });

  test("a folder in the place of Docker's socket, and a socket that nobody listens on any more", () => {
    const folder = join(image.node.folder, "folder.sock");
    mkdirSync(folder, { recursive: true });
    expect(ran([...MASTER, "-v", `${folder}:/var/run/docker.sock`]).said).toContain(
      "/var/run/docker.sock is a folder, not Docker's socket",
    );
    const stale = join(image.node.folder, "stale.sock");
    // Closed by its process' end, a socket stays as a name: as after dockerd's restart.
    spawnSync(process.execPath, [
      "-e",
      `require("net").createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, "SIGKILL"))`,
    ]);
    const { said } = ran([...MASTER, "-v", `${stale}:/var/run/docker.sock`]);
    expect(said).toContain("nobody answers at Docker's socket /var/run/docker.sock");
    expect(said).toContain("restart the container");
  });

  test("limits of memory and processes", () => {
    const { said } = ran([...MASTER, "--memory=64m", "--pids-limit=64"]);
    expect(said).toMatch(/the memory limit of 64MB is too small/);
    expect(said).toMatch(/the limit of 64 processes is too small/);
  });

  test("a user that is not root: asked, and at the boot", () => {
    expect(ran([...MASTER, "--user=1000"]).said).toContain("this runs as user 1000");
    const { status, said } = ran([...MASTER, "--user=1000"], []);
    expect(status).toBe(74);
    expect(said).toContain("the container needs root, leave --user out");
  });

  test("a read-only root without its mounts", () => {
    const { status, said } = ran([...MASTER, "--read-only"], []);
    expect(status).toBe(74);
    expect(said).toContain("--tmpfs /run --tmpfs /tmp --tmpfs /etc/supervisor/conf.d --tmpfs /var/log/supervisor");
  });
});

test("doctor asks as the forwarder's user", () => {
  const log = join(image.node.folder, "private.log");
  writeFileSync(log, "x\n", { mode: 0o600 });
  const configuration = join(image.node.folder, "own.conf");
  writeFileSync(
    configuration,
    JSON.stringify({ network: { servers: ["127.0.0.1:1"] }, files: [{ paths: ["/logs/*.log"] }] }),
  );
  const words = [...MASTER, "-e", "ENVIRONMENT=production", "-e", "SERVICE_LOGSTASH_FORWARDER_CONF=/own.conf"];
  const { said } = ran(
    [...words, "-v", `${configuration}:/own.conf:ro`, "-v", `${log}:/logs/private.log:ro`],
    ["doctor"],
  );
  expect(said).toContain("user logstash-forwarder cannot read /logs/private.log");
});

describe("docker run --init", () => {
  test("HUP, USR1 and USR2 end nothing; QUIT stops", async () => {
    image.node.run("local", "--init");
    await image.node.answers();
    for (const signal of ["HUP", "USR1", "USR2"]) image.node.docker.docker("kill", "-s", signal, "node");
    await sleep(systemClock, 500);
    await image.node.answers();
    image.node.docker.docker("kill", "-s", "QUIT", "node");
    expect(image.node.docker.docker("wait", "node")).toBe("0");
  });
});
