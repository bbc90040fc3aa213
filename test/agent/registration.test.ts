import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  PingSlaveMessageSchema,
  ShutdownMessageSchema,
  SlaveRegisteredMessageSchema,
  SlaveReregisteredMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { FrameworkInfo_Capability_Type, TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest, EXECUTOR, executorTask, FRAMEWORK, framework } from "../support/agent-under-test.ts";
import { ScriptedMaster, until } from "../support/scripted-master.ts";

const { TASK_RUNNING, TASK_FINISHED, TASK_STAGING } = TaskState;

let test: AgentUnderTest;

beforeEach(async () => {
  test = await AgentUnderTest.open();
});
afterEach(() => test.close());

describe("a first registration", () => {
  it("says who the agent is, without an id, and what it can do", async () => {
    await test.start();
    await test.register();
    const [message] = test.master.registrations;
    expect(test.master.registrations).toHaveLength(1);
    expect(message).toMatchObject({ agent: { hostname: "127.0.0.1", port: test.port, checkpoint: true } });
    expect(message?.agent?.id).toBeUndefined();
    expect(message?.version).toBe("1.11.0");
    expect(message?.agentCapabilities.map(({ type }) => type)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(message?.resourceVersionUuid?.value).toHaveLength(16);
  });

  it("is followed by what a RESOURCE_PROVIDER agent owes", async () => {
    await test.start();
    await test.register();
    expect(test.master.announcements).toMatchObject([
      {
        agentId: { value: "S0" },
        updateOversubscribedResources: false,
        operations: { operations: [] },
        resourceProviders: { providers: [] },
        resourceVersionUuid: test.master.registrations[0]?.resourceVersionUuid ?? {},
      },
    ]);
  });

  it("is repeated until it is answered, less and less often", async () => {
    test.master.answers = false;
    await test.start();
    test.lead();
    await test.clock.advance(10);
    await until("registration", () => test.master.registrations.length === 1);
    // Half of 20 ms, 40 ms, …: the back-off factor is 10 ms here.
    await test.clock.advance(5);
    await until("second", () => test.master.registrations.length === 2);
    await test.clock.advance(19);
    await test.master.quiet();
    expect(test.master.registrations).toHaveLength(2);
    await test.clock.advance(1);
    await until("third", () => test.master.registrations.length === 3);
  });

  it("of a process that just started waits for no more than a moment, later ones for the back-off factor", async () => {
    await test.start({ flags: ["--registration_backoff_factor=10secs"] });
    test.loseLeader();
    await test.clock.advance(60_000);
    test.lead();
    await test.clock.advance(49);
    await test.master.quiet();
    expect(test.master.registrations).toEqual([]);
    await test.clock.advance(1);
    await until("registration", () => test.master.registrations.length === 1);
    await until("announcement", () => test.master.announcements.length === 1);
    test.loseLeader();
    test.lead();
    await test.clock.advance(4_999);
    await test.master.quiet();
    expect(test.master.reregistrations).toEqual([]);
    await test.clock.advance(1);
    await until("re-registration", () => test.master.reregistrations.length === 1);
  });

  it("answered twice changes nothing, but is announced once more", async () => {
    await test.start();
    await test.register();
    test.master.send(SlaveRegisteredMessageSchema, { agentId: { value: "S0" } });
    await until("announcement", () => test.master.announcements.length === 2);
    await test.running("one", TASK_RUNNING);
  });

  it("answered with another id ends the agent", async () => {
    await test.start();
    await test.register();
    test.master.send(SlaveRegisteredMessageSchema, { agentId: { value: "S1" } });
    expect(await test.node.ended).toContain("another agent id than ours (S0)");
    expect(test.node.exitCode).toBe(1);
    expect(test.has("meta", "slaves", "S1")).toBe(false);
  });
});

describe("a re-registration", () => {
  it("carries the id and what runs, with states and infos", async () => {
    await test.start();
    await test.register();
    await test.running("one", TASK_RUNNING);
    test.run(executorTask("two"));
    await until("container", () => test.machine.containerOf(EXECUTOR));
    test.loseLeader();
    await test.register();
    expect(test.master.reregistrations).toHaveLength(1);
    const [message] = test.master.reregistrations;
    expect(message?.agent?.id?.value).toBe("S0");
    expect(message?.frameworks).toMatchObject([{ id: { value: FRAMEWORK } }]);
    expect(message?.tasks.map(({ taskId, state }) => [taskId?.value, state])).toEqual([
      ["one", TASK_RUNNING],
      ["two", TASK_STAGING],
    ]);
    // A command task names no executor: the master would look for it.
    expect(message?.tasks.map(({ executorId }) => executorId?.value)).toEqual([undefined, EXECUTOR]);
    expect(message?.executorInfos).toMatchObject([
      { executorId: { value: EXECUTOR }, frameworkId: { value: FRAMEWORK } },
    ]);
    expect(message?.tasks[0]).toMatchObject({ statusUpdateState: TASK_RUNNING, agentId: { value: "S0" } });
  });

  it("keeps what ended until it is acknowledged, and archives it then", async () => {
    test.master.acknowledges = ({ status }) => status?.state !== TASK_FINISHED;
    await test.start();
    await test.register();
    await test.running("one", TASK_RUNNING);
    test.machine.containerOf("one")?.end(0);
    const ended = await test.master.status("one", TASK_FINISHED);
    test.loseLeader();
    await test.register();
    expect(test.master.reregistrations[0]?.tasks).toMatchObject([{ taskId: { value: "one" }, state: TASK_FINISHED }]);
    const update = test.master.updates.find(
      (one) => one.update?.status?.uuid === ended.uuid || one.update?.status === ended,
    )?.update;
    if (update === undefined) throw new Error("no update");
    test.master.acknowledge(update);
    await until("garbage", () => test.node.garbage.scheduled.size > 0);
    test.loseLeader();
    await test.register();
    const message = test.master.reregistrations[1];
    expect(message?.tasks).toEqual([]);
    expect(message?.frameworks).toEqual([]);
    expect(message?.completedFrameworks).toMatchObject([
      { frameworkInfo: { id: { value: FRAMEWORK } }, tasks: [{ taskId: { value: "one" }, state: TASK_FINISHED }] },
    ]);
  });

  it("answered with another id ends the agent", async () => {
    await test.start();
    await test.register();
    test.loseLeader();
    test.master.answers = false;
    test.lead();
    await test.clock.advance(10);
    await until("re-registration", () => test.master.reregistrations.length === 1);
    test.master.send(SlaveReregisteredMessageSchema, { agentId: { value: "S1" } });
    expect(await test.node.ended).toContain("another agent id than ours (S0)");
  });

  it("goes to a new leader, and words of the old one count no more", async () => {
    await test.start();
    await test.register();
    await test.running("one", TASK_RUNNING);
    const second = test.closing(await ScriptedMaster.start(test.port));
    await test.register(second);
    expect(second.reregistrations).toHaveLength(1);
    test.killTask("one");
    await test.master.quiet();
    expect(test.machine.running).toBe(1);
    test.machine.containerOf("one")?.end(0);
    await second.status("one", TASK_FINISHED);
    expect(test.master.statesOf("one")).not.toContain(TASK_FINISHED);
  });
});

describe("pings", () => {
  it("are missed for 75 s: the agent registers again, and tasks go on", async () => {
    await test.start();
    await test.register();
    await test.running("one", TASK_RUNNING);
    await test.master.quiet();
    await test.clock.advance(74_999);
    expect(test.master.reregistrations).toHaveLength(0);
    await test.clock.advance(20);
    await until("re-registration", () => test.master.reregistrations.length === 1);
    expect(test.machine.running).toBe(1);
  });

  it("are missed for as long as the master says", async () => {
    test.master.pingTimeout = 10;
    await test.start();
    await test.register();
    await test.clock.advance(9_990);
    expect(test.master.reregistrations).toHaveLength(0);
    await test.clock.advance(30);
    await until("re-registration", () => test.master.reregistrations.length === 1);
  });

  it("put that off", async () => {
    await test.start();
    await test.register();
    await test.clock.advance(70_000);
    await test.master.quiet();
    await test.clock.advance(70_000);
    await test.master.quiet();
    expect(test.master.reregistrations).toHaveLength(0);
  });

  it("that say the connection was lost make the agent register again", async () => {
    await test.start();
    await test.register();
    test.master.send(PingSlaveMessageSchema, { connected: false });
    await test.master.quiet();
    await test.clock.advance(10);
    await until("re-registration", () => test.master.reregistrations.length === 1);
  });
});

describe("a shutdown", () => {
  it("ends everything, then the agent; nothing of it is reported", async () => {
    await test.start();
    await test.register();
    await test.running("one", TASK_RUNNING);
    await test.master.quiet();
    const before = test.master.updates.length;
    test.master.send(ShutdownMessageSchema, { message: "go" });
    expect(await test.node.ended).toBeDefined();
    expect(test.node.exitCode).toBe(0);
    expect(test.machine.running).toBe(0);
    await test.master.quiet();
    expect(test.master.updates).toHaveLength(before);
    // A master of today takes it back.
    expect(test.has("meta", "slaves", "latest", "slave.info")).toBe(true);
  });

  it("waits for what does not go", async () => {
    test.machine.obeys = false;
    await test.start();
    await test.register();
    await test.running("one", TASK_RUNNING);
    test.master.send(ShutdownMessageSchema, { message: "go" });
    await until("stop", () => test.machine.asked.includes("stop one 3000"));
    await test.master.quiet();
    expect(test.node.exitCode).toBeUndefined();
    test.machine.containerOf("one")?.end(9);
    await test.node.ended;
  });

  it("of an old master is the end of the id", async () => {
    const old = await AgentUnderTest.open({ version: "1.0.0" });
    try {
      await old.start();
      await old.register();
      old.master.send(ShutdownMessageSchema, { message: "go" });
      await old.node.ended;
      expect(old.has("meta", "slaves", "latest")).toBe(false);
      await old.restart();
      expect(old.master.registrations).toHaveLength(2);
    } finally {
      await old.close();
    }
  });

  it("by the operator tells the master, when it shall forget the agent", async () => {
    await test.start();
    await test.register();
    test.node.agent.shutdown("SIGUSR1", { unregister: true });
    await until("UnregisterSlave", () => test.master.unregistered.length === 1);
    expect(test.master.unregistered[0]).toMatchObject({ agentId: { value: "S0" } });
    expect(test.node.exitCode).toBe(0);
  });
});

it("states that a master does not know are told in its words", async () => {
  const old = await AgentUnderTest.open({ version: "1.0.0" });
  try {
    await old.start();
    await old.register();
    const aware = framework({ capabilities: [FrameworkInfo_Capability_Type.PARTITION_AWARE] });
    await old.running("one", TASK_RUNNING, { framework: aware });
    old.killTask("other");
    await old.master.status("other", TaskState.TASK_LOST);
  } finally {
    await old.close();
  }
});
