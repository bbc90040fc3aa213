import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { freePort } from "../support/free-port.ts";
import { launchGroup, member } from "../support/groups.ts";
import { missing } from "../support/missing.ts";
import { OperatorClient, serving } from "../support/operator-client.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

/** UPDATE_CONTAINER_MEMORY_LIMIT of an agent with control groups, seen in what the kernel says of the container. */
let master: LocalMaster;
let agent: AgentProcess;
let client: OperatorClient;
let test: TestScheduler;

beforeEach(async (context) => {
  master = new LocalMaster({ port: 0 });
  await master.start();
  const flags = ["--resources=cpus:8;mem:8000;disk:8000", "--no-switch_user", "--isolation=cgroups/cpu,cgroups/mem"];
  agent = new AgentProcess({ master: master.address, port: await freePort(), flags });
  client = new OperatorClient(agent.port);
  agent.start();
  await serving(agent).catch((error: unknown) => {
    if (!agent.hasExited) throw error;
    missing(context, "no writable cgroups");
  });
  test = new TestScheduler({ master: master.address, checkpoint: true, failoverTimeout: 60 });
  await test.subscribe();
});
afterEach(async () => {
  await test.teardown();
  await agent.destroy();
  await master.stop();
});

const running = (id: string) => test.until(`${id} to run`, () => test.statesOf(id).includes(TaskState.TASK_RUNNING));
const MEGABYTE = 1024 * 1024;

/** The one container of an executor, and the megabytes that the kernel holds it to. */
async function container(): Promise<{ id: string; megabytes: number }> {
  const { body } = await client.call("GET_CONTAINERS");
  const [first] = JSON.parse(body).get_containers.containers;
  return { id: first.container_id.value, megabytes: first.resource_statistics.mem_limit_bytes / MEGABYTE };
}
const order = async (megabytes: number) => {
  const { id } = await container();
  const answer = await client.on("UPDATE_CONTAINER_MEMORY_LIMIT", [id], { memory_limit: { value: megabytes } });
  expect(answer).toEqual({ status: 200, body: "" });
};

it("holds an executor's container, whatever tasks it gets, over a kill -9", async () => {
  const mem = [
    { name: "cpus", type: 0, scalar: { value: 0.1 } },
    { name: "mem", type: 0, scalar: { value: 100 } },
  ];
  await launchGroup(test, [member("one", "exec sleep 1000", { resources: mem })]);
  await running("one");
  expect((await container()).megabytes).toBe(132);
  await order(64);
  expect((await container()).megabytes).toBe(64);
  await agent.end();
  agent.start();
  await serving(agent);
  expect((await container()).megabytes).toBe(64);
  await launchGroup(test, [member("two", "exec sleep 1000", { resources: mem })]);
  await running("two");
  expect((await container()).megabytes).toBe(64);
  await order(300);
  expect((await container()).megabytes).toBe(300);
  const tasks = JSON.parse((await client.call("GET_TASKS")).body).get_tasks.launched_tasks as { resources: object[] }[];
  expect(tasks.map(({ resources }) => resources)).toEqual([
    expect.arrayContaining([expect.objectContaining({ name: "mem", scalar: { value: 100 } })]),
    expect.arrayContaining([expect.objectContaining({ name: "mem", scalar: { value: 100 } })]),
  ]);
});

it("is what a task is ended by that needs more", async () => {
  const command = "until [ -e go ]; do sleep 0.05; done; exec perl -e 'my $x = \"a\" x (100 * 1024 * 1024); sleep 100'";
  const mem = { resources: [{ name: "mem", type: 0, scalar: { value: 256 } }] };
  await test.launch([commandTask("grows", command, mem)]);
  await running("grows");
  await order(48);
  const agentId = test.updates[0]?.agentId?.value ?? "";
  const framework = join(agent.workDir, "slaves", agentId, "frameworks", test.frameworkId ?? "");
  writeFileSync(join(framework, "executors/grows/runs/latest/go"), "");
  const end = await test.until("its end", () => test.terminalOf("grows"));
  expect(end).toMatchObject({ state: TaskState.TASK_FAILED, message: expect.stringContaining("Requested: 48MB") });
});
