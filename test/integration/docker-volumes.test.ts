import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import {
  FrameworkInfo_Capability_Type,
  type Offer,
  Offer_Operation_Type,
  type Resource,
  Resource_ReservationInfo_Type,
  ResourceSchema,
  TaskInfoSchema,
  TaskState,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { Resources } from "../../src/mesos/resources.ts";
import { dockerdMissing, TestDockerd } from "../support/dockerd.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

const missing = dockerdMissing();
if (missing !== undefined && process.env["CI"]) throw new Error(missing);
const { RESERVE, CREATE, DESTROY, LAUNCH } = Offer_Operation_Type;
const ROLE = "web";

const disk = (more: object = {}): Resource =>
  create(ResourceSchema, {
    name: "disk",
    type: 0,
    scalar: { value: 64 },
    reservations: [{ type: Resource_ReservationInfo_Type.DYNAMIC, role: ROLE }],
    allocationInfo: { role: ROLE },
    ...more,
  } as never);
const volume = disk({ disk: { persistence: { id: "data" }, volume: { mode: 1, containerPath: "kept" } } });

describe("a persistent volume in docker tasks", () => {
  let dockerd: TestDockerd;
  let master: LocalMaster;
  let agent: AgentProcess;
  let framework: TestScheduler;

  beforeAll(async () => {
    if (missing !== undefined) return;
    dockerd = await TestDockerd.start();
    master = new LocalMaster({ port: 0 });
    await master.start();
    const flags = ["--resources=cpus:4;mem:4000;disk:1000", "--containerizers=docker"];
    agent = new AgentProcess({
      master: master.address,
      port: await freePort(),
      flags: [...flags, `--docker_socket=${dockerd.socket}`],
    });
    agent.start();
    framework = new TestScheduler({
      master: master.address,
      roles: [ROLE],
      capabilities: [FrameworkInfo_Capability_Type.MULTI_ROLE, FrameworkInfo_Capability_Type.RESERVATION_REFINEMENT],
      checkpoint: true,
      failoverTimeout: 600,
    });
    await framework.subscribe();
  });
  afterAll(async () => {
    if (missing !== undefined) return;
    framework.close();
    await agent.destroy();
    await master.stop();
    await dockerd.stop();
  });
  beforeEach((ctx) => {
    if (missing !== undefined) ctx.skip(missing);
  });

  async function runs(id: string, command: string, before: object[] = []): Promise<void> {
    const offer: Offer = await framework.until("an offer", () =>
      framework.offers.find(
        ({ resources }) => before.length > 0 || Resources.of(resources).contains(Resources.of([volume])),
      ),
    );
    const plain = commandTask(id, command, { container: { type: 1, docker: { image: "box:1" } } });
    const own = [...(plain.resources ?? [])].map((resource) => ({ ...resource, allocationInfo: { role: ROLE } }));
    const task = create(TaskInfoSchema, {
      ...plain,
      agentId: { value: offer.agentId?.value ?? "" },
      resources: [...own, volume],
    } as never);
    await framework.accept([offer], [...before, { type: LAUNCH, launch: { taskInfos: [task] } }]);
    const end = await framework.until(`end of ${id}`, () => framework.terminalOf(id), 60_000);
    expect(end, end.message).toMatchObject({ state: TaskState.TASK_FINISHED });
  }

  it("is shared by tasks one after the other, over a kill -9 of the agent, and gone when destroyed", async () => {
    await runs("writes", "echo precious > $MESOS_SANDBOX/kept/file", [
      { type: RESERVE, reserve: { resources: [disk()] } },
      { type: CREATE, create: { volumes: [volume] } },
    ]);
    const path = join(agent.workDir, "volumes", "roles", ROLE, "data");
    expect(readFileSync(join(path, "file"), "utf8")).toBe("precious\n");
    await agent.end("SIGKILL");
    framework.offers.length = 0;
    agent.start();
    await runs("reads", "grep precious $MESOS_SANDBOX/kept/file");
    await agent.end("SIGKILL");
    framework.offers.length = 0;
    agent.start();
    const offer = await framework.until("the volume", () =>
      framework.offers.find(({ resources }) => Resources.of(resources).contains(Resources.of([volume]))),
    );
    await framework.accept([offer], [{ type: DESTROY, destroy: { volumes: [volume] } }]);
    await expect.poll(() => existsSync(path)).toBe(false);
  });
});
