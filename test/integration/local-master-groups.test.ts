import { afterEach, beforeEach, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import {
  type Offer,
  Offer_Operation_Type,
  TaskState,
  TaskStatus_Reason,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { Call_Type, Event_Type } from "../../src/mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { parseResources } from "../../src/mesos/resources-text.ts";
import { ScriptedAgent } from "../support/scripted-agent.ts";
import { V1Scheduler } from "../support/v1-scheduler.ts";

let master: LocalMaster;
let agent: ScriptedAgent;
let scheduler: V1Scheduler;

beforeEach(async () => {
  master = new LocalMaster({ port: 0 });
  await master.start();
  agent = await ScriptedAgent.start({ master: master.address, resources: "cpus:4;mem:4096;disk:1000" });
  await agent.register();
  scheduler = new V1Scheduler(master.url, "json");
  await scheduler.subscribe({ type: Call_Type.SUBSCRIBE, subscribe: { frameworkInfo: { user: "u", name: "n" } } });
});

afterEach(async () => {
  scheduler.disconnect();
  await agent.close();
  await master.stop();
});

const nextOffer = async (): Promise<Offer> =>
  (await scheduler.next(Event_Type.OFFERS)).offers?.offers[0] ?? expect.fail("no offer");
const nextStatus = async () => (await scheduler.next(Event_Type.UPDATE)).update?.status ?? expect.fail("no status");

it("launches a task group, all of it or nothing, and shows it", async () => {
  const offerAgain = async (): Promise<Offer> => {
    await scheduler.call({ type: Call_Type.REVIVE });
    return await nextOffer();
  };
  const group = (offer: Offer, executor: object, ...ids: string[]) => {
    const tasks = ids.map((id) => ({
      name: id,
      taskId: { value: id },
      agentId: offer.agentId ?? { value: "" },
      resources: parseResources("cpus:0.5;mem:32").toMessages("pre"),
      command: { value: "true" },
    }));
    const whole = {
      type: 1,
      executorId: { value: "default" },
      frameworkId: { value: scheduler.frameworkId },
      resources: parseResources("cpus:0.1;mem:32;disk:10").toMessages("pre"),
      ...executor,
    } as const;
    const launchGroup = { executor: whole, taskGroup: { tasks } };
    const operations = [{ type: Offer_Operation_Type.LAUNCH_GROUP, launchGroup }];
    const accept = { offerIds: [offer.id ?? { value: "" }], operations, filters: { refuseSeconds: 0 } };
    return scheduler.call({ type: Call_Type.ACCEPT, accept });
  };
  await group(await nextOffer(), { command: { value: "no default executor has one" } }, "one", "two");
  for (const id of ["one", "two"])
    expect(await nextStatus()).toMatchObject({
      ...{ taskId: { value: id }, state: TaskState.TASK_ERROR, reason: TaskStatus_Reason.TASK_GROUP_INVALID },
      message: "'ExecutorInfo.command' must not be set for 'DEFAULT' executor",
    });
  expect(agent.groups).toEqual([]);
  await group(await offerAgain(), {}, "one", "two");
  for (let count = 0; count < 2; count++) expect((await nextStatus()).state).toBe(TaskState.TASK_RUNNING);
  await group(await offerAgain(), {}, "three");
  expect((await nextStatus()).state).toBe(TaskState.TASK_RUNNING);
  expect(agent.groups.map(({ launchExecutor, taskGroup }) => [launchExecutor, taskGroup?.tasks.length])).toEqual([
    [true, 2],
    [false, 1],
  ]);
  const [{ executor, taskGroup, framework } = {}] = agent.groups;
  expect(framework?.id?.value).toBe(scheduler.frameworkId);
  expect(executor?.resources.map(({ allocationInfo }) => allocationInfo?.role)).toEqual(["*", "*", "*"]);
  expect(taskGroup?.tasks.map((task) => task.executor?.executorId?.value)).toEqual(["default", "default"]);
  const { tasks } = (await (await fetch(`${master.url}/tasks?task_id=two`)).json()) as { tasks: object[] };
  expect(tasks).toMatchObject([{ id: "two", executor_id: "default", state: "TASK_RUNNING" }]);
  const used = { cpus: 1.6, mem: 128, disk: 10 };
  expect(await (await fetch(`${master.url}/master/state`)).json()).toMatchObject({
    frameworks: [{ executors: [{ executor_id: "default", resources: { cpus: 0.1, mem: 32, disk: 10 } }] }],
    slaves: [{ used_resources: used, used_resources_full: expect.any(Array) }],
  });
});
