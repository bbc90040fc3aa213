import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { httpStatus } from "../../src/agent/health/probing.ts";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import {
  CheckInfo_Type,
  HealthCheck_Type,
  ContainerInfo_DockerInfo_Network as Network,
  NetworkInfo_Protocol,
  TaskState,
  type TaskStatus,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { dockerdMissing, TestDockerd } from "../support/dockerd.ts";
import { until } from "../support/dockerd-containerizer.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

const missing = dockerdMissing();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);

const soon = { delaySeconds: 0, intervalSeconds: 0.5, timeoutSeconds: 20, gracePeriodSeconds: 60 };
const http = { type: HealthCheck_Type.HTTP, http: { port: 8080, path: "/page" }, ...soon };
const tcp = { type: HealthCheck_Type.TCP, tcp: { port: 8080 }, ...soon };
const checks = {
  HTTP: { type: CheckInfo_Type.HTTP, http: { port: 8080, path: "/page" }, ...soon },
  TCP: { type: CheckInfo_Type.TCP, tcp: { port: 8080 }, ...soon },
};
/** Serves one page on the container's loopback, and nowhere else. */
const SERVER = "mkdir /www && echo up > /www/page && exec httpd -f -p 127.0.0.1:8080 -h /www";

describe("checks of Docker tasks", () => {
  let dockerd: TestDockerd;
  let master: LocalMaster;
  let agent: AgentProcess;
  let scheduler: TestScheduler;

  beforeAll(async () => {
    if (missing !== undefined) return;
    dockerd = await TestDockerd.start();
    await dockerd.docker("network", "create", "blue");
    master = new LocalMaster({ port: 0 });
    await master.start();
    const flags = [
      "--containerizers=docker",
      `--docker_socket=${dockerd.socket}`,
      "--docker_remove_delay=1secs",
      "--docker_stop_timeout=1secs",
    ];
    // What is process 1 of its container hears no SIGTERM.
    agent = new AgentProcess({ master: master.address, port: await freePort(), flags });
    agent.start(["--resources=cpus:10;mem:1000;ports:[31000-32000]"]);
    scheduler = new TestScheduler({ master: master.address });
    await scheduler.subscribe();
  });
  afterAll(async () => {
    if (missing !== undefined) return;
    scheduler.close();
    await agent.destroy();
    await master.stop();
    await dockerd.stop();
  });
  beforeEach((ctx) => {
    if (missing !== undefined) ctx.skip(missing);
  });

  const of = (id: string): TaskStatus[] => scheduler.updates.filter(({ taskId }) => taskId?.value === id);
  const container = (network: Network) => ({
    type: 1,
    docker: { image: "box:1", network },
    ...(network === Network.USER && { networkInfos: [{ name: "blue" }] }),
  });
  const addressOf = (status: TaskStatus) => status.containerStatus?.networkInfos[0]?.ipAddresses[0]?.ipAddress;
  const labelOf = (status: TaskStatus) =>
    status.labels?.labels.find(({ key }) => key === "Docker.NetworkSettings.IPAddress")?.value;

  it.each([
    ["BRIDGE", "HTTP", http],
    ["BRIDGE", "TCP", tcp],
    ["USER", "HTTP", http],
    ["USER", "TCP", tcp],
    ["NONE", "HTTP", http],
    ["NONE", "TCP", tcp],
  ] as const)(
    "find a server on the loopback of a container in network %s by %s",
    async (network, kind, healthCheck) => {
      const id = `${network}-${kind}`;
      const more = { container: container(Network[network]), healthCheck, check: checks[kind] };
      await scheduler.launch([commandTask(id, SERVER, more)]);
      const looks = ({ checkStatus }: TaskStatus) =>
        kind === "HTTP" ? checkStatus?.http?.statusCode === 200 : checkStatus?.tcp?.succeeded === true;
      await until(`${id}, healthy and checked`, () => of(id).some((one) => one.healthy && looks(one)), 60_000);
      await scheduler.kill(id);
      await until(`the end of ${id}`, () => scheduler.terminalOf(id) !== undefined, 30_000);
      expect(scheduler.terminalOf(id)?.state).toBe(TaskState.TASK_KILLED);

      // Every status from TASK_RUNNING to the last says where the task was.
      const told = of(id).filter(({ state }) => state !== TaskState.TASK_STARTING);
      expect(told.length).toBeGreaterThanOrEqual(4);
      const [first] = told;
      if (first === undefined) throw new Error("no status");
      expect(told.map(addressOf)).toEqual(told.map(() => addressOf(first)));
      expect(told.map(labelOf)).toEqual(told.map(() => labelOf(first)));
      if (network !== "NONE") {
        expect(labelOf(first)).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
        expect(addressOf(first)).toBe(labelOf(first));
      }
    },
  );

  it("take a server that does not listen for what it is", async () => {
    const more = {
      container: container(Network.BRIDGE),
      healthCheck: { ...tcp, gracePeriodSeconds: 0, consecutiveFailures: 2 },
    };
    await scheduler.launch([commandTask("deaf", "sleep 600", more)]);
    await until("the kill", () => scheduler.terminalOf("deaf") !== undefined, 60_000);
    expect(scheduler.terminalOf("deaf")).toMatchObject({ state: TaskState.TASK_KILLED, healthy: false });
  });

  it("IPv6 looks at ::1", async () => {
    const server = "exec httpd -f -p '[::1]:8080' -h /";
    const healthCheck = {
      ...tcp,
      tcp: { port: 8080, protocol: NetworkInfo_Protocol.IPv6 },
    };
    const docker = {
      image: "box:1",
      network: Network.BRIDGE,
      parameters: [{ key: "sysctl", value: "net.ipv6.conf.lo.disable_ipv6=0" }],
    };
    await scheduler.launch([commandTask("six", server, { container: { type: 1, docker }, healthCheck })]);
    await until("a healthy task", () => of("six").some(({ healthy }) => healthy), 60_000);
    await scheduler.kill("six");
  });

  it("a task that is over within a second has the same address in all that is said of it", async () => {
    const network = { container: container(Network.BRIDGE) };
    const ids = ["fast-0", "fast-1", "fast-2"];
    for (const id of ids) await scheduler.launch([commandTask(id, "sleep 0.3", network)]);
    await until("their ends", () => ids.every((id) => scheduler.terminalOf(id) !== undefined), 60_000);
    for (const id of ids) {
      const [, running, ended] = of(id);
      expect([running?.state, ended?.state]).toEqual([TaskState.TASK_RUNNING, TaskState.TASK_FINISHED]);
      expect(running && labelOf(running)).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
      expect(ended && labelOf(ended)).toBe(running && labelOf(running));
      expect(ended && addressOf(ended)).toBe(running && labelOf(running));
    }
  });
});

it("HTTPS in a namespace: any certificate, redirects too", async () => {
  const folder = mkdtempSync(join(tmpdir(), "https-"));
  const file = (name: string): string => join(folder, name);
  const words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=nobody"];
  execFileSync("openssl", [...words, "-keyout", file("key"), "-out", file("cert")], { stdio: "ignore" });
  const server = createServer({ key: readFileSync(file("key")), cert: readFileSync(file("cert")) }, (asked, answer) => {
    if (asked.url === "/") answer.writeHead(302, { location: "/there" }).end();
    else answer.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const net = await open("/proc/self/ns/net");
  const status = httpStatus();
  try {
    const signal = AbortSignal.timeout(20_000);
    expect(await status.status(`https://127.0.0.1:${port}/`, signal, net)).toBe(204);
  } finally {
    await net.close();
    await status.close();
    server.close();
    rmSync(folder, { recursive: true });
  }
});
