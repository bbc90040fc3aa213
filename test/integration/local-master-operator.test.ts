import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { decode, encode } from "../../src/mesos/codec.ts";
import {
  Call_Type,
  CallSchema,
  type Response as Reply,
  ResponseSchema,
} from "../../src/mesos/gen/mesos/v1/master/master_pb.ts";
import {
  DrainState,
  FrameworkInfo_Capability_Type,
  TaskState,
  TaskStatus_Reason,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

const { MULTI_ROLE, RESERVATION_REFINEMENT, PARTITION_AWARE } = FrameworkInfo_Capability_Type;
const [JSON_TYPE, PROTOBUF] = ["application/json", "application/x-protobuf"];

type CallInit = Omit<MessageInitShape<typeof CallSchema>, "$typeName" | "$unknown">;

describe("the operator API of the development master", () => {
  let master: LocalMaster;
  let agent: AgentProcess | undefined;
  let test: TestScheduler | undefined;

  beforeEach(async () => {
    master = new LocalMaster({ port: 0 });
    await master.start();
  });

  afterEach(async () => {
    test?.close();
    await agent?.destroy();
    await master.stop();
    [agent, test] = [undefined, undefined];
  });

  /** A call in JSON. */
  async function ask(call: object, headers: Record<string, string> = { "content-type": JSON_TYPE }) {
    const answer = await fetch(`${master.url}/api/v1`, { method: "POST", headers, body: JSON.stringify(call) });
    const text = await answer.text();
    const json = answer.headers.get("content-type")?.startsWith(JSON_TYPE) ? JSON.parse(text) : undefined;
    return { status: answer.status, text, json };
  }

  /** A call in protobuf. */
  async function send(call: CallInit): Promise<Reply> {
    const answer = await fetch(`${master.url}/api/v1`, {
      method: "POST",
      headers: { "content-type": PROTOBUF, accept: PROTOBUF },
      body: encode(CallSchema, create(CallSchema, call)),
    });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, PROTOBUF]);
    return decode(ResponseSchema, new Uint8Array(await answer.arrayBuffer()));
  }

  async function page(path: string) {
    return JSON.parse(await (await fetch(`${master.url}${path}`)).text());
  }

  async function withTask(): Promise<string> {
    agent = new AgentProcess({
      master: master.address,
      port: await freePort(),
      flags: ["--resources=cpus:4;mem:4000;disk:1000"],
    });
    agent.start();
    const scheduler = new TestScheduler({
      master: master.address,
      name: "tester",
      roles: ["web"],
      capabilities: [MULTI_ROLE, RESERVATION_REFINEMENT, PARTITION_AWARE],
      checkpoint: true,
      failoverTimeout: 600,
    });
    test = scheduler;
    await scheduler.subscribe();
    await scheduler.launch([commandTask("one", "sleep 1000")]);
    await scheduler.until("one to run", () => scheduler.statesOf("one").includes(TaskState.TASK_RUNNING));
    return scheduler.updates[0]?.agentId?.value ?? "";
  }

  it("says of every malformed request what is wrong, with the status that a 1.11 master gives", async () => {
    const json = { "content-type": JSON_TYPE };
    expect(await ask({}, json)).toMatchObject({ status: 400, text: expect.stringContaining("'type'") });
    expect(await ask({ type: "NO_SUCH" }, json)).toMatchObject({ status: 400 });
    expect((await ask({ type: "GET_METRICS" }, json)).text).toContain("Expecting 'get_metrics' to be present");
    expect((await ask({ type: "DRAIN_AGENT" }, json)).text).toContain("Expecting 'drain_agent' to be present");
    expect(await ask({ type: "GET_HEALTH" }, { "content-type": "text/csv" })).toMatchObject({ status: 415 });
    expect(await ask({ type: "GET_HEALTH" }, { ...json, accept: "text/html" })).toMatchObject({ status: 406 });
    expect((await ask({ type: "SET_QUOTA" }, json)).text).toContain("Expecting 'set_quota' to be present");
    expect((await fetch(`${master.url}/api/v1`)).status).toBe(405);
    const nobody = { value: "nobody" };
    const unknown: [object, number][] = [
      [{ type: "DRAIN_AGENT", drain_agent: { agent_id: nobody } }, 400],
      [{ type: "DEACTIVATE_AGENT", deactivate_agent: { agent_id: nobody } }, 400],
      [{ type: "REACTIVATE_AGENT", reactivate_agent: { agent_id: nobody } }, 400],
      [{ type: "MARK_AGENT_GONE", mark_agent_gone: { agent_id: nobody } }, 404],
      [{ type: "RESERVE_RESOURCES", reserve_resources: { agent_id: nobody } }, 400],
      [{ type: "TEARDOWN", teardown: { framework_id: nobody } }, 400],
    ];
    for (const [call, status] of unknown) expect([call, (await ask(call)).status]).toEqual([call, status]);
  });

  it("answers every call that shows something, alike in JSON and protobuf", async () => {
    const agentId = await withTask();
    const shows: [string, string, object][] = [
      ["GET_HEALTH", "get_health", { healthy: true }],
      ["GET_FLAGS", "get_flags", { flags: expect.arrayContaining([{ name: "ip", value: "127.0.0.1" }]) }],
      ["GET_VERSION", "get_version", { version_info: { version: "1.11.0" } }],
      ["GET_LOGGING_LEVEL", "get_logging_level", { level: 0 }],
      ["GET_AGENTS", "get_agents", { agents: [{ agent_info: { id: { value: agentId } }, active: true }] }],
      ["GET_FRAMEWORKS", "get_frameworks", { frameworks: [{ framework_info: { name: "tester" }, connected: true }] }],
      ["GET_EXECUTORS", "get_executors", {}],
      ["GET_OPERATIONS", "get_operations", {}],
      ["GET_TASKS", "get_tasks", { tasks: [{ task_id: { value: "one" }, state: "TASK_RUNNING" }] }],
      ["GET_ROLES", "get_roles", { roles: [{ name: "web", weight: 1, frameworks: [{ value: test?.frameworkId }] }] }],
      ["GET_WEIGHTS", "get_weights", {}],
      ["GET_QUOTA", "get_quota", { status: {} }],
      ["GET_MAINTENANCE_STATUS", "get_maintenance_status", { status: {} }],
      ["GET_MAINTENANCE_SCHEDULE", "get_maintenance_schedule", { schedule: {} }],
      ["GET_MASTER", "get_master", { master_info: { id: master.masterInfo.id } }],
      ["GET_STATE", "get_state", { get_tasks: { tasks: [{ name: "one" }] }, get_agents: { agents: [{}] } }],
    ];
    for (const [type, member, expected] of shows)
      expect((await ask({ type })).json).toMatchObject({ type, [member]: expected });
    const metrics = await ask({ type: "GET_METRICS", get_metrics: {} });
    expect(metrics.json.get_metrics.metrics).toContainEqual({ name: "master/slaves_active", value: 1 });

    const { getAgents } = await send({ type: Call_Type.GET_AGENTS });
    expect(getAgents?.agents[0]?.allocatedResources[0]?.allocationInfo?.role).toBe("web");
    expect((await send({ type: Call_Type.GET_TASKS })).getTasks?.tasks[0]?.name).toBe("one");
  });

  it("/tasks, /slaves and /frameworks show the one that is asked for; /state-summary counts", async () => {
    const agentId = await withTask();
    const frameworkId = test?.frameworkId ?? "";
    const ids = async (path: string, list: string) =>
      (await page(path))[list].map(({ id }: { id: string }) => id) as string[];
    expect(await ids("/tasks?task_id=one", "tasks")).toEqual(["one"]);
    expect(await ids("/tasks?task_id=two", "tasks")).toEqual([]);
    expect(await ids("/tasks?framework_id=other", "tasks")).toEqual([]);
    expect(await ids(`/tasks?framework_id=${frameworkId}&task_id=one`, "tasks")).toEqual(["one"]);
    expect(await ids(`/slaves?slave_id=${agentId}`, "slaves")).toEqual([agentId]);
    expect(await ids("/slaves?slave_id=other", "slaves")).toEqual([]);
    expect(await ids("/frameworks?framework_id=other", "frameworks")).toEqual([]);
    await test?.launch([commandTask("two", "sleep 1000")]);
    await test?.until("two to run", () => test?.statesOf("two").includes(TaskState.TASK_RUNNING));
    expect(await ids("/tasks", "tasks")).toEqual(["two", "one"]);
    expect(await ids("/tasks?order=asc", "tasks")).toEqual(["one", "two"]);
    expect(await ids("/tasks?order=asc&offset=1&limit=1", "tasks")).toEqual(["two"]);
    expect(await page("/master/state-summary")).toMatchObject({
      slaves: [{ id: agentId, TASK_RUNNING: 2, TASK_FAILED: 0, framework_ids: [frameworkId] }],
      frameworks: [{ id: frameworkId, name: "tester", TASK_RUNNING: 2, slave_ids: [agentId] }],
    });
  });

  it("drains an agent to its end, and brings it back", async () => {
    const agentId = await withTask();
    const agent_id = { value: agentId };
    const drain = { type: "DRAIN_AGENT", drain_agent: { agent_id, max_grace_period: { seconds: 1 } } };
    expect(await ask(drain)).toMatchObject({ status: 200 });
    const end = await test?.until("end", () => test?.terminalOf("one"));
    expect(end).toMatchObject({ state: TaskState.TASK_KILLED, reason: TaskStatus_Reason.AGENT_DRAINING });
    const shown = async () => (await send({ type: Call_Type.GET_AGENTS })).getAgents?.agents[0];
    await expect.poll(async () => (await shown())?.drainInfo?.state).toBe(DrainState.DRAINED);
    expect(await shown()).toMatchObject({ active: false, deactivated: true });
    expect((await shown())?.drainInfo?.config?.maxGracePeriod?.nanoseconds).toBe(1_000_000_000n);
    expect((await page("/slaves")).slaves[0]).toMatchObject({ active: false, drain_info: { state: "DRAINED" } });
    expect(await ask({ type: "REACTIVATE_AGENT", reactivate_agent: { agent_id } })).toMatchObject({ status: 200 });
    expect(await ask({ type: "REACTIVATE_AGENT", reactivate_agent: { agent_id } })).toMatchObject({ status: 400 });
    await test?.launch([commandTask("two", "true")]);
    await test?.until("two to end", () => test?.terminalOf("two"));
  });

  it("marks an agent gone: its tasks are gone by operator, and it does not come back", async () => {
    const agentId = await withTask();
    const gone = { type: "MARK_AGENT_GONE", mark_agent_gone: { agent_id: { value: agentId } } };
    expect(await ask(gone)).toMatchObject({ status: 200 });
    expect(await ask(gone)).toMatchObject({ status: 200 });
    const end = await test?.until("end", () => test?.terminalOf("one"));
    expect(end).toMatchObject({
      state: TaskState.TASK_GONE_BY_OPERATOR,
      reason: TaskStatus_Reason.AGENT_REMOVED_BY_OPERATOR,
    });
    expect(await agent?.exited()).toBeDefined();
    expect((await page("/slaves")).slaves).toEqual([]);
  });

  it("drains for good", async () => {
    const agentId = await withTask();
    const order = { agent_id: { value: agentId }, mark_gone: true };
    expect(await ask({ type: "DRAIN_AGENT", drain_agent: order })).toMatchObject({ status: 200 });
    const end = await test?.until("end", () => test?.terminalOf("one"));
    expect(end?.state).toBe(TaskState.TASK_GONE_BY_OPERATOR);
    await expect.poll(async () => (await page("/slaves")).slaves).toEqual([]);
  });

  it("reserves, makes a volume, and takes both back, from what is offered too", async () => {
    const agentId = await withTask();
    const agent_id = { value: agentId };
    const reservations = [{ type: "DYNAMIC", role: "web", principal: "ops" }];
    const disk = { name: "disk", type: "SCALAR", scalar: { value: 64 }, reservations };
    const volume = {
      ...disk,
      disk: { persistence: { id: "data", principal: "ops" }, volume: { mode: "RW", container_path: "data" } },
    };
    const reserved = async () => (await page("/slaves")).slaves[0].reserved_resources;
    const steps: [object, number][] = [
      [{ type: "RESERVE_RESOURCES", reserve_resources: { agent_id, resources: [disk] } }, 202],
      [{ type: "CREATE_VOLUMES", create_volumes: { agent_id, volumes: [volume] } }, 202],
      [{ type: "UNRESERVE_RESOURCES", unreserve_resources: { agent_id, resources: [disk] } }, 409],
      [{ type: "DESTROY_VOLUMES", destroy_volumes: { agent_id, volumes: [volume] } }, 202],
      [{ type: "UNRESERVE_RESOURCES", unreserve_resources: { agent_id, resources: [disk] } }, 202],
      [{ type: "UNRESERVE_RESOURCES", unreserve_resources: { agent_id, resources: [disk] } }, 409],
    ];
    for (const [index, [call, status]] of steps.entries()) {
      const answer = await ask(call);
      expect([index, answer.status, answer.text]).toEqual([index, status, expect.anything()]);
      if (index === 0) expect(await reserved()).toMatchObject({ web: { disk: 64 } });
    }
    expect(await reserved()).toEqual({});
    const offers = async () => (await send({ type: Call_Type.GET_FRAMEWORKS })).getFrameworks?.frameworks[0]?.offers;
    await expect.poll(async () => (await offers())?.length).toBe(1);
    const before = await offers();
    expect((await ask(steps[5]?.[0] ?? {})).status).toBe(409);
    expect(await offers(), "an offer that holds nothing of it stays").toEqual(before);
    // Before refinements: the form that old documents show.
    const old = { name: "cpus", type: "SCALAR", scalar: { value: 1 }, role: "web", reservation: { principal: "ops" } };
    const reserve = { type: "RESERVE_RESOURCES", reserve_resources: { agent_id, resources: [old] } };
    expect(await ask(reserve)).toMatchObject({ status: 202 });
    const wrong = { ...disk, reservations: [] };
    expect(await ask({ type: "RESERVE_RESOURCES", reserve_resources: { agent_id, resources: [wrong] } })).toMatchObject(
      {
        status: 400,
        text: expect.stringContaining("Invalid RESERVE operation"),
      },
    );
  });

  it("tears a framework down", async () => {
    await withTask();
    const teardown = { framework_id: { value: test?.frameworkId } };
    expect(await ask({ type: "TEARDOWN", teardown })).toMatchObject({ status: 200 });
    const shown = (await ask({ type: "GET_FRAMEWORKS" })).json.get_frameworks;
    expect([shown.frameworks, shown.completed_frameworks.length]).toEqual([undefined, 1]);
  });
});
