import { existsSync } from "node:fs";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { DrainSlaveMessageSchema } from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import {
  type DrainConfigSchema,
  FrameworkInfo_Capability_Type,
  Offer_Operation_Type,
  Resource_ReservationInfo_Type,
  ResourceSchema,
  TaskState,
  TaskStatus_Reason,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { sendAs } from "../support/forged.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";

const { MULTI_ROLE, RESERVATION_REFINEMENT, PARTITION_AWARE, TASK_KILLING_STATE } = FrameworkInfo_Capability_Type;
const { TASK_RUNNING, TASK_KILLING, TASK_KILLED, TASK_GONE_BY_OPERATOR, TASK_LOST } = TaskState;
const SECOND = 1_000_000_000n;

describe("draining a real agent", () => {
  let master: LocalMaster;
  let agent: AgentProcess;
  const schedulers: TestScheduler[] = [];

  async function scheduler(name: string, capabilities: readonly number[] = []): Promise<TestScheduler> {
    const made = new TestScheduler({
      master: master.address,
      name,
      roles: ["web"],
      capabilities: [MULTI_ROLE, RESERVATION_REFINEMENT, ...capabilities],
      checkpoint: true,
      failoverTimeout: 600,
    });
    schedulers.push(made);
    await made.subscribe();
    return made;
  }

  beforeEach(async () => {
    master = new LocalMaster({ port: 0 });
    await master.start();
    agent = new AgentProcess({
      master: master.address,
      port: await freePort(),
      flags: ["--resources=cpus:4;mem:4000;disk:1000"],
    });
    agent.start();
  });

  afterEach(async () => {
    for (const made of schedulers.splice(0)) made.close();
    await agent.destroy();
    await master.stop();
  });

  function drain(config: Omit<MessageInitShape<typeof DrainConfigSchema>, "$typeName" | "$unknown"> = {}): void {
    void sendAs(`master@${master.address}`, `slave(1)@127.0.0.1:${agent.port}`, DrainSlaveMessageSchema, { config });
  }

  const orderFile = (test: TestScheduler): string =>
    join(agent.workDir, "meta", "slaves", test.updates[0]?.agentId?.value ?? "", "drain.config");

  async function runs(test: TestScheduler, id: string, command = "sleep 1000", more: object = {}): Promise<void> {
    await test.launch([commandTask(id, command, more)]);
    await test.until(`${id} to run`, () => test.statesOf(id).includes(TASK_RUNNING));
  }

  /** What has its own way with TERM: RUNNING says that it was started, and a file of its own that it got so far. */
  async function holds(test: TestScheduler, id: string, trap: string, seconds?: bigint): Promise<void> {
    const killPolicy = seconds === undefined ? {} : { killPolicy: { gracePeriod: { nanoseconds: seconds * SECOND } } };
    await runs(test, id, `trap '${trap}' TERM; touch ready; while :; do sleep 0.1; done`, killPolicy);
    const framework = join(agent.workDir, "slaves", test.updates[0]?.agentId?.value ?? "", "frameworks");
    const sandbox = join(framework, test.frameworkId ?? "", "executors", id, "runs/latest");
    await expect.poll(() => existsSync(join(sandbox, "ready"))).toBe(true);
  }

  it("kills what runs, saying why, and takes tasks again when it is over", async () => {
    const test = await scheduler("plain", [TASK_KILLING_STATE]);
    await runs(test, "one");
    await runs(test, "two");
    drain();
    for (const id of ["one", "two"]) {
      const end = await test.until(`end of ${id}`, () => test.terminalOf(id));
      expect(end).toMatchObject({ state: TASK_KILLED, reason: TaskStatus_Reason.AGENT_DRAINING });
    }
    const killing = test.updates.find(({ state }) => state === TASK_KILLING);
    expect(killing?.reason).toBe(TaskStatus_Reason.AGENT_DRAINING);
    await expect.poll(() => existsSync(orderFile(test))).toBe(false);
    await runs(test, "three");
  });

  it("bounds the grace of tasks that have a longer one, and of those that have none", async () => {
    const test = await scheduler("stubborn");
    await holds(test, "patient", "", 3_600n);
    await holds(test, "default", "");
    drain({ maxGracePeriod: { nanoseconds: SECOND / 5n } });
    await test.until("end of both", () => test.terminalOf("patient") && test.terminalOf("default"));
    expect(test.terminalOf("patient")?.state).toBe(TASK_KILLED);
  });

  it("by a second order, shortens what the first left long", async () => {
    const test = await scheduler("twice");
    await holds(test, "patient", "", 3_600n);
    drain();
    await expect.poll(() => existsSync(orderFile(test))).toBe(true);
    drain({ maxGracePeriod: { nanoseconds: SECOND / 5n } });
    expect(await test.until("end", () => test.terminalOf("patient"))).toMatchObject({ state: TASK_KILLED });
  });

  it("for good, reports TASK_GONE_BY_OPERATOR to those who understand it", async () => {
    const [aware, plain] = [await scheduler("aware", [PARTITION_AWARE]), await scheduler("plain")];
    for (const test of [aware, plain]) {
      await runs(test, "task");
      const rest = test.offers.splice(0).map(({ id }) => ({ value: id?.value ?? "" }));
      await test.call({ type: 4, decline: { offerIds: rest, filters: { refuseSeconds: 600 } } });
    }
    drain({ markGone: true });
    const reason = TaskStatus_Reason.AGENT_DRAINING;
    const gone = await aware.until("end", () => aware.terminalOf("task"));
    expect(gone).toMatchObject({ state: TASK_GONE_BY_OPERATOR, reason });
    const killed = await plain.until("end", () => plain.terminalOf("task"));
    expect(killed).toMatchObject({ state: TASK_KILLED, reason });
  });

  it("lasts while an operation is not acknowledged, over a kill -9, and refuses tasks", async () => {
    const test = await scheduler("reserving");
    const offer = await test.offer();
    const reserved = create(ResourceSchema, {
      name: "disk",
      type: 0,
      scalar: { value: 10 },
      reservations: [{ type: Resource_ReservationInfo_Type.DYNAMIC, role: "web" }],
      allocationInfo: { role: "web" },
    });
    await test.accept(
      [offer],
      [{ type: Offer_Operation_Type.RESERVE, id: { value: "r" }, reserve: { resources: [reserved] } }],
    );
    await test.until("feedback", () => test.operations[0]);
    await runs(test, "task");
    drain();
    await test.until("end", () => test.terminalOf("task"));
    await agent.end("SIGKILL");
    test.offers.length = 0;
    agent.start();
    const again = await test.until("feedback after the restart", () => test.operations[1]);
    expect(existsSync(orderFile(test))).toBe(true);
    await test.launch([commandTask("refused", "true")]);
    expect(await test.until("refusal", () => test.terminalOf("refused"))).toMatchObject({
      state: TASK_LOST,
      reason: TaskStatus_Reason.AGENT_DRAINING,
    });
    await test.acknowledgeOperation(again);
    await expect.poll(() => existsSync(orderFile(test))).toBe(false);
    await runs(test, "taken");
  });

  it("goes on after a kill -9 between the order and the ends", async () => {
    const test = await scheduler("interrupted");
    await holds(test, "slow", "sleep 1; exit 0", 20n);
    drain();
    await expect.poll(() => existsSync(orderFile(test))).toBe(true);
    await agent.end("SIGKILL");
    agent.start();
    const end = await test.until("end", () => test.terminalOf("slow"));
    expect(end).toMatchObject({ state: TASK_KILLED, reason: TaskStatus_Reason.AGENT_DRAINING });
    await expect.poll(() => existsSync(orderFile(test))).toBe(false);
  });
});
