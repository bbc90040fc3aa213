import { request } from "node:http";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { decode, encode, enumName } from "../../src/mesos/codec.ts";
import {
  Call_Type,
  CallSchema,
  type Event,
  Event_Type,
  Event_TypeSchema,
  EventSchema,
} from "../../src/mesos/gen/mesos/v1/master/master_pb.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { RecordDecoder } from "../../src/mesos/recordio.ts";
import { stateName } from "../../src/mesos/states.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

const PROTOBUF = "application/x-protobuf";
const { TASK_RUNNING, TASK_KILLED, TASK_LOST } = TaskState;

/** An operator that follows a master. */
class Follower {
  readonly events: Event[] = [];
  ended = false;
  readonly #request;

  constructor(master: string) {
    const headers = { "content-type": PROTOBUF, accept: PROTOBUF };
    this.#request = request(`${master}/api/v1`, { method: "POST", headers, agent: false }, (response) => {
      const decoder = new RecordDecoder();
      response.on("data", (chunk: Buffer) => {
        for (const record of decoder.push(chunk)) this.events.push(decode(EventSchema, record));
      });
      response.on("close", () => {
        this.ended = true;
      });
      response.on("error", () => undefined);
    });
    this.#request.on("error", () => undefined);
    this.#request.end(encode(CallSchema, create(CallSchema, { type: Call_Type.SUBSCRIBE })));
  }

  /** Names of what has come, heartbeats left out, of tasks with the state. */
  get told(): string[] {
    return this.events
      .filter(({ type }) => type !== Event_Type.HEARTBEAT)
      .map(({ type, taskUpdated }) => {
        const name = enumName(Event_TypeSchema, type);
        return taskUpdated === undefined
          ? name
          : `${name} ${stateName(taskUpdated.status?.state ?? taskUpdated.state)}`;
      });
  }

  close(): void {
    this.#request.destroy();
  }
}

describe("an operator that follows the development master", () => {
  let master: LocalMaster;
  let agent: AgentProcess | undefined;
  let scheduler: TestScheduler | undefined;
  const followers: Follower[] = [];

  beforeEach(async () => {
    master = new LocalMaster({ port: 0 });
    await master.start();
  });

  afterEach(async () => {
    for (const follower of followers.splice(0)) follower.close();
    scheduler?.close();
    await agent?.destroy();
    await master.stop();
    [agent, scheduler] = [undefined, undefined];
  });

  function follow(): Follower {
    const follower = new Follower(master.url);
    followers.push(follower);
    return follower;
  }

  async function ask(call: object): Promise<number> {
    const headers = { "content-type": "application/json" };
    return (await fetch(`${master.url}/api/v1`, { method: "POST", headers, body: JSON.stringify(call) })).status;
  }

  async function withAgent(): Promise<TestScheduler> {
    agent = new AgentProcess({
      master: master.address,
      port: await freePort(),
      flags: ["--resources=cpus:4;mem:4000"],
    });
    agent.start();
    scheduler = new TestScheduler({ master: master.address, name: "tester", checkpoint: true, failoverTimeout: 600 });
    await scheduler.subscribe();
    await scheduler.offer();
    return scheduler;
  }

  it("hears first how everything is, and of each change after it, in its order", async () => {
    const early = follow();
    await expect.poll(() => early.told).toEqual(["SUBSCRIBED"]);
    expect(early.events[0]?.subscribed).toMatchObject({
      heartbeatIntervalSeconds: 15,
      getState: { getAgents: { agents: [] }, getFrameworks: { frameworks: [] }, getTasks: { tasks: [] } },
    });
    expect(early.events[1]?.type).toBe(Event_Type.HEARTBEAT);
    const test = await withAgent();
    await expect.poll(() => early.told.toSorted()).toEqual(["AGENT_ADDED", "FRAMEWORK_ADDED", "SUBSCRIBED"]);
    await test.launch([commandTask("one", "exec sleep 1000")]);
    await expect
      .poll(() => early.told.slice(3))
      .toEqual(["TASK_ADDED", "TASK_UPDATED TASK_STARTING", "TASK_UPDATED TASK_RUNNING"]);
    expect(early.events.find(({ taskAdded }) => taskAdded)?.taskAdded?.task).toMatchObject({
      taskId: { value: "one" },
      frameworkId: { value: test.frameworkId },
    });
    const late = follow();
    await expect.poll(() => late.told).toEqual(["SUBSCRIBED"]);
    expect(late.events[0]?.subscribed?.getState).toMatchObject({
      getAgents: { agents: [{ active: true }] },
      getFrameworks: { frameworks: [{ frameworkInfo: { name: "tester" }, connected: true }] },
      getTasks: { tasks: [{ taskId: { value: "one" }, state: TASK_RUNNING }] },
    });
    await test.kill("one");
    await expect.poll(() => late.told.slice(1)).toEqual(["TASK_UPDATED TASK_KILLED"]);
    const killed = late.events.find((event) => event.taskUpdated !== undefined)?.taskUpdated;
    expect(killed).toMatchObject({ frameworkId: { value: test.frameworkId }, status: { state: TASK_KILLED } });
    await test.subscribe();
    await expect.poll(() => late.told.at(-1)).toBe("FRAMEWORK_UPDATED");
    await test.teardown();
    await expect.poll(() => late.told.at(-1)).toBe("FRAMEWORK_REMOVED");
    expect(late.events.find(({ frameworkRemoved }) => frameworkRemoved)?.frameworkRemoved).toMatchObject({
      frameworkInfo: { id: { value: test.frameworkId } },
    });
    expect(early.told.slice(-3)).toEqual(late.told.slice(-3));
  });

  it("hears of agents that an operator gives up, and what became of their tasks", async () => {
    const test = await withAgent();
    await test.launch([commandTask("one", "exec sleep 1000")]);
    await test.until("one to run", () => test.statesOf("one").includes(TASK_RUNNING));
    const follower = follow();
    await expect.poll(() => follower.told).toEqual(["SUBSCRIBED"]);
    const agentId = { value: test.updates[0]?.agentId?.value };
    expect(await ask({ type: "MARK_AGENT_GONE", mark_agent_gone: { agent_id: agentId } })).toBe(200);
    await expect.poll(() => follower.told.slice(1)).toEqual(["TASK_UPDATED TASK_LOST", "AGENT_REMOVED"]);
    const { taskUpdated } = follower.events.find((event) => event.taskUpdated !== undefined) ?? {};
    // Its framework is not partition aware.
    expect(taskUpdated?.state).toBe(TASK_LOST);
    expect(follower.events.at(-1)?.agentRemoved).toMatchObject({ agentId });
  });

  it("hears of a cluster that a new master is told of by its agents, frameworks before their tasks", async () => {
    const test = await withAgent();
    await test.launch([commandTask("one", "exec sleep 1000")]);
    await test.until("one to run", () => test.statesOf("one").includes(TASK_RUNNING));
    const before = follow();
    await expect.poll(() => before.told).toEqual(["SUBSCRIBED"]);
    const [ip, port] = master.address.split(":");
    await master.stop();
    await expect.poll(() => before.ended).toBe(true);
    // Nobody registers before somebody listens.
    await agent?.end("SIGKILL");
    master = new LocalMaster({ ip: ip ?? "", port: Number(port) });
    await master.start();
    const after = follow();
    await expect.poll(() => after.told).toEqual(["SUBSCRIBED"]);
    agent?.start();
    await expect
      .poll(() => after.told.filter((name) => name !== "SUBSCRIBED"))
      .toEqual(["AGENT_ADDED", "FRAMEWORK_ADDED", "TASK_ADDED"]);
  });

  it("takes events in JSON as well, one after the other, and is refused like any other call", async () => {
    const headers = { "content-type": "application/json", accept: "application/json" };
    const answer = await fetch(`${master.url}/api/v1`, { method: "POST", headers, body: `{"type":"SUBSCRIBE"}` });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json"]);
    const reader = answer.body?.getReader();
    const decoder = new RecordDecoder();
    const records: { type: string }[] = [];
    while (records.length < 2) {
      const { value } = (await reader?.read()) ?? {};
      for (const record of decoder.push(Buffer.from(value ?? [])))
        records.push(JSON.parse(Buffer.from(record).toString()));
    }
    await reader?.cancel();
    expect(records.map(({ type }) => type)).toEqual(["SUBSCRIBED", "HEARTBEAT"]);
    const wrong = { "content-type": "application/json", accept: "text/html" };
    const refused = await fetch(`${master.url}/api/v1`, {
      method: "POST",
      headers: wrong,
      body: `{"type":"SUBSCRIBE"}`,
    });
    expect(refused.status).toBe(406);
  });
});
