import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { FrameworkInfo_Capability_Type, type Offer } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { Resources } from "../../src/mesos/resources.ts";
import { freePort } from "../support/free-port.ts";
import { operatorCall } from "../support/operator.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

const { MULTI_ROLE, RESERVATION_REFINEMENT } = FrameworkInfo_Capability_Type;

interface Call {
  readonly type: string;
  readonly [member: string]: unknown;
}

describe("what operators set on the development master", () => {
  const folder = mkdtempSync(join(tmpdir(), "rules-"));
  const verbosity = { verbosity: 0 };
  const logFile = join(folder, "log");
  let master: LocalMaster;
  let agent: AgentProcess | undefined;
  let scheduler: TestScheduler | undefined;

  beforeEach(async () => {
    master = new LocalMaster({ port: 0, verbosity, logFile });
    await master.start();
  });

  afterEach(async () => {
    scheduler?.close();
    await agent?.destroy();
    await master.stop();
    [agent, scheduler] = [undefined, undefined];
    rmSync(logFile, { force: true });
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  const ask = (call: Call) => operatorCall(master.url, call);
  /** The status of a call, and what it says. */
  const answer = async (call: Call): Promise<[number, string]> => {
    const { status, text } = await ask(call);
    return [status, text.trim()];
  };
  const page = async <T>(path: string, base = master.url): Promise<T> =>
    (await (await fetch(`${base}${path}`)).json()) as T;

  async function withAgent(): Promise<TestScheduler> {
    agent = new AgentProcess({
      master: master.address,
      port: await freePort(),
      flags: ["--resources=cpus:4;mem:4000;disk:1000"],
    });
    agent.start();
    scheduler = new TestScheduler({
      master: master.address,
      name: "tester",
      roles: ["web"],
      capabilities: [MULTI_ROLE, RESERVATION_REFINEMENT],
      checkpoint: true,
      failoverTimeout: 600,
    });
    await scheduler.subscribe();
    await scheduler.offer();
    return scheduler;
  }

  const cpusOf = (offer: Offer | undefined): number => Resources.of(offer?.resources ?? []).unallocated().cpus;
  /** The newest offer, which those before were taken back for. */
  const offered = (test: TestScheduler): Offer | undefined => test.offers.at(-1);

  it("bounds what a role is offered by its quota, and lifts it again", async () => {
    const test = await withAgent();
    expect(cpusOf(offered(test))).toBe(4);
    const quota = (limits: object, guarantees: object = {}) => ({
      type: "UPDATE_QUOTA",
      update_quota: { quota_configs: [{ role: "web", limits, guarantees }] },
    });
    expect(await answer(quota({ cpus: { value: 1.5 } }))).toEqual([400, expect.stringContaining("already consuming")]);
    const forced = quota({ cpus: { value: 1.5 }, mem: { value: 500 } });
    expect((await ask({ ...forced, update_quota: { ...forced.update_quota, force: true } })).status).toBe(200);
    await expect.poll(() => cpusOf(offered(test))).toBe(1.5);
    expect(Resources.of(offered(test)?.resources ?? []).mem).toBe(500);
    expect((await ask({ type: "GET_QUOTA" })).json).toMatchObject({
      get_quota: { status: { configs: [{ role: "web", limits: { cpus: { value: 1.5 }, mem: { value: 500 } } }] } },
    });
    await test.launch([
      commandTask("one", "exec sleep 1000", { resources: [{ name: "cpus", type: 0, scalar: { value: 1 } }] }),
    ]);
    await expect.poll(() => cpusOf(offered(test))).toBe(0.5);
    expect(await answer(quota({ cpus: { value: 1 } }, { cpus: { value: 2 } }))).toEqual([
      400,
      expect.stringContaining("is not contained within"),
    ]);
    expect(await answer(quota({}, { cpus: { value: 40 } }))).toEqual([
      400,
      expect.stringContaining("cluster capacity"),
    ]);
    const nested = { quota_configs: [{ role: "web/front", limits: {} }] };
    expect(await answer({ type: "UPDATE_QUOTA", update_quota: nested })).toEqual([
      400,
      expect.stringContaining("nested role"),
    ]);
    expect(await answer({ type: "REMOVE_QUOTA", remove_quota: { role: "web" } })).toEqual([200, ""]);
    await expect.poll(() => cpusOf(offered(test))).toBe(3);
    expect(await answer({ type: "REMOVE_QUOTA", remove_quota: { role: "web" } })).toEqual([
      400,
      expect.stringContaining("no quota"),
    ]);
  });

  it("keeps what another role is guaranteed, in the older form of the call too", async () => {
    const test = await withAgent();
    const guarantee = [{ name: "cpus", type: "SCALAR", scalar: { value: 3 } }];
    const set = (more: object = {}) => ({
      type: "SET_QUOTA",
      set_quota: { quota_request: { role: "batch", guarantee, ...more } },
    });
    expect(await answer(set({ guarantee: [] }))).toEqual([400, expect.stringContaining("empty 'guarantee'")]);
    const more = [{ name: "cpus", type: "SCALAR", scalar: { value: 40 } }];
    expect((await ask(set({ guarantee: more }))).status).toBe(409);
    expect(await answer(set())).toEqual([200, ""]);
    await expect.poll(() => cpusOf(offered(test))).toBe(1);
    expect(await answer(set())).toEqual([400, expect.stringContaining("already has quota")]);
    expect((await ask({ type: "GET_QUOTA" })).json).toMatchObject({
      get_quota: { status: { infos: [{ role: "batch", guarantee: [{ name: "cpus", scalar: { value: 3 } }] }] } },
    });
    const { roles } = await page<{ roles: { name: string }[] }>("/roles");
    expect(roles.map(({ name }) => name)).toEqual(["batch", "web"]);
  });

  it("weighs roles", async () => {
    const weights = (weight: number, role = "web") => ({
      type: "UPDATE_WEIGHTS",
      update_weights: { weight_infos: [{ role, weight }] },
    });
    expect(await answer(weights(0))).toEqual([400, expect.stringContaining("Weights must be positive")]);
    expect(await answer(weights(1, "not a role"))).toEqual([400, expect.stringContaining("Invalid role")]);
    expect(await answer(weights(2.5))).toEqual([200, ""]);
    expect((await ask({ type: "GET_WEIGHTS" })).json).toMatchObject({
      get_weights: { weight_infos: [{ role: "web", weight: 2.5 }] },
    });
    expect(await page("/roles")).toMatchObject({ roles: [{ name: "web", weight: 2.5 }] });
  });

  it("says in offers when a machine will be away, takes it down with its agents, and up again", async () => {
    const test = await withAgent();
    const machine = { hostname: "127.0.0.1", ip: "127.0.0.1" };
    const machines = [machine];
    const start = { nanoseconds: 1_900_000_000_000_000_000 };
    const schedule = (machine_ids: object[]) => ({
      type: "UPDATE_MAINTENANCE_SCHEDULE",
      update_maintenance_schedule: { schedule: { windows: [{ machine_ids, unavailability: { start } }] } },
    });
    const begin = { type: "START_MAINTENANCE", start_maintenance: { machines } };
    const end = { type: "STOP_MAINTENANCE", stop_maintenance: { machines } };
    const status = async () => (await ask({ type: "GET_MAINTENANCE_STATUS" })).json;
    expect(await answer(schedule([]))).toEqual([400, expect.stringContaining("is empty")]);
    expect(await answer(schedule([machine, machine]))).toEqual([400, expect.stringContaining("more than once")]);
    expect(await answer(begin)).toEqual([400, expect.stringContaining("not part of a maintenance schedule")]);
    expect(await answer(schedule(machines))).toEqual([200, ""]);
    await expect.poll(() => offered(test)?.unavailability?.start?.nanoseconds).toBe(BigInt(start.nanoseconds));
    expect(await status()).toEqual({
      type: "GET_MAINTENANCE_STATUS",
      get_maintenance_status: { status: { draining_machines: [{ id: machine }] } },
    });
    expect(await answer(end)).toEqual([400, expect.stringContaining("not in DOWN mode")]);
    expect(await answer(begin)).toEqual([200, ""]);
    expect(await agent?.exited()).toBeDefined();
    expect(await page("/slaves")).toMatchObject({ slaves: [] });
    expect(await answer(schedule([{ hostname: "other" }]))).toEqual([400, expect.stringContaining("is deactivated")]);
    // It may not come back while its machine is down.
    agent?.start();
    expect(await agent?.exited()).toBeDefined();
    expect(await page("/slaves")).toMatchObject({ slaves: [] });
    expect(await answer(end)).toEqual([200, ""]);
    expect((await ask({ type: "GET_MAINTENANCE_SCHEDULE" })).json).toEqual({
      type: "GET_MAINTENANCE_SCHEDULE",
      get_maintenance_schedule: { schedule: {} },
    });
    agent?.start();
    await expect.poll(async () => (await page<{ slaves: object[] }>("/slaves")).slaves).toHaveLength(1);
  });

  it("is as verbose as it is told, for as long, and shows its log", async () => {
    const level = async () => (await ask({ type: "GET_LOGGING_LEVEL" })).json;
    const set = (value: number, nanoseconds: number) => ({
      type: "SET_LOGGING_LEVEL",
      set_logging_level: { level: value, duration: { nanoseconds } },
    });
    expect(await answer(set(2, 3_600_000_000_000))).toEqual([200, ""]);
    expect(verbosity.verbosity).toBe(2);
    expect(await level()).toMatchObject({ get_logging_level: { level: 2 } });
    expect((await ask(set(1_000, 1))).status).toBe(400);
    expect(await answer(set(1, 1_000_000))).toEqual([200, ""]);
    await expect.poll(() => verbosity.verbosity).toBe(0);
    const read = (more: object) => ({ type: "READ_FILE", read_file: { path: "/master/log", ...more } });
    expect((await ask(read({ offset: 0 }))).status).toBe(500);
    writeFileSync(logFile, `0123456789${"x".repeat(100_000)}`);
    const part = await ask(read({ offset: 2, length: 5 }));
    expect(part.json).toMatchObject({ read_file: { size: 100_010, data: Buffer.from("23456").toString("base64") } });
    const largest = (await ask(read({ offset: 0 }))).json as { read_file: { data: string } };
    expect(Buffer.from(largest.read_file.data, "base64")).toHaveLength(65_536);
    expect((await ask(read({ offset: 200_000 }))).json).toMatchObject({ read_file: { size: 100_010 } });
    expect((await ask(read({ offset: 0, path: "/etc/passwd" }))).status).toBe(404);
    expect((await ask({ type: "LIST_FILES", list_files: { path: "/master/log" } })).status).toBe(200);
    expect((await ask({ type: "LIST_FILES", list_files: { path: "/etc" } })).status).toBe(404);
  });

  it("grows and shrinks a volume, on the agent too", async () => {
    await withAgent();
    const [{ id = "" } = {}] = (await page<{ slaves: { id: string }[] }>("/slaves")).slaves;
    const agent_id = { value: id };
    const reservations = [{ type: "DYNAMIC", role: "web", principal: "ops" }];
    const disk = (value: number) => ({ name: "disk", type: "SCALAR", scalar: { value }, reservations });
    const volume = (value: number) => ({
      ...disk(value),
      disk: { persistence: { id: "data", principal: "ops" }, volume: { mode: "RW", container_path: "data" } },
    });
    /** Sizes of volumes, as the agent itself has them. */
    const volumes = async (): Promise<number[]> => {
      const state = await page<{ reserved_resources_full: { web?: { scalar: { value: number }; disk?: object }[] } }>(
        "/state",
        `http://127.0.0.1:${agent?.port}`,
      );
      return (state.reserved_resources_full.web ?? []).filter((one) => one.disk).map(({ scalar }) => scalar.value);
    };
    expect(
      (await ask({ type: "RESERVE_RESOURCES", reserve_resources: { agent_id, resources: [disk(64)] } })).status,
    ).toBe(202);
    expect((await ask({ type: "CREATE_VOLUMES", create_volumes: { agent_id, volumes: [volume(32)] } })).status).toBe(
      202,
    );
    await expect.poll(volumes).toEqual([32]);
    const grow = { type: "GROW_VOLUME", grow_volume: { agent_id, volume: volume(32), addition: disk(32) } };
    expect(await answer(grow)).toEqual([202, ""]);
    await expect.poll(volumes).toEqual([64]);
    expect((await ask(grow)).status).toBe(409);
    const shrink = { type: "SHRINK_VOLUME", shrink_volume: { agent_id, volume: volume(64), subtract: { value: 16 } } };
    expect(await answer(shrink)).toEqual([202, ""]);
    await expect.poll(volumes).toEqual([48]);
    expect((await ask({ type: "GROW_VOLUME" })).text).toContain("Expecting 'grow_volume' to be present");
  });

  it("shows one agent, one task, when asked for one", async () => {
    const test = await withAgent();
    await test.launch([commandTask("one", "exec sleep 1000"), commandTask("two", "exec sleep 1000")]);
    await test.until("two tasks", () => ["one", "two"].every((id) => test.statesOf(id).length > 1));
    const [{ id = "" } = {}] = (await page<{ slaves: { id: string }[] }>("/slaves")).slaves;
    expect(await page(`/slaves?slave_id=${id}`)).toMatchObject({ slaves: [{ id }] });
    expect(await page("/master/slaves?slave_id=nobody")).toMatchObject({ slaves: [] });
    const tasks = async (query: string) =>
      (await page<{ tasks: { id: string }[] }>(`/tasks?${query}`)).tasks.map((task) => task.id).toSorted();
    expect(await tasks("")).toEqual(["one", "two"]);
    expect(await tasks("task_id=two")).toEqual(["two"]);
    expect(await tasks(`framework_id=${test.frameworkId}&task_id=one`)).toEqual(["one"]);
    expect(await tasks("framework_id=nobody")).toEqual([]);
    expect(await tasks("limit=1")).toHaveLength(1);
  });
});
