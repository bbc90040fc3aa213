import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { ExecutorToFrameworkMessageSchema } from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import {
  FrameworkInfo_Capability_Type,
  type Offer,
  Offer_Operation_Type,
  TaskSchema,
  TaskState,
  TaskStatus_Reason,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { Call_Type, Event_Type } from "../../src/mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { newUuid } from "../../src/mesos/ids.ts";
import { Resources } from "../../src/mesos/resources.ts";
import { parseResources } from "../../src/mesos/resources-text.ts";
import { keepRunning, ScriptedAgent, type ScriptedAgentOptions } from "../support/scripted-agent.ts";
import { V1Scheduler } from "../support/v1-scheduler.ts";

let master: LocalMaster;
const agents: ScriptedAgent[] = [];
const schedulers: V1Scheduler[] = [];

async function startAgent(options: Partial<ScriptedAgentOptions> = {}): Promise<ScriptedAgent> {
  const agent = await ScriptedAgent.start({ master: master.address, ...options });
  agents.push(agent);
  return agent;
}

async function subscribe(info: object = {}, encoding: "json" | "protobuf" = "json"): Promise<V1Scheduler> {
  const scheduler = new V1Scheduler(master.url, encoding);
  schedulers.push(scheduler);
  const frameworkInfo = { user: "u", name: "n", ...info };
  const id = (info as { id?: { value: string } }).id;
  await scheduler.subscribe({
    type: Call_Type.SUBSCRIBE,
    ...(id && { frameworkId: id }),
    subscribe: { frameworkInfo },
  });
  return scheduler;
}

const nextOffer = async (scheduler: V1Scheduler): Promise<Offer> => {
  const offer = (await scheduler.next(Event_Type.OFFERS)).offers?.offers[0];
  return offer ?? expect.fail("no offer");
};

function launch(offer: Offer, id: string, resources = "cpus:1;mem:32") {
  const task = {
    name: id,
    taskId: { value: id },
    agentId: offer.agentId ?? { value: "" },
    resources: parseResources(resources).toMessages("pre"),
    command: { value: "true" },
  };
  const operation = { type: Offer_Operation_Type.LAUNCH, launch: { taskInfos: [task] } };
  return {
    type: Call_Type.ACCEPT,
    accept: { offerIds: [offer.id ?? { value: "" }], operations: [operation], filters: { refuseSeconds: 0 } },
  };
}

const nextStatus = async (scheduler: V1Scheduler) =>
  (await scheduler.next(Event_Type.UPDATE)).update?.status ?? expect.fail("no status");

async function state(): Promise<{
  frameworks: { id: string; active: boolean; tasks: unknown[] }[];
  completed_frameworks: { id: string }[];
  slaves: { used_resources: { cpus: number } }[];
}> {
  return (await fetch(`${master.url}/master/state`)).json() as ReturnType<typeof state>;
}

beforeEach(async () => {
  master = new LocalMaster({ port: 0 });
  await master.start();
});

afterEach(async () => {
  for (const scheduler of schedulers.splice(0)) scheduler.disconnect();
  for (const agent of agents.splice(0)) await agent.close();
  await master.stop();
});

describe.each(["json", "protobuf"] as const)("a scheduler that speaks %s", (encoding) => {
  it("runs a task from offer to acknowledged end", async () => {
    const agent = await startAgent();
    await agent.register();
    const scheduler = await subscribe({}, encoding);
    expect((await scheduler.next()).type).toBe(Event_Type.HEARTBEAT);
    const offer = await nextOffer(scheduler);
    expect(offer).toMatchObject({ hostname: "scripted.example", url: { scheme: "http", path: "/slave(1)" } });
    expect(offer.resources.some(({ allocationInfo }) => allocationInfo !== undefined)).toBe(false);
    expect(await scheduler.call(launch(offer, "t"))).toBe(202);
    const running = await nextStatus(scheduler);
    expect([running.state, running.uuid.length]).toEqual([TaskState.TASK_RUNNING, 16]);
    const finished = await nextStatus(scheduler);
    expect(finished.state).toBe(TaskState.TASK_FINISHED);
    const { taskId, agentId } = finished;
    for (const { uuid } of [running, finished]) {
      const acknowledge = { taskId: taskId ?? { value: "" }, agentId: agentId ?? { value: "" }, uuid };
      expect(await scheduler.call({ type: Call_Type.ACKNOWLEDGE, acknowledge })).toBe(202);
    }
    await agent.until(() => agent.acknowledged.length === 2);
    expect(agent.launched[0]).toMatchObject({ pid: "@0.0.0.0:0", launchExecutor: true });
    expect(agent.launched[0]?.task?.resources.map(({ allocationInfo }) => allocationInfo?.role)).toEqual(["*", "*"]);
    expect((await state()).frameworks[0]?.tasks).toEqual([]);
  });
});

it("refuses what cannot be launched, and says why", async () => {
  const agent = await startAgent();
  await agent.register();
  const scheduler = await subscribe();
  const offer = await nextOffer(scheduler);
  await scheduler.call(launch(offer, "big", "cpus:99"));
  expect(await nextStatus(scheduler)).toMatchObject({
    state: TaskState.TASK_ERROR,
    reason: TaskStatus_Reason.TASK_INVALID,
    message: expect.stringContaining("more resources"),
  });
  await scheduler.call(launch(offer, "late"));
  expect(await nextStatus(scheduler)).toMatchObject({
    state: TaskState.TASK_LOST,
    reason: TaskStatus_Reason.INVALID_OFFERS,
  });
});

it("kills, reconciles and tears down", async () => {
  const agent = await startAgent({ run: keepRunning });
  await agent.register();
  const scheduler = await subscribe();
  await scheduler.call(launch(await nextOffer(scheduler), "t"));
  await nextStatus(scheduler);
  expect((await state()).slaves[0]?.used_resources.cpus).toBe(1);
  await scheduler.call({ type: Call_Type.RECONCILE, reconcile: { tasks: [] } });
  const implicit = await nextStatus(scheduler);
  expect(implicit).toMatchObject({ state: TaskState.TASK_RUNNING, reason: TaskStatus_Reason.RECONCILIATION });
  expect(Object.hasOwn(implicit, "uuid")).toBe(false);
  await scheduler.call({ type: Call_Type.RECONCILE, reconcile: { tasks: [{ taskId: { value: "never" } }] } });
  expect(await nextStatus(scheduler)).toMatchObject({ state: TaskState.TASK_LOST, taskId: { value: "never" } });
  await scheduler.call({ type: Call_Type.KILL, kill: { taskId: { value: "t" } } });
  expect((await nextStatus(scheduler)).state).toBe(TaskState.TASK_KILLED);
  expect((await state()).slaves[0]?.used_resources.cpus).toBe(0);
  expect(await scheduler.call({ type: Call_Type.TEARDOWN })).toBe(202);
  await scheduler.closed();
  await agent.until(() => agent.received.includes("shutdown framework"));
  expect(await state()).toMatchObject({ frameworks: [], completed_frameworks: [{ id: scheduler.frameworkId }] });
  const again = await subscribe({ id: { value: scheduler.frameworkId } });
  expect(again.events[0]?.error?.message).toContain("removed");
});

it("takes declined offers back, and offers again when revived", async () => {
  const agent = await startAgent();
  await agent.register();
  const scheduler = await subscribe();
  const offer = await nextOffer(scheduler);
  const offerIds = [offer.id ?? { value: "" }];
  await scheduler.call({ type: Call_Type.DECLINE, decline: { offerIds, filters: { refuseSeconds: 3600 } } });
  const other = await subscribe({ name: "other" });
  const second = await nextOffer(other);
  expect(second.id).not.toEqual(offer.id);
  await other.call({
    type: Call_Type.DECLINE,
    decline: { offerIds: [second.id ?? { value: "" }], filters: { refuseSeconds: 3600 } },
  });
  await scheduler.call({ type: Call_Type.REVIVE });
  expect((await nextOffer(scheduler)).id).not.toEqual(offer.id);
});

it("hands a framework over to its newest scheduler", async () => {
  const agent = await startAgent({ run: keepRunning });
  await agent.register();
  const old = await subscribe({ failoverTimeout: 60 });
  await old.call(launch(await nextOffer(old), "t"));
  await nextStatus(old);
  const fresh = await subscribe({ failoverTimeout: 60, id: { value: old.frameworkId } });
  expect((await old.next(Event_Type.ERROR)).error?.message).toBe("Framework failed over");
  await old.closed();
  expect(await old.call({ type: Call_Type.REVIVE })).toBe(400);
  await agent.until(() => agent.received.includes("update framework"));
  await fresh.call({ type: Call_Type.KILL, kill: { taskId: { value: "t" } } });
  expect((await nextStatus(fresh)).state).toBe(TaskState.TASK_KILLED);
});

it("ends a framework whose scheduler went away for good", async () => {
  const agent = await startAgent({ run: keepRunning });
  await agent.register();
  const scheduler = await subscribe({ failoverTimeout: 0 });
  await scheduler.call(launch(await nextOffer(scheduler), "t"));
  await nextStatus(scheduler);
  scheduler.disconnect();
  await agent.until(() => agent.received.includes("shutdown framework"));
  expect((await state()).frameworks).toEqual([]);
});

it("tells of an agent that broke off, and takes it back with its tasks", async () => {
  const agent = await startAgent({ run: keepRunning });
  await agent.register();
  const scheduler = await subscribe();
  await scheduler.call(launch(await nextOffer(scheduler), "t"));
  await nextStatus(scheduler);
  const offer = await nextOffer(scheduler);
  await agent.close();
  expect((await scheduler.next(Event_Type.RESCIND)).rescind?.offerId).toEqual(offer.id);
  const back = await startAgent();
  const task = create(TaskSchema, {
    name: "t",
    taskId: { value: "t" },
    frameworkId: { value: scheduler.frameworkId },
    agentId: { value: agent.id ?? "" },
    state: TaskState.TASK_RUNNING,
    resources: parseResources("cpus:1;mem:32").toMessages(),
  });
  await back.reregister(agent.id ?? "", [task]);
  expect((await state()).slaves).toMatchObject([{ used_resources: { cpus: 1 } }]);
  expect(Resources.of((await nextOffer(scheduler)).resources).cpus).toBe(3);
});

it.each(["0.24", "1.x"] as const)("takes agents and frameworks of %s over from another master's time", async (era) => {
  const agent = await startAgent();
  const task = create(TaskSchema, {
    name: "t",
    taskId: { value: "t" },
    frameworkId: { value: "former-0000" },
    agentId: { value: "former-S0" },
    state: TaskState.TASK_RUNNING,
    resources: parseResources("cpus:1").toMessages(),
  });
  await agent.reregister("former-S0", [task], era);
  const scheduler = await subscribe({ id: { value: "former-0000" } });
  expect(scheduler.frameworkId).toBe("former-0000");
  await scheduler.call({ type: Call_Type.RECONCILE, reconcile: { tasks: [{ taskId: { value: "t" } }] } });
  expect((await nextStatus(scheduler)).state).toBe(TaskState.TASK_RUNNING);
});

it.each([
  [[], TaskState.TASK_LOST],
  [["PARTITION_AWARE"], TaskState.TASK_UNREACHABLE],
] as const)("gives up an agent that answers no pings, and takes it back (%j)", async (names, lost) => {
  const hasty = new LocalMaster({ port: 0, pingInterval: 20, maximumMissedPings: 3 });
  await hasty.start();
  const agent = await startAgent({ master: hasty.address, run: keepRunning });
  await agent.register();
  const scheduler = new V1Scheduler(hasty.url);
  schedulers.push(scheduler);
  const capabilities = names.map((name) => ({ type: FrameworkInfo_Capability_Type[name] }));
  const frameworkInfo = { user: "u", name: "n", capabilities };
  await scheduler.subscribe({ type: Call_Type.SUBSCRIBE, subscribe: { frameworkInfo } });
  await scheduler.call(launch(await nextOffer(scheduler), "t"));
  await nextStatus(scheduler);
  agent.mute = true;
  expect(await nextStatus(scheduler)).toMatchObject({ state: lost, reason: TaskStatus_Reason.AGENT_REMOVED });
  expect((await scheduler.next(Event_Type.FAILURE)).failure?.agentId?.value).toBe(agent.id);
  agent.mute = false;
  const task = create(TaskSchema, {
    name: "t",
    taskId: { value: "t" },
    frameworkId: { value: scheduler.frameworkId },
    agentId: { value: agent.id ?? "" },
    state: TaskState.TASK_RUNNING,
    resources: parseResources("cpus:1;mem:32").toMessages(),
  });
  await agent.reregister(agent.id ?? "", [task]);
  await scheduler.call({ type: Call_Type.RECONCILE, reconcile: { tasks: [{ taskId: { value: "t" } }] } });
  expect((await nextStatus(scheduler)).state).toBe(TaskState.TASK_RUNNING);
  await hasty.stop();
});

it("carries messages between scheduler and executor", async () => {
  const agent = await startAgent();
  await agent.register();
  const scheduler = await subscribe();
  const ids = { agentId: { value: agent.id ?? "" }, executorId: { value: "e" } };
  const data = new Uint8Array([1, 0, 255]);
  await scheduler.call({ type: Call_Type.MESSAGE, message: { ...ids, data } });
  await agent.until(() => agent.received.includes("message 0100ff"));
  const reply = create(ExecutorToFrameworkMessageSchema, {
    ...ids,
    frameworkId: { value: scheduler.frameworkId },
    data,
  });
  agent.send(ExecutorToFrameworkMessageSchema, reply);
  expect((await scheduler.next(Event_Type.MESSAGE)).message).toMatchObject({ data, executorId: { value: "e" } });
});

it("reserves and creates volumes, telling agents that do not apply operations the whole list", async () => {
  const agent = await startAgent({ resources: "cpus:4;mem:4096;disk:100" });
  await agent.register();
  const scheduler = await subscribe({ role: "web", principal: "p" });
  const offer = await nextOffer(scheduler);
  const [reserved] = parseResources("disk(web):60").toMessages("pre");
  if (reserved === undefined) expect.fail("no resource");
  const dynamic = {
    name: "disk",
    type: reserved.type,
    scalar: { value: 60 },
    role: "web",
    reservation: { principal: "p" },
  };
  const operation = { type: Offer_Operation_Type.RESERVE, reserve: { resources: [dynamic] } };
  const offerIds = [offer.id ?? { value: "" }];
  await scheduler.call({
    type: Call_Type.ACCEPT,
    accept: { offerIds, operations: [operation], filters: { refuseSeconds: 0 } },
  });
  await agent.until(() => agent.received.includes("checkpoint resources"));
  const next = await nextOffer(scheduler);
  expect(next.resources.filter(({ reservation }) => reservation !== undefined)).toMatchObject([
    { name: "disk", role: "web", scalar: { value: 60 } },
  ]);
});

describe("refused requests", () => {
  const post = async (body: string, headers: Record<string, string>) =>
    (await fetch(`${master.url}/api/v1/scheduler`, { method: "POST", body, headers })).status;
  const json = { "content-type": "application/json" };
  const subscription = '{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"}}}';

  it("get the status codes of real masters", async () => {
    expect((await fetch(`${master.url}/api/v1/scheduler`)).status).toBe(405);
    expect(await post("{}", { "content-type": "text/xml" })).toBe(415);
    expect(await post("{", json)).toBe(400);
    expect(await post("{}", json)).toBe(400);
    expect(await post(subscription, { ...json, accept: "text/html" })).toBe(406);
    expect(await post(subscription, { ...json, "mesos-stream-id": "x" })).toBe(400);
    expect(await post('{"type":"REVIVE","framework_id":{"value":"nobody"}}', json)).toBe(400);
  });

  it("need the id of the stream", async () => {
    const scheduler = await subscribe();
    const call = { type: Call_Type.REVIVE, frameworkId: { value: scheduler.frameworkId } } as const;
    expect((await scheduler.post(call)).status).toBe(400);
    expect((await scheduler.post(call, { "mesos-stream-id": "stale" })).status).toBe(400);
    expect((await scheduler.post(call, { "mesos-stream-id": scheduler.streamId })).status).toBe(202);
  });

  it("end the stream when the framework makes no sense", async () => {
    const scheduler = await subscribe({ role: "a//b" });
    expect(scheduler.events[0]?.type).toBe(Event_Type.ERROR);
    await scheduler.closed();
  });

  it("do nothing to tasks of others", async () => {
    const scheduler = await subscribe();
    const acknowledge = { taskId: { value: "t" }, agentId: { value: "nobody" }, uuid: newUuid() };
    expect(await scheduler.call({ type: Call_Type.ACKNOWLEDGE, acknowledge })).toBe(202);
  });
});

it("serves several masters in one program, and its pages", async () => {
  const second = new LocalMaster({ port: 0 });
  await second.start();
  expect(second.url).not.toBe(master.url);
  for (const path of [
    "/health",
    "/state",
    "/state.json",
    "/slaves",
    "/tasks",
    "/frameworks",
    "/version",
    "/metrics/snapshot",
    "/flags",
    "/overview",
    "/",
  ])
    for (const { url } of [master, second]) {
      const response = await fetch(`${url}${path}`);
      expect([path, response.status]).toEqual([path, 200]);
      await response.text();
    }
  expect(await (await fetch(`${master.url}/state?jsonp=show`)).text()).toMatch(/^show\(\{.*\}\);$/);
  expect((await fetch(`${master.url}/state?jsonp=a-b`)).status).toBe(400);
  await second.stop();
  await second.stop();
});

it("an agent that comes back with an old id takes the place of the newer one at its address", async () => {
  const scheduler = await subscribe();
  const agent = await startAgent();
  await agent.register();
  const newer = agent.id ?? "";
  await agent.reregister("former-S0", []);
  expect((await scheduler.next(Event_Type.FAILURE)).failure?.agentId?.value).toBe(newer);
  const { slaves } = (await (await fetch(`${master.url}/master/state`)).json()) as {
    slaves: { id: string; active: boolean }[];
  };
  expect(slaves.map(({ id, active }) => ({ id, active }))).toEqual([{ id: "former-S0", active: true }]);
});
