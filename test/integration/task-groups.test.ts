import { existsSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import {
  CheckInfo_Type,
  FrameworkInfo_Capability_Type,
  HealthCheck_Type,
  TaskState,
  TaskStatus_Reason,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { freePort } from "../support/free-port.ts";
import { launchGroup, member } from "../support/groups.ts";
import { OperatorClient, serving } from "../support/operator-client.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { TestScheduler } from "../support/scheduler.ts";
import { until } from "../support/scripted-master.ts";

const { TASK_STARTING, TASK_RUNNING, TASK_FINISHED, TASK_FAILED, TASK_KILLED, TASK_KILLING } = TaskState;

/** Task groups of the default executor, which the agent is: real processes, launched by the development master. */
describe("task groups on a real agent", () => {
  let master: LocalMaster;
  let agent: AgentProcess;
  let client: OperatorClient;
  let test: TestScheduler;

  beforeAll(async () => {
    master = new LocalMaster({ port: 0 });
    await master.start();
    agent = new AgentProcess({
      master: master.address,
      port: await freePort(),
      flags: ["--resources=cpus:100;mem:100000;disk:100000", "--no-switch_user"],
    });
    client = new OperatorClient(agent.port);
    agent.start();
  });
  afterAll(async () => {
    await agent.destroy();
    await master.stop();
  });
  beforeEach(async () => {
    const capabilities = [FrameworkInfo_Capability_Type.TASK_KILLING_STATE];
    test = new TestScheduler({ master: master.address, checkpoint: true, failoverTimeout: 60, capabilities });
    await test.subscribe();
  });
  afterEach(() => test.teardown());

  /** Resolves to the status that tells a task's end. */
  const ended = (id: string) => test.until(`end of ${id}`, () => test.terminalOf(id));
  const running = (...ids: readonly string[]) =>
    test.until(`${ids.join()} to run`, () => ids.every((id) => test.statesOf(id).includes(TASK_RUNNING)));
  const gone = () => test.until("the executor's end", () => test.failures.length > 0);
  const executorSandbox = (executorId = "default"): string => {
    const agentId = test.updates[0]?.agentId?.value ?? "";
    const { workDir } = agent;
    return join(
      workDir,
      "slaves",
      agentId,
      "frameworks",
      test.frameworkId ?? "",
      "executors",
      executorId,
      "runs/latest",
    );
  };
  /** A file of a task's own sandbox, by the name that it has in its executor's. */
  const output = (id: string, name = "stdout"): string => {
    const path = join(executorSandbox(), "tasks", id, name);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  };
  const says = (id: string, text: string) => until(`${id} to say ${text}`, () => output(id).includes(text));
  const containerOf = (id: string) =>
    test.updates.find(({ taskId }) => taskId?.value === id)?.containerStatus?.containerId;
  const page = async (url: string) => (await (await fetch(url)).json()) as never;

  it("run to their end in the executor's sandbox, with a volume of it", async () => {
    const container = {
      type: 2,
      volumes: [
        {
          mode: 1,
          containerPath: "shared",
          source: { type: 2, sandboxPath: { type: 2, path: "data" } },
        },
      ],
    };
    await launchGroup(test, [
      member("writer", "echo from the writer > shared/word; echo wrote; echo aside >&2", { container }),
      member("reader", "until [ -s shared/word ]; do sleep 0.05; done; cat shared/word", { container }),
      member("other", "pwd; echo $MESOS_SANDBOX"),
    ]);
    for (const id of ["writer", "reader", "other"]) {
      expect(await ended(id)).toMatchObject({ state: TASK_FINISHED, message: "Command exited with status 0" });
      expect(test.statesOf(id)).toEqual([TASK_STARTING, TASK_RUNNING, TASK_FINISHED]);
    }
    expect(output("reader")).toBe("from the writer\n");
    expect([output("writer"), output("writer", "stderr")]).toEqual(["wrote\n", "aside\n"]);
    const [cwd, told] = output("other").trim().split("\n");
    expect(cwd).toBe(told);
    const own = readlinkSync(join(executorSandbox(), "tasks/other"));
    expect(own.endsWith(`/containers/${containerOf("other")?.value}`)).toBe(true);
    expect(readFileSync(join(executorSandbox(), "data/word"), "utf8")).toBe("from the writer\n");
    await gone();
  });

  it("are shown with their executor and their containers, to masters and operators", async () => {
    await launchGroup(test, [member("one", "echo up; exec sleep 1000"), member("two", "exec sleep 1000")]);
    await running("one", "two");
    await says("one", "up");
    const [root, child] = [containerOf("one")?.parent?.value, containerOf("one")?.value];
    const { frameworks } = (await page(`http://127.0.0.1:${agent.port}/state`)) as { frameworks: { id: string }[] };
    expect(frameworks.find(({ id }) => id === test.frameworkId)).toMatchObject({
      executors: [{ id: "default", type: "DEFAULT", container: root, tasks: [{ id: "one" }, { id: "two" }] }],
    });
    const told = JSON.parse((await client.call("GET_TASKS")).body).get_tasks.launched_tasks as object[];
    expect(told).toHaveLength(2);
    expect(told[0]).toMatchObject({ executor_id: { value: "default" }, state: "TASK_RUNNING" });
    const containers = async (more: object) =>
      (JSON.parse((await client.call("GET_CONTAINERS", more)).body).get_containers.containers ?? []) as object[];
    expect(await containers({})).toMatchObject([{ container_id: { value: root }, executor_id: { value: "default" } }]);
    const nested = await containers({ show_nested: true });
    expect(nested.slice(1)).toEqual(
      expect.arrayContaining([expect.objectContaining({ container_id: { value: child, parent: { value: root } } })]),
    );
    expect(nested).toHaveLength(3);
    const atMaster = (await page(`${master.url}/tasks?task_id=one`)) as { tasks: object[] };
    expect(atMaster.tasks).toMatchObject([
      { statuses: [{}, { container_status: { container_id: { value: child, parent: { value: root } } } }] },
    ]);
    const log = { source: "CONTAINER", container_id: { value: child, parent: { value: root } } };
    const read = JSON.parse((await client.call("READ_LOG", log)).body).read_log.stdout;
    expect(Buffer.from(read.data, "base64").toString()).toBe("up\n");
    expect(await test.kill("one")).toBe(202);
    for (const id of ["one", "two"]) expect((await ended(id)).state).toBe(TASK_KILLED);
    await gone();
  });

  it("end when one of them fails, and leave another group of their executor alone", async () => {
    await launchGroup(test, [member("stays", "exec sleep 1000")]);
    await running("stays");
    await launchGroup(test, [member("fails", "sleep 0.2; exit 7"), member("goes", "exec sleep 1000")]);
    expect(await ended("fails")).toMatchObject({ state: TASK_FAILED, message: "Command exited with status 7" });
    expect((await ended("goes")).state).toBe(TASK_KILLED);
    expect(test.statesOf("goes")).toEqual([TASK_STARTING, TASK_RUNNING, TASK_KILLING, TASK_KILLED]);
    expect(containerOf("stays")?.parent?.value).toBe(containerOf("fails")?.parent?.value);
    expect([test.terminalOf("stays"), test.failures]).toEqual([undefined, []]);
    await test.kill("stays");
    expect((await ended("stays")).state).toBe(TASK_KILLED);
    await gone();
  });

  it("are killed by their policies: what hears it ends itself, what does not is ended", async () => {
    const killPolicy = { gracePeriod: { nanoseconds: 500_000_000n } };
    await launchGroup(test, [
      member("hears", "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.05; done"),
      member("deaf", "trap '' TERM; echo up; while :; do sleep 0.05; done", { killPolicy }),
    ]);
    await running("hears", "deaf");
    for (const id of ["hears", "deaf"]) await says(id, "up");
    await test.kill("hears");
    expect(await ended("hears")).toMatchObject({ state: TASK_KILLED, message: "Command exited with status 5" });
    expect(output("hears")).toBe("up\nbye\n");
    expect(await ended("deaf")).toMatchObject({ state: TASK_KILLED, message: "Command terminated with signal Killed" });
  });

  it("are killed while one of them fetches, and told with their own processes before", async () => {
    const asked = Promise.withResolvers<void>();
    const silent = createServer(() => asked.resolve());
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as AddressInfo;
    const uris = [{ value: `http://127.0.0.1:${port}/never` }];
    try {
      await launchGroup(test, [member("runs", "exec sleep 1000")]);
      await running("runs");
      const pids = test.updates.map(({ containerStatus }) => containerStatus?.executorPid);
      expect(readFileSync(`/proc/${pids[1]}/cmdline`, "utf8")).toContain("sleep");
      await launchGroup(test, [
        member("fetches", "true", { command: { value: "true", uris } }),
        member("beside", "exec sleep 1000"),
      ]);
      await asked.promise;
      await test.kill("beside");
      expect((await ended("beside")).state).toBe(TASK_KILLED);
      expect(await ended("fetches")).toMatchObject({ state: TASK_KILLED, message: "Killed before it ran" });
      expect(test.statesOf("runs")).toEqual([TASK_STARTING, TASK_RUNNING]);
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  });

  it("are checked in their own containers, and end when one is unhealthy", async () => {
    const often = { delaySeconds: 0, intervalSeconds: 0.1, timeoutSeconds: 5, gracePeriodSeconds: 0 };
    const command = { value: "test -e ready" };
    await launchGroup(test, [
      member("checked", "touch ready; echo up; until [ -e sick ]; do sleep 0.05; done; rm ready; exec sleep 1000", {
        healthCheck: { type: HealthCheck_Type.COMMAND, command, consecutiveFailures: 2, ...often },
        check: { type: CheckInfo_Type.COMMAND, command: { command: { value: "exit 3" } }, ...often },
      }),
      member("beside", "exec sleep 1000"),
    ]);
    const of = (id: string) => test.updates.filter(({ taskId }) => taskId?.value === id);
    await test.until("a healthy one", () =>
      of("checked").some(({ healthy, state }) => state === TASK_RUNNING && healthy),
    );
    await test.until("the check's result", () =>
      of("checked").some(({ checkStatus }) => checkStatus?.command?.exitCode === 3),
    );
    const sandbox = readlinkSync(join(executorSandbox(), "tasks/checked"));

    writeFileSync(join(sandbox, "sick"), "");
    expect(await ended("checked")).toMatchObject({ state: TASK_KILLED, healthy: false });
    expect((await ended("beside")).state).toBe(TASK_KILLED);
  });

  it("have no more than their time", async () => {
    const maxCompletionTime = { nanoseconds: 300_000_000n };
    await launchGroup(test, [
      member("late", "exec sleep 1000", { maxCompletionTime }),
      member("beside", "exec sleep 1000"),
    ]);
    expect(await ended("late")).toMatchObject({
      state: TASK_FAILED,
      reason: TaskStatus_Reason.MAX_COMPLETION_TIME_REACHED,
    });
    expect((await ended("beside")).state).toBe(TASK_KILLED);
  });

  it("go on over a kill -9 of the agent: ends that came meanwhile are told, and what fails later ends its group", async () => {
    await launchGroup(test, [
      member("ends", "until [ -e ../../go ]; do sleep 0.05; done; echo last words"),
      member("fails", "until [ -e ../../fail ]; do sleep 0.05; done; exit 9"),
      member("stays", "echo $$; exec sleep 1000"),
    ]);
    await running("ends", "fails", "stays");
    await until("a process id", () => output("stays").endsWith("\n"));
    const pid = output("stays").trim();

    await agent.end();
    writeFileSync(join(executorSandbox(), "go"), "");
    await says("ends", "last words");
    agent.start();
    await serving(agent);
    expect((await ended("ends")).state).toBe(TASK_FINISHED);
    // One that was acknowledged in the agent's last moment may come again, and is the same then.
    const told = new Set(test.updates.flatMap(({ taskId, uuid }) => (taskId?.value === "stays" ? `${uuid}` : [])));
    expect([existsSync(`/proc/${pid}`), told.size, test.terminalOf("stays")]).toEqual([true, 2, undefined]);
    writeFileSync(join(executorSandbox(), "fail"), "");
    expect(await ended("fails")).toMatchObject({ state: TASK_FAILED, message: "Command exited with status 9" });
    expect((await ended("stays")).state).toBe(TASK_KILLED);
    await until("no process", () => !existsSync(`/proc/${pid}`));
    await gone();
  });
});
