import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sleep, systemClock } from "../../src/base/clock.ts";
import { freePort } from "../support/free-port.ts";
import { whyNoImage } from "../support/image.ts";
import { ImageNode } from "../support/image-node.ts";

const missing = whyNoImage();
let node: ImageNode;

beforeAll(async () => {
  if (missing === undefined) node = await ImageNode.start();
  else if (process.env["CI"]) throw new Error(missing);
}, 1_200_000);

beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

afterEach(() => node?.clear());

afterAll(() => node?.close(), 60_000);

describe("failure and stop", () => {
  test("FATAL: clean-up, exit code 70, the service named", async () => {
    const cleanup = join(node.folder, "cleanup.sh");
    writeFileSync(cleanup, "echo cleaned up\n");
    const more = ["-e", "SERVICE_MESOS_CMD=/no/such/agent", "-e", "SERVICE_START_RETRIES=0"];
    node.docker.docker(
      ...node.documented(
        "production",
        ...more,
        "-e",
        "SERVICE_REDPILL_CLEANUP=/cleanup.sh",
        "-v",
        `${cleanup}:/cleanup.sh:ro`,
      ),
    );
    expect(node.docker.docker("wait", "node")).toBe("70");
    const log = node.docker.logs("node");
    expect(log.match(/cleaned up/g)).toHaveLength(1);
    expect(log).toContain("[Init][Exit] 70: mesos entered the FATAL state");
  });

  test("docker stop at every 50 ms of the first 3 s: 0, within 10 s", { timeout: 900_000 }, async () => {
    const moments = Array.from({ length: 61 }, (_, index) => 50 * index);
    const liveOn = async (name: string): Promise<void> => {
      const own = node.documented("local").map((word) => (word === "node" ? name : word));
      for (let after = moments.shift(); after !== undefined; after = moments.shift()) {
        await node.docker.later(...own);
        await sleep(systemClock, after);
        const since = systemClock.monotonic();
        await node.docker.later("stop", name);
        const quick = systemClock.monotonic() - since < 10_000;
        const code = Number(await node.docker.later("inspect", "-f", "{{.State.ExitCode}}", name));
        expect({ after, code, quick }, node.docker.logs(name)).toEqual({ after, code: 0, quick: true });
        await node.docker.later("rm", name);
      }
    };
    try {
      const lanes: Promise<void>[] = [];
      // Each with a port of its own.
      for (const lane of [1, 2, 3]) {
        lanes.push(liveOn(`node-${lane}`));
        node.port = await freePort();
      }
      await Promise.all(lanes);
    } finally {
      node.docker.run(["rm", "-f", "node-1", "node-2", "node-3"]);
    }
  });

  test("--pid=host: the same stop", async () => {
    node.run("local", "--pid=host");
    await node.answers();
    expect(node.stop().code).toBe(0);
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
    node.run("production", "--read-only", ...mounts.flatMap((path) => ["--tmpfs", path]));
    await node.answers();
    expect(node.stop().code).toBe(0);
  });

  test("docker's own health check sees it healthy, and then not", async () => {
    node.run("local", "--health-interval=1s");
    const health = (): string => node.docker.docker("inspect", "-f", "{{.State.Health.Status}}", "node");
    await node.until("healthy", () => health() === "healthy");
    node.docker.docker("exec", "node", "supervisorctl", "stop", "redpill");
    // The watchdog's last sign of life grows old: as if two intervals had passed.
    node.docker.docker("exec", "node", "sh", "-c", "echo '1000000000 30' > /run/redpill.alive");
    await node.until("unhealthy", () => health() === "unhealthy");
    const [details] = JSON.parse(node.docker.docker("inspect", "node"));
    expect(details.State.Health.Log.at(-1).Output).toMatch(/^the watchdog has not heard from supervisord for \d+ s/);
    node.docker.docker("exec", "node", "rm", "/run/redpill.alive");
    expect(node.docker.run(["exec", "node", "/opt/scripts/healthcheck.sh"]).stdout).toContain(
      "the watchdog has not started",
    );
  });

  test("a watchdog that is frozen is noticed", async () => {
    node.run("local", "-e", "SERVICE_REDPILL_INTERVAL=1");
    await node.answers();
    await node.until("the watchdog watches", () => node.docker.logs("node").includes("watching mesos"));
    const check = () => node.docker.run(["exec", "node", "/opt/scripts/healthcheck.sh"]);
    expect(check().stdout).toBe("ok\n");
    node.docker.docker("exec", "node", "sh", "-c", "kill -STOP $(supervisorctl pid redpill)");
    await node.until("the check fails", () => check().status === 1);
    expect(check().stdout).toContain("the watchdog has not heard from supervisord");
  });
});
