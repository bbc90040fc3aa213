import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sleep, systemClock } from "../../src/base/clock.ts";
import { freePort } from "../support/free-port.ts";
import { useImageNode } from "../support/image-node.ts";

const image = useImageNode();
/** In the sets of /proc/PID/status. */
const SIGTERM = 1n << 14n;

describe("failure and stop", () => {
  test("FATAL: clean-up, exit code 70, the service named", async () => {
    const cleanup = join(image.node.folder, "cleanup.sh");
    writeFileSync(cleanup, "echo cleaned up\n");
    const more = ["-e", "SERVICE_MESOS_CMD=/no/such/agent", "-e", "SERVICE_START_RETRIES=0"];
    image.node.docker.docker(
      ...image.node.documented(
        "production",
        ...more,
        "-e",
        "SERVICE_REDPILL_CLEANUP=/cleanup.sh",
        "-v",
        `${cleanup}:/cleanup.sh:ro`,
      ),
    );
    expect(image.node.docker.docker("wait", "node")).toBe("70");
    const log = image.node.docker.logs("node");
    expect(log.match(/cleaned up/g)).toHaveLength(1);
    expect(log).toContain("[Init][Exit] 70: mesos entered the FATAL state");
  });

  test("docker stop at every 50 ms of the first 3 s: 0, within 10 s", { timeout: 900_000 }, async () => {
    const moments = Array.from({ length: 61 }, (_, index) => 50 * index);
    // The kernel drops what is sent to PID 1 before its shell has read its first lines, and `docker run` does not wait for that.
    const hears = async (name: string): Promise<void> => {
      const pid = await image.node.docker.later("inspect", "-f", "{{.State.Pid}}", name);
      const isListening = (): boolean => {
        const status = readFileSync(`/proc/${pid}/status`, "utf8");
        const [, caught = "0"] = /^SigCgt:\s*(\w+)$/m.exec(status) ?? [];
        return status.startsWith("Name:\tinit.sh\n") && (BigInt(`0x${caught}`) & SIGTERM) !== 0n;
      };
      await expect.poll(isListening, { interval: 1 }).toBe(true);
    };
    const liveOn = async (name: string): Promise<void> => {
      const own = image.node.documented("local").map((word) => (word === "node" ? name : word));
      for (let after = moments.shift(); after !== undefined; after = moments.shift()) {
        await image.node.docker.later(...own);
        await hears(name);
        await sleep(systemClock, after);
        const since = systemClock.monotonic();
        await image.node.docker.later("stop", name);
        const quick = systemClock.monotonic() - since < 10_000;
        const code = Number(await image.node.docker.later("inspect", "-f", "{{.State.ExitCode}}", name));
        expect({ after, code, quick }, image.node.docker.logs(name)).toEqual({ after, code: 0, quick: true });
        await image.node.docker.later("rm", name);
      }
    };
    try {
      const lanes: Promise<void>[] = [];
      // Each with a port of its own.
      for (const lane of [1, 2, 3]) {
        lanes.push(liveOn(`node-${lane}`));
        image.node.port = await freePort();
      }
      await Promise.all(lanes);
    } finally {
      image.node.docker.run(["rm", "-f", "node-1", "node-2", "node-3"]);
    }
  });

  test("--pid=host: the same stop", async () => {
    image.node.run("local", "--pid=host");
    await image.node.answers();
    expect(image.node.stop().code).toBe(0);
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
    image.node.run("production", "--read-only", ...mounts.flatMap((path) => ["--tmpfs", path]));
    await image.node.answers();
    expect(image.node.stop().code).toBe(0);
  });

  test("docker's own health check sees it healthy, and then not", async () => {
    image.node.run("local", "--health-interval=1s");
    const health = (): string => image.node.docker.docker("inspect", "-f", "{{.State.Health.Status}}", "node");
    await image.node.until("healthy", () => health() === "healthy");
    image.node.docker.docker("exec", "node", "supervisorctl", "stop", "redpill");
    // The watchdog's last sign of life grows old: as if two intervals had passed.
    image.node.docker.docker("exec", "node", "sh", "-c", "echo '1000000000 30' > /run/redpill.alive");
    await image.node.until("unhealthy", () => health() === "unhealthy");
    const [details] = JSON.parse(image.node.docker.docker("inspect", "node"));
    expect(details.State.Health.Log.at(-1).Output).toMatch(/^the watchdog has not heard from supervisord for \d+ s/);
    image.node.docker.docker("exec", "node", "rm", "/run/redpill.alive");
    expect(image.node.docker.run(["exec", "node", "/opt/scripts/healthcheck.sh"]).stdout).toContain(
      "the watchdog has not started",
    );
  });

  test("a watchdog that is frozen is noticed", async () => {
    image.node.run("local", "-e", "SERVICE_REDPILL_INTERVAL=1");
    await image.node.answers();
    await image.node.until("the watchdog watches", () => image.node.docker.logs("node").includes("watching mesos"));
    const check = () => image.node.docker.run(["exec", "node", "/opt/scripts/healthcheck.sh"]);
    expect(check().stdout).toBe("ok\n");
    image.node.docker.docker("exec", "node", "sh", "-c", "kill -STOP $(supervisorctl pid redpill)");
    await image.node.until("the check fails", () => check().status === 1);
    expect(check().stdout).toContain("the watchdog has not heard from supervisord");
  });
});
