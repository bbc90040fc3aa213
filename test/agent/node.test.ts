import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AgentNode, startAgent } from "../../src/agent/node.ts";
import { loadAgentFlags } from "../../src/agent/settings/load.ts";
import type { Glog } from "../../src/base/glog.ts";
import type { Logger } from "../../src/base/log.ts";
import { freePort } from "../support/free-port.ts";
import { ScriptedMaster, until } from "../support/scripted-master.ts";
import { TestClock } from "../support/test-clock.ts";

let folder: string;
let port: number;
let master: ScriptedMaster;
let node: AgentNode | undefined;
let clock: TestClock;
let lines: string[];
const note = (line: string): void => void lines.push(line);
const log: Logger = { info: note, warn: note, error: note, verbose: () => undefined, named: () => log };

beforeEach(async () => {
  lines = [];
  folder = mkdtempSync(join(tmpdir(), "node-"));
  port = await freePort();
  master = await ScriptedMaster.start(port);
  clock = new TestClock();
  node = undefined;
});
afterEach(async () => {
  await node?.close({ everything: true });
  await master.close();
  rmSync(folder, { recursive: true, force: true });
});

const USUAL = [
  "--containerizers=docker",
  "--ip=127.0.0.1",
  "--resources=cpus:4;mem:1024;disk:2048;ports:[31000-32000]",
];

/** As the program starts it; Docker is not there, and need not be. */
async function start(flags: readonly string[] = [], environment: Record<string, string> = {}): Promise<AgentNode> {
  const words = [
    `--master=${master.pid}`,
    `--work_dir=${join(folder, "work")}`,
    `--runtime_dir=${join(folder, "run")}`,
    `--docker_socket=${join(folder, "docker.sock")}`,
    `--port=${port}`,
    "--hostname=node-1",
    ...[...USUAL, `--fetcher_cache_dir=${join(folder, "cache")}`].filter(
      (flag) => !flags.some((given) => given.split("=")[0] === flag.split("=")[0]),
    ),
    ...flags,
  ];
  const loaded = loadAgentFlags({ words, environment, readFile: () => "" });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ text }) => text).join("\n"));
  const glog = { logger: log, verbosity: 0, close: () => undefined } as unknown as Glog;
  node = await startAgent({
    flags: loaded.flags,
    environment: { PATH: "/usr/bin:/bin", ...environment },
    architecture: "x64",
    pid: 4711,
    isRoot: false,
    program: "mesos-slave",
    glog,
    clock,
    ui: join(folder, "ui"),
    ended: () => undefined,
  });
  return node;
}

async function registered(flags: readonly string[] = [], environment: Record<string, string> = {}): Promise<void> {
  await start(flags, environment);
  await clock.advance(1_000);
  await until("announcement", () => master.announcements.length > 0);
}

const get = async (path: string, more: RequestInit = {}): Promise<Response> =>
  await fetch(`http://127.0.0.1:${port}/${path}`, more);
const json = async (path: string): Promise<Record<string, unknown>> =>
  (await (await get(path)).json()) as Record<string, unknown>;

describe("an agent as the program starts it", () => {
  it("registers as what its flags say", async () => {
    await registered([
      "--attributes=rack:a;level:3",
      '--domain={"fault_domain":{"region":{"name":"r"},"zone":{"name":"z"}}}',
    ]);
    const [message] = master.registrations;
    expect(message).toMatchObject({
      agent: {
        hostname: "node-1",
        port,
        checkpoint: true,
        attributes: [
          { name: "rack", text: { value: "a" } },
          { name: "level", scalar: { value: 3 } },
        ],
        domain: { faultDomain: { region: { name: "r" }, zone: { name: "z" } } },
      },
    });
    expect(message?.agent?.resources.map(({ name, scalar }) => [name, scalar?.value])).toEqual([
      ["cpus", 4],
      ["mem", 1024],
      ["disk", 2048],
      ["ports", undefined],
    ]);
    expect(node?.address).toEqual({ ip: "127.0.0.1", port });
  });

  it("says in its log where it listens, what it offers and what it is called, and why", async () => {
    await start(["--attributes=rack:a;level:3"]);
    for (const line of [
      `Binding 127.0.0.1:${port} (address: --ip; port: --port)`,
      "Announcing 127.0.0.1 (--ip), port: the bound port",
      "Agent resources: cpus:4; mem:1024; disk:2048; ports:[31000-32000]",
      "Hostname: node-1 (--hostname)",
      "Agent attributes: [ rack=a, level=3 ]",
    ])
      expect(lines).toContain(line);
  });

  it("shows itself", async () => {
    await registered();
    expect(await json("slave(1)/state")).toMatchObject({
      id: "S0",
      hostname: "node-1",
      pid: `slave(1)@127.0.0.1:${port}`,
      version: "1.11.0",
      resources: { cpus: 4, mem: 1024 },
      flags: { hostname: "node-1", containerizers: "docker" },
      frameworks: [],
    });
    expect(await json("version")).toMatchObject({ version: "1.11.0" });
    expect(await json("metrics/snapshot")).toMatchObject({
      "slave/registered": 1,
      "slave/cpus_total": 4,
      "containerizer/fetcher/task_fetches_succeeded": 0,
      "gc/path_removals_pending": 0,
      "gc/path_removals_failed": 0,
      "gc/path_removals_succeeded": 0,
    });
    const machine = await json("metrics/snapshot");
    for (const name of ["system/cpus_total", "system/mem_total_bytes", "process/resident_bytes", "process/cpu_secs"])
      expect(machine[name], name).toBeGreaterThan(0);
    for (const name of ["system/load_1min", "system/load_5min", "system/load_15min", "process/event_loop_delay_ms"])
      expect(machine[name], name).toBeGreaterThanOrEqual(0);
    expect(Number(machine["slave/executor_directory_max_allowed_age_secs"])).toBeGreaterThan(0);
    expect(await json("system/stats.json")).toMatchObject({ cpus_total: machine["system/cpus_total"] });
    expect((await get("slave(1)/health")).status).toBe(200);
    expect(await (await get("metrics/prometheus")).text()).toMatch(/^mesos_slave_registered 1$/m);
  });

  it("says what is wrong with its parts", async () => {
    await registered();
    await clock.advance(120_000);
    expect(await json("slave(1)/health/details")).toMatchObject({
      healthy: false,
      phase: "RUNNING",
      master: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      troubles: { "containerizer/docker": expect.stringContaining("docker.sock") },
    });
  });

  it("lets in who knows a secret, when it has some", async () => {
    writeFileSync(join(folder, "http"), '{"credentials":[{"principal":"me","secret":"hush"}]}');
    await start(["--authenticate_http_readonly", `--http_credentials=file://${join(folder, "http")}`]);
    const authorization = (pair: string) => ({
      headers: { authorization: `Basic ${Buffer.from(pair).toString("base64")}` },
    });
    expect((await get("slave(1)/state")).status).toBe(401);
    expect((await get("slave(1)/state", authorization("me:wrong"))).status).toBe(401);
    expect((await get("slave(1)/state", authorization("me:hush"))).status).toBe(200);
  });

  it("shows its log, where it has one", async () => {
    writeFileSync(join(folder, "external.log"), "a line of the log\n");
    await start([`--external_log_file=${join(folder, "external.log")}`]);
    expect(await json("files/read?path=/slave/log&offset=0&length=100")).toMatchObject({ data: "a line of the log\n" });
  });

  it("answers nobody where the firewall is", async () => {
    await start(['--firewall_rules={"disabled_endpoints":{"paths":["/slave(1)/state"]}}']);
    expect((await get("slave(1)/state")).status).toBe(403);
    expect((await get("version")).status).toBe(200);
  });

  it("leaves nothing open", async () => {
    await registered();
    await node?.close({ everything: false });
    node = undefined;
    await expect(get("version")).rejects.toThrow();
    // A connection lingers until its peer has closed it, too.
    await until("no timer", () => clock.pending === 0);
  });
});

describe("an agent is not started", () => {
  it.each([
    [["--require_master_certificate"], "without certificates that are checked"],
    [["--containerizers=docker,rocket"], "rocket"],
    [["--ip=203.0.113.9"], "203.0.113.9"],
    [["--resources=cpus:four"], "cpus"],
    [["--fetcher_cache_dir=/proc/self/cwd"], "/proc/self/cwd cannot be the fetcher's cache: "],
  ])("with %j", async (flags, why) => {
    await expect(start(flags)).rejects.toThrow(why);
  });
});
