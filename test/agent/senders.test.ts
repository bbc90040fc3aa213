import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  KillTaskMessageSchema,
  RunTaskGroupMessageSchema,
  RunTaskMessageSchema,
  ShutdownExecutorMessageSchema,
  ShutdownFrameworkMessageSchema,
  ShutdownMessageSchema,
  SlaveRegisteredMessageSchema,
  SlaveReregisteredMessageSchema,
  StatusUpdateAcknowledgementMessageSchema,
} from "../../src/mesos/gen/mesos/internal/messages_pb.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import {
  AgentUnderTest,
  commandTask,
  EXECUTOR,
  executorInfo,
  executorTask,
  FRAMEWORK,
  framework,
} from "../support/agent-under-test.ts";
import { type Init, ScriptedMaster, until } from "../support/scripted-master.ts";

const { TASK_RUNNING, TASK_STARTING } = TaskState;

let test: AgentUnderTest;
let stranger: ScriptedMaster;

beforeEach(async () => {
  test = await AgentUnderTest.registered();
  // It calls itself a master too: what counts is who leads.
  stranger = test.closing(await ScriptedMaster.start(test.port));
});
afterEach(() => test.close());

/** Sends as somebody who does not lead, and lets the agent take it in. */
async function asStranger<D extends DescMessage>(schema: D, init: Init<D>): Promise<void> {
  stranger.send(schema, create(schema, init as MessageInitShape<D>) as unknown as Init<D>);
  await stranger.quiet();
  await test.master.quiet();
}

const ids = { frameworkId: { value: FRAMEWORK }, executorId: { value: EXECUTOR } };

describe("what only the master that leads may say", () => {
  it("RunTask", async () => {
    await asStranger(RunTaskMessageSchema, { framework: framework(), task: commandTask("one") });
    expect(test.machine.started).toEqual([]);
    expect(stranger.updates).toEqual([]);
  });

  it("RunTaskGroup", async () => {
    const { executor: _none, ...member } = executorTask("one");
    await asStranger(RunTaskGroupMessageSchema, {
      framework: framework(),
      executor: executorInfo(),
      taskGroup: { tasks: [member] },
    });
    expect(test.machine.started).toEqual([]);
  });

  it("KillTask", async () => {
    await test.running("one", TASK_RUNNING);
    await asStranger(KillTaskMessageSchema, { frameworkId: { value: FRAMEWORK }, taskId: { value: "one" } });
    expect(test.machine.asked.filter((what) => what.startsWith("stop"))).toEqual([]);
  });

  it("ShutdownFramework", async () => {
    await test.running("one", TASK_RUNNING);
    await asStranger(ShutdownFrameworkMessageSchema, { frameworkId: { value: FRAMEWORK } });
    expect(test.machine.running).toBe(1);
  });

  it("ShutdownExecutor", async () => {
    const driver = await test.driver();
    test.run(executorTask("one"));
    await until("container", () => test.machine.running === 1);
    driver.register();
    await until("run", () => driver.received.includes("run one"));
    await asStranger(ShutdownExecutorMessageSchema, ids);
    driver.update("one", TASK_RUNNING, "S0");
    await until("acknowledgement", () => driver.received.includes("acknowledged one"));
    expect(driver.received).not.toContain("shutdown");
  });

  it("Shutdown", async () => {
    await test.running("one", TASK_RUNNING);
    await asStranger(ShutdownMessageSchema, { message: "go" });
    expect(test.machine.running).toBe(1);
    expect(test.node.exitCode).toBeUndefined();
  });

  it("that the agent is registered, as whom", async () => {
    await asStranger(SlaveRegisteredMessageSchema, { agentId: { value: "S9" } });
    await asStranger(SlaveReregisteredMessageSchema, { agentId: { value: "S9" } });
    expect(test.node.exitCode).toBeUndefined();
    expect(test.has("work", "meta", "slaves", "S9")).toBe(false);
    await test.running("one", TASK_RUNNING);
  });

  it("that an update arrived", async () => {
    test.master.acknowledges = () => false;
    await test.running("one", TASK_STARTING);
    const [first] = test.master.updates;
    await asStranger(StatusUpdateAcknowledgementMessageSchema, {
      agentId: { value: "S0" },
      frameworkId: { value: FRAMEWORK },
      taskId: { value: "one" },
      uuid: first?.update?.uuid ?? new Uint8Array(),
    });
    expect(test.master.statesOf("one")).toEqual([TASK_STARTING]);
  });
});

it("a framework's driver acknowledges by itself", async () => {
  test.master.acknowledges = () => false;
  const driver = test.closing(await ScriptedMaster.start(test.port, { id: "scheduler-1" }));
  await test.running("one", TASK_STARTING);
  const [first] = test.master.updates;
  if (first?.update === undefined) throw new Error("no update");
  driver.acknowledge(first.update);
  await test.master.status("one", TASK_RUNNING);
});
