import { afterEach, beforeEach, expect, it } from "vitest";
import { operatorCall } from "../../test/support/operator.ts";
import { ScriptedAgent } from "../../test/support/scripted-agent.ts";
import { ShutdownMessageSchema } from "../mesos/gen/mesos/internal/messages_pb.ts";
import { LocalMaster } from "./local-master.ts";

let master: LocalMaster;
const agents: ScriptedAgent[] = [];

beforeEach(async () => {
  master = new LocalMaster({ port: 0 });
  await master.start();
});

afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.close();
  await master.stop();
});

/** An agent of 127.0.0.1, and what shuts it down first. */
async function newAgent(): Promise<{ readonly agent: ScriptedAgent; readonly shutdown: Promise<string> }> {
  const agent = await ScriptedAgent.start({ master: master.address });
  agents.push(agent);
  const shutdown = new Promise<string>((resolve) => {
    agent.process.install(ShutdownMessageSchema, (_from, { message }) => resolve(message));
  });
  return { agent, shutdown };
}

const machine = { hostname: "scripted.example", ip: "127.0.0.1" };
const schedule = (window: object) => ({
  type: "UPDATE_MAINTENANCE_SCHEDULE",
  update_maintenance_schedule: { schedule: { windows: [window] } },
});
const planned = schedule({ machine_ids: [machine], unavailability: { start: { nanoseconds: 1 } } });
const down = (named: object) => ({ type: "START_MAINTENANCE", start_maintenance: { machines: [named] } });
const up = { type: "STOP_MAINTENANCE", stop_maintenance: { machines: [machine] } };
const statusOf = async (call: object): Promise<number> => (await operatorCall(master.url, call)).status;
const agentsOf = async (): Promise<object[]> =>
  ((await (await fetch(`${master.url}/slaves`)).json()) as { slaves: object[] }).slaves;

it("takes the agents of a machine down, and lets none of them come until it is up", async () => {
  const first = await newAgent();
  await first.agent.register();
  expect(await statusOf(planned)).toBe(200);
  expect(await statusOf(down({ ...machine, hostname: "Scripted.EXAMPLE" }))).toBe(200);
  expect(await first.shutdown).toBe("Operator initiated 'Machine DOWN'");
  expect(await agentsOf()).toEqual([]);

  const fresh = await newAgent();
  void fresh.agent.register();
  expect(await fresh.shutdown).toBe("Machine is `DOWN`");
  const back = await newAgent();
  void back.agent.reregister(first.agent.id ?? "", []);
  expect(await back.shutdown).toBe("Machine is `DOWN`");
  expect(await agentsOf()).toEqual([]);

  expect(await statusOf(up)).toBe(200);
  await (await newAgent()).agent.register();
  expect(await agentsOf()).toHaveLength(1);
});

it("leaves the agents of other machines alone", async () => {
  const { agent } = await newAgent();
  await agent.register();
  const other = { hostname: "other.example", ip: "127.0.0.1" };
  const window = { machine_ids: [other], unavailability: { start: { nanoseconds: 1 } } };
  expect(await statusOf(schedule(window))).toBe(200);
  expect(await statusOf(down(other))).toBe(200);
  expect(await agentsOf()).toHaveLength(1);
});

it("takes no schedule that would bring a machine up, or that says nothing of when", async () => {
  expect(await statusOf(planned)).toBe(200);
  expect(await statusOf(down(machine))).toBe(200);
  expect(await statusOf({ ...planned, update_maintenance_schedule: { schedule: {} } })).toBe(400);
  expect(await statusOf(schedule({ machine_ids: [machine] }))).toBe(400);
  const { agent, shutdown } = await newAgent();
  void agent.register();
  expect(await shutdown).toBe("Machine is `DOWN`");
});
