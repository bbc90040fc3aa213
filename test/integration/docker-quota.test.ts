import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { Offer_Operation_Type, TaskState, TaskStatus_Reason } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { dockerdMissing, TestDockerd } from "../support/dockerd.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

const missing = dockerdMissing();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);

let dockerd: TestDockerd;
let master: LocalMaster;
let agent: AgentProcess;

beforeAll(async () => {
  if (missing !== undefined) return;
  dockerd = await TestDockerd.start();
  master = new LocalMaster({ port: 0 });
  await master.start();
  agent = new AgentProcess({
    master: master.address,
    port: await freePort(),
    flags: [
      ...["--resources=cpus:10;mem:1000;disk:1000", "--no-switch_user", "--containerizers=docker,mesos"],
      ...[`--docker_socket=${dockerd.socket}`, "--docker_remove_delay=1secs", "--isolation=posix/cpu,posix/mem"],
      ...["--enforce_container_disk_quota", "--container_disk_watch_interval=500ms"],
    ],
  });
  agent.start();
});
afterAll(async () => {
  if (missing !== undefined) return;
  await agent.destroy();
  await master.stop();
  await dockerd.stop();
});
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

it("a Docker task that writes more than its disk fails with the figures, without any isolator", async () => {
  const scheduler = new TestScheduler({ master: master.address, user: "root" });
  await scheduler.subscribe();
  const offers = await scheduler.until("offers", () => scheduler.offers.length > 0 && [...scheduler.offers], 30_000);
  const scalar = (name: string, value: number) => ({ name, type: 0, scalar: { value } });
  const resources = [scalar("cpus", 0.1), scalar("mem", 64), scalar("disk", 10)];
  const container = { type: 1, docker: { image: "box:1" } };
  const more = { resources, container, agentId: offers[0]?.agentId };
  const taskInfos = [commandTask("large", "head -c 60000000 /dev/zero > /large; sleep 600", more)] as never;
  await scheduler.accept(offers, [{ type: Offer_Operation_Type.LAUNCH, launch: { taskInfos } }]);
  const last = await scheduler.until("its end", () => scheduler.terminalOf("large"), 60_000);
  expect([last.state, last.reason]).toEqual([TaskState.TASK_FAILED, TaskStatus_Reason.CONTAINER_LIMITATION_DISK]);
  expect(last.message).toMatch(/^Disk usage \(\d+[KM]?B\) exceeds quota \(10MB\)$/);
  expect(last.limitation?.resources.map(({ name, scalar: used }) => [name, (used?.value ?? 0) > 10])).toEqual([
    ["disk", true],
  ]);
  await scheduler.teardown();
});
