import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import {
  FrameworkInfo_Capability_Type,
  type Offer,
  Offer_Operation_Type,
  OperationState,
  type Resource,
  Resource_ReservationInfo_Type,
  ResourceSchema,
  type TaskInfo,
  TaskInfoSchema,
  TaskState,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { Call_Type } from "../../src/mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { Resources } from "../../src/mesos/resources.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

const { RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME, SHRINK_VOLUME, LAUNCH } = Offer_Operation_Type;
const { MULTI_ROLE, RESERVATION_REFINEMENT } = FrameworkInfo_Capability_Type;
const ROLE = "web";

const disk = (megabytes: number, more: object = {}): Resource =>
  create(ResourceSchema, {
    name: "disk",
    type: 0,
    scalar: { value: megabytes },
    reservations: [{ type: Resource_ReservationInfo_Type.DYNAMIC, role: ROLE, principal: "p" }],
    allocationInfo: { role: ROLE },
    ...more,
  } as never);
const volume = (megabytes: number): Resource =>
  disk(megabytes, {
    disk: { persistence: { id: "data", principal: "p" }, volume: { mode: 1, containerPath: "kept" } },
  });

describe("reservations and persistent volumes on a real agent", () => {
  let master: LocalMaster;
  let agent: AgentProcess;
  let framework: TestScheduler;

  beforeEach(async () => {
    master = new LocalMaster({ port: 0 });
    await master.start();
    const address = master.url.replace("http://", "");
    agent = new AgentProcess({
      master: address,
      port: await freePort(),
      flags: ["--resources=cpus:4;mem:1000;disk:1000;ports:[31000-32000]"],
    });
    agent.start();
    framework = new TestScheduler({
      master: address,
      roles: [ROLE],
      capabilities: [MULTI_ROLE, RESERVATION_REFINEMENT],
      checkpoint: true,
      failoverTimeout: 600,
    });
    await framework.subscribe();
  });

  afterEach(async () => {
    framework.close();
    await agent.destroy();
    await master.stop();
  });

  /** Offers that hold these resources together. Others are given back: what a task freed may be too little by itself. */
  const offersWith = (...resources: Resource[]): Promise<readonly Offer[]> =>
    framework.until("offers with the resources", () => {
      const held = Resources.of(framework.offers.flatMap((offer) => offer.resources));
      if (held.contains(Resources.of(resources))) return [...framework.offers];
      const offerIds = framework.offers.splice(0).map(({ id }) => ({ value: id?.value ?? "" }));
      if (offerIds.length > 0)
        void framework.call({ type: Call_Type.DECLINE, decline: { offerIds, filters: { refuseSeconds: 0.1 } } });
      return undefined;
    });

  function task(offer: Offer, id: string, command: string, ...resources: Resource[]): TaskInfo {
    const plain = commandTask(id, command);
    const own = [...(plain.resources ?? [])].map((resource) => ({ ...resource, allocationInfo: { role: ROLE } }));
    return create(TaskInfoSchema, {
      ...plain,
      agentId: { value: offer.agentId?.value ?? "" },
      resources: [...own, ...resources],
    } as never);
  }

  async function runs(offers: readonly Offer[], id: string, command: string, ...resources: Resource[]): Promise<void> {
    const [offer] = offers;
    if (offer === undefined) throw new Error("no offer");
    await framework.accept(offers, [{ type: LAUNCH, launch: { taskInfos: [task(offer, id, command, ...resources)] } }]);
    const end = await framework.until(`end of ${id}`, () => framework.terminalOf(id));
    expect(end, end.message).toMatchObject({ state: TaskState.TASK_FINISHED });
  }

  const volumePath = (): string => join(agent.workDir, "volumes", "roles", ROLE, "data");

  /** What is under way to the agent when it dies is lost: wait until it has this many. */
  const applied = (operations: number) =>
    expect
      .poll(() => agent.log.split("Applied operation").length - 1, { message: "applied operations" })
      .toBe(operations);

  async function killAndRestart(): Promise<void> {
    await agent.end("SIGKILL");
    framework.offers.length = 0;
    agent.start();
  }

  it("a volume made in the same ACCEPT as its first task is there for a later task, after a kill -9, until destroyed", async () => {
    const offer = await framework.offer();
    await framework.accept(
      [offer],
      [
        { type: RESERVE, reserve: { resources: [disk(100)] } },
        { type: CREATE, create: { volumes: [volume(60)] } },
        {
          type: LAUNCH,
          launch: { taskInfos: [task(offer, "writes", "echo precious > kept/file && sleep 1", volume(60))] },
        },
      ],
    );
    const written = await framework.until("end of writes", () => framework.terminalOf("writes"));
    expect(written, written.message).toMatchObject({ state: TaskState.TASK_FINISHED });
    expect(readFileSync(join(volumePath(), "file"), "utf8")).toBe("precious\n");
    await killAndRestart();
    await runs(await offersWith(volume(60), disk(40)), "reads", "grep precious kept/file", volume(60));
    await framework.accept(await offersWith(volume(60)), [
      { type: GROW_VOLUME, growVolume: { volume: volume(60), addition: disk(20) } },
    ]);
    await framework.accept(await offersWith(volume(80), disk(20)), [
      { type: SHRINK_VOLUME, shrinkVolume: { volume: volume(80), subtract: { value: 30 } } },
    ]);
    await applied(4);
    await killAndRestart();
    await runs(await offersWith(volume(50), disk(50)), "reads-again", "grep precious kept/file", volume(50));
    await framework.accept(await offersWith(volume(50)), [{ type: DESTROY, destroy: { volumes: [volume(50)] } }]);
    await framework.accept(await offersWith(disk(100)), [{ type: UNRESERVE, unreserve: { resources: [disk(100)] } }]);
    await applied(6);
    expect(existsSync(volumePath())).toBe(false);
    await killAndRestart();
    const last = await framework.until("an offer of what nobody reserved", () =>
      framework.offers.find(({ resources }) => Resources.of(resources).unreserved().disk === 1000),
    );
    expect(Resources.of(last.resources).reserved().isEmpty).toBe(true);
  });

  it("feedback on an operation with an id comes again after a restart, until it is acknowledged", async () => {
    const offer = await framework.offer();
    await framework.accept(
      [offer],
      [{ type: RESERVE, id: { value: "r1" }, reserve: { resources: [disk(10)] } } as never],
    );
    const first = await framework.until("feedback", () => framework.operations[0]);
    expect(first).toMatchObject({ state: OperationState.OPERATION_FINISHED, operationId: { value: "r1" } });
    const operations = join(agent.workDir, "meta", "slaves", offer.agentId?.value ?? "", "operations");
    expect(readdirSync(operations)).toHaveLength(1);
    await killAndRestart();
    const again = await framework.until("feedback after the restart", () => framework.operations[1]);
    expect(again.uuid).toEqual(first.uuid);
    expect(await framework.acknowledgeOperation(again)).toBe(202);
    await expect.poll(() => readdirSync(operations)).toHaveLength(0);
    await killAndRestart();
    await offersWith(disk(10));
    expect(framework.operations).toHaveLength(2);
  });

  it("an operation that is lost with the agent is reported as dropped, and its resources are as before", async () => {
    const offer = await framework.offer();
    await expect.poll(() => agent.log).toContain("given agent ID");
    process.kill(agent.pid, "SIGSTOP");
    await framework.accept([offer], [{ type: RESERVE, id: { value: "lost" }, reserve: { resources: [disk(10)] } }]);
    await killAndRestart();
    const dropped = await framework.until("feedback", () => framework.operations[0]);
    expect(dropped).toMatchObject({ state: OperationState.OPERATION_DROPPED, operationId: { value: "lost" } });
    const next = await framework.until("an offer of everything", () =>
      framework.offers.find(({ resources }) => Resources.of(resources).unreserved().disk === 1000),
    );
    expect(Resources.of(next.resources).reserved().isEmpty).toBe(true);
  });
});
