import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { Event_Type } from "../../src/mesos/gen/mesos/v1/executor/executor_pb.ts";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";
import { HttpExecutor } from "../support/scripted-http-executor.ts";

const { SUBSCRIBED, LAUNCH, ACKNOWLEDGED, KILL } = Event_Type;
const { TASK_RUNNING, TASK_FINISHED, TASK_KILLED } = TaskState;

describe("an executor of the v1 API on a real agent", () => {
  let master: LocalMaster;
  let agent: AgentProcess;
  let scheduler: TestScheduler;
  let executor: HttpExecutor;

  beforeEach(async () => {
    master = new LocalMaster({ port: 0 });
    await master.start();
    agent = new AgentProcess({
      master: master.address,
      port: await freePort(),
      flags: ["--resources=cpus:4;mem:4096;disk:4096;ports:[31000-32000]", "--executor_reregistration_timeout=10secs"],
    });
    agent.start();
    scheduler = new TestScheduler({ master: master.address, checkpoint: true, failoverTimeout: 600 });
    await scheduler.subscribe();
    executor = new HttpExecutor(agent.port, scheduler.frameworkId ?? "");
  });

  afterEach(async () => {
    executor.close();
    scheduler.close();
    await agent.destroy();
    await master.stop();
  });

  function task(taskId: string): ReturnType<typeof commandTask> {
    const { command: _none, ...rest } = commandTask(taskId, "") as { command?: unknown };
    const frameworkId = { value: scheduler.frameworkId ?? "" };
    const info = { executorId: { value: "executor" }, frameworkId, command: { value: "exec sleep 1000" } };
    return { ...rest, executor: info } as never;
  }

  it("gets its tasks, outlives the agent, subscribes again and goes on", async () => {
    await scheduler.launch([task("one")]);
    await executor.subscribe();
    await expect.poll(() => executor.types).toEqual([SUBSCRIBED, LAUNCH]);
    expect(await executor.update("one", TASK_RUNNING, 1)).toBe(202);
    await expect.poll(() => executor.types.at(-1)).toBe(ACKNOWLEDGED);
    await scheduler.until("RUNNING", () => scheduler.statesOf("one").includes(TASK_RUNNING));

    await agent.end("SIGKILL");
    executor.events.length = 0;
    executor.refusals.length = 0;
    // Offers of the agent that is gone; what comes from here on is the new one's.
    scheduler.offers.length = 0;
    const back = executor.subscribe();
    agent.start();
    await back;
    // Nobody there, or not yet: never a refusal that an executor takes as final.
    for (const status of executor.refusals) expect([0, 404, 503]).toContain(status);
    await expect.poll(() => executor.types).toEqual([SUBSCRIBED]);
    await scheduler.launch([task("two")]);
    await expect.poll(() => executor.types).toEqual([SUBSCRIBED, LAUNCH]);
    expect(executor.events[1]?.launch?.task?.taskId?.value).toBe("two");
    expect(await executor.update("one", TASK_FINISHED, 2)).toBe(202);
    expect((await scheduler.until("end", () => scheduler.terminalOf("one"))).state).toBe(TASK_FINISHED);

    expect(await executor.update("two", TASK_RUNNING, 3)).toBe(202);
    await scheduler.until("RUNNING", () => scheduler.statesOf("two").includes(TASK_RUNNING));
    await scheduler.kill("two");
    await expect.poll(() => executor.types).toContain(KILL);
    expect(await executor.update("two", TASK_KILLED, 4)).toBe(202);
    expect((await scheduler.until("end", () => scheduler.terminalOf("two"))).state).toBe(TASK_KILLED);
  });
});
