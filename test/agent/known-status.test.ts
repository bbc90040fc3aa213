import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Call_Type, Event_Type } from "../../src/mesos/gen/mesos/v1/executor/executor_pb.ts";
import {
  CheckInfo_Type,
  ContainerInfo_DockerInfo_Network,
  ContainerInfo_Type,
  ContainerStatusSchema,
  FrameworkInfo_Capability_Type,
  HealthCheck_Type,
  TaskState,
  type TaskStatus,
  TaskStatus_Source,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest, commandTask, EXECUTOR, executorTask, framework } from "../support/agent-under-test.ts";
import type { HttpExecutor } from "../support/scripted-http-executor.ts";
import { until } from "../support/scripted-master.ts";
import { uuidOf } from "../support/updates.ts";

const { TASK_STARTING, TASK_RUNNING, TASK_FINISHED, TASK_KILLED, TASK_KILLING } = TaskState;
const KILLING = framework({ capabilities: [FrameworkInfo_Capability_Type.TASK_KILLING_STATE] });
const ADDRESS = "172.17.0.9";
const LABEL = { key: "Docker.NetworkSettings.IPAddress", value: ADDRESS };

let test: AgentUnderTest;
/** Exit codes of the health check and of the check. */
let codes: { health: number; check: number };

beforeEach(async () => {
  test = await AgentUnderTest.registered();
  codes = { health: 0, check: 7 };
  test.machine.run = ({ value }) => (value === "health" ? codes.health : codes.check);
  test.machine.status = create(ContainerStatusSchema, {
    networkInfos: [{ ipAddresses: [{ ipAddress: ADDRESS }] }],
    executorPid: 4711,
  });
  test.machine.labels = { [LABEL.key]: LABEL.value };
});
afterEach(() => test.close());

const checked = () =>
  commandTask("one", {
    healthCheck: {
      type: HealthCheck_Type.COMMAND,
      command: { value: "health" },
      delaySeconds: 1,
      intervalSeconds: 10,
      gracePeriodSeconds: 0,
      consecutiveFailures: 2,
    },
    check: {
      type: CheckInfo_Type.COMMAND,
      command: { command: { value: "check" } },
      delaySeconds: 2,
      intervalSeconds: 10,
    },
  });

/** What every status is to say, in short. */
const told = (status: TaskStatus) => ({
  state: status.state,
  healthy: Object.hasOwn(status, "healthy") ? status.healthy : undefined,
  check: status.checkStatus?.command === undefined ? "none" : status.checkStatus.command.exitCode,
  type: status.checkStatus?.type,
  address: status.containerStatus?.networkInfos[0]?.ipAddresses[0]?.ipAddress,
  pid: status.containerStatus?.executorPid,
});
const container = { address: ADDRESS, pid: 4711, type: CheckInfo_Type.COMMAND };
const states = () => test.master.statusesOf("one").map(({ state }) => state);
const count = (number: number) => until(`${number} statuses`, () => test.master.statusesOf("one").length >= number);

describe("a status", () => {
  it("says all that is known of the task: check, health, addresses, process, labels, to the last one", async () => {
    await test.running("one", TASK_RUNNING, { framework: KILLING }, checked());
    await test.clock.advance(1_000);
    await count(3);
    await test.clock.advance(1_000);
    await count(4);
    test.killTask("one");
    await test.master.status("one", TASK_KILLED);
    const statuses = test.master.statusesOf("one");
    const empty = { ...container, healthy: undefined, check: 0 };
    expect(statuses.map(told)).toEqual([
      { ...empty, state: TASK_STARTING },
      { ...empty, state: TASK_RUNNING },
      { ...empty, state: TASK_RUNNING, healthy: true },
      { ...container, state: TASK_RUNNING, healthy: true, check: 7 },
      { ...container, state: TASK_KILLING, healthy: true, check: 7 },
      { ...container, state: TASK_KILLED, healthy: true, check: 7 },
    ]);
    expect(Object.hasOwn(statuses[1]?.checkStatus?.command ?? {}, "exitCode"), "nothing was seen yet").toBe(false);
    for (const status of statuses.slice(1)) expect(status.labels?.labels).toMatchObject([LABEL]);
  });

  it("tells TASK_KILLING once, also when the agent restarts before the end", async () => {
    test.machine.obeys = false;
    await test.running("one", TASK_RUNNING, { framework: KILLING });
    test.killTask("one");
    await test.master.status("one", TASK_KILLING);
    await test.restart();
    await until("the second stop", () => test.machine.asked.filter((what) => what.startsWith("stop")).length === 2);
    test.machine.containerOf("one")?.end(15);
    await test.master.status("one", TASK_KILLED);
    expect(states()).toEqual([TASK_STARTING, TASK_RUNNING, TASK_KILLING, TASK_KILLED]);
  });

  it("of the agent's own making says them too, when the task ran", async () => {
    await test.running("one", TASK_RUNNING);
    test.machine.containerOf("one")?.end(0);
    expect(told(await test.master.status("one", TASK_FINISHED))).toMatchObject({ address: ADDRESS, pid: 4711 });
  });

  it.each([
    [ContainerInfo_DockerInfo_Network.BRIDGE, []],
    [ContainerInfo_DockerInfo_Network.USER, []],
    [ContainerInfo_DockerInfo_Network.HOST, ["127.0.0.1"]],
  ])("of a container of network %s whose address nobody saw has %j", async (network, addresses) => {
    test.machine.status = create(ContainerStatusSchema);
    const container = { type: ContainerInfo_Type.DOCKER, docker: { image: "i", network } };
    await test.running("one", TASK_RUNNING, {}, commandTask("one", { container }));
    const [info, ...more] = test.master.statusesOf("one").at(-1)?.containerStatus?.networkInfos ?? [];
    expect(more).toEqual([]);
    expect(info?.ipAddresses.map(({ ipAddress }) => ipAddress)).toEqual(addresses);
  });

  it.each([
    ["net", "host", ["127.0.0.1"]],
    ["network", "host", ["127.0.0.1"]],
    ["network", "weave", []],
    ["other", "host", []],
  ])("of a bridged container with --%s=%s has %j: the option is what counts", async (key, value, addresses) => {
    test.machine.status = create(ContainerStatusSchema);
    const docker = { image: "i", network: ContainerInfo_DockerInfo_Network.BRIDGE, parameters: [{ key, value }] };
    const container = { type: ContainerInfo_Type.DOCKER, docker };
    await test.running("one", TASK_RUNNING, {}, commandTask("one", { container }));
    const [info] = test.master.statusesOf("one").at(-1)?.containerStatus?.networkInfos ?? [];
    expect(info?.ipAddresses.map(({ ipAddress }) => ipAddress)).toEqual(addresses);
  });

  it("comes when something changed, and not because a look found the same, or the agent restarted", async () => {
    codes.check = 0;
    await test.running("one", TASK_RUNNING, {}, checked());
    await test.clock.advance(2_000);
    await count(4);
    for (let look = 0; look < 3; look++) await test.clock.advance(10_000);
    await test.restart();
    for (let look = 0; look < 3; look++) await test.clock.advance(10_000);
    codes.check = 1;
    await test.clock.advance(10_000);
    await until("the change", () =>
      test.master.statusesOf("one").some(({ checkStatus }) => checkStatus?.command?.exitCode === 1),
    );
    const changes = test.master.statusesOf("one").map(told);
    const made = new Set(test.master.statusesOf("one").map(({ uuid }) => Buffer.from(uuid).toString("hex")));
    expect(made.size, "starting, running, healthy, seen 0, seen 1").toBe(5);
    expect(changes.at(-1)).toEqual({ ...container, state: TASK_RUNNING, healthy: true, check: 1 });
  });

  it("says TASK_KILLING before a task is killed for its health", async () => {
    codes.health = 1;
    await test.running("one", TASK_RUNNING, { framework: KILLING }, checked());
    await test.clock.advance(1_000);
    await count(3);
    await test.clock.advance(10_000);
    await test.master.status("one", TASK_KILLED);
    expect(states().slice(-2)).toEqual([TASK_KILLING, TASK_KILLED]);
    expect(test.master.statusesOf("one").at(-1)?.healthy).toBe(false);
  });

  it.each<[string, (executor: HttpExecutor) => Promise<unknown>]>([
    ["that told of nothing", async () => undefined],
    [
      "whose tasks are all over",
      async (executor) => {
        await executor.update("one", TASK_FINISHED, 1);
        await test.master.status("one", TASK_FINISHED);
      },
    ],
  ])("of an executor %s before the agent's restart has its container, too", async (_what, before) => {
    test.run(executorTask("one"));
    await until("container", () => test.machine.containerOf(EXECUTOR));
    const first = test.httpExecutor();
    await first.subscribe();
    await before(first);
    await test.master.quiet();
    await test.kill();
    const started = test.start();
    await until("a listening agent", () => test.node !== undefined);
    const second = test.httpExecutor();
    await second.subscribe({
      unacknowledgedTasks: [{ taskId: { value: "one" }, name: "one", agentId: { value: "S0" } }],
    });
    await started;
    await test.register();
    test.run(executorTask("two"), { launchExecutor: false });
    await until("the launch", () => second.types.includes(Event_Type.LAUNCH));
    await second.update("two", TASK_RUNNING, 2);
    expect(told(await test.master.status("two", TASK_RUNNING))).toMatchObject({ address: ADDRESS, pid: 4711 });
  });

  it("of a container within its executor's, as Mesos' own default executor tells it, has that one's process", async () => {
    test.run(executorTask("one"));
    const root = await until("container", () => test.machine.containerOf(EXECUTOR)?.spec.containerId);
    const executor = test.httpExecutor();
    await executor.subscribe();
    test.machine.nestedPid = { id: "child", pid: 12 };
    const within = async (parent: string, value: string, number: number) => {
      const containerStatus = { containerId: { value, parent: { value: parent } } };
      const status = { taskId: { value: "one" }, state: TASK_RUNNING, source: TaskStatus_Source.EXECUTOR };
      const update = { status: { ...status, uuid: uuidOf(number), containerStatus } };
      expect(await executor.call({ type: Call_Type.UPDATE, update })).toBe(202);
      await count(number);
      return test.master.statusesOf("one").at(-1)?.containerStatus;
    };
    expect(await within(root, "child", 1)).toMatchObject({ executorPid: 12, containerId: { value: "child" } });
    for (const [parent, id] of [
      [root, "other"],
      ["somebody's", "child"],
    ] as const)
      expect(Object.hasOwn((await within(parent, id, id === "other" ? 2 : 3)) ?? {}, "executorPid")).toBe(false);
  });
});
