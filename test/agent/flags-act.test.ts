import { expect, it } from "vitest";
import { TaskState } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest, commandTask, EXECUTOR, executorTask } from "../support/agent-under-test.ts";
import { until } from "../support/scripted-master.ts";

/** Flags that were accepted once, and did nothing. */
it("--default_container_info is the container of a task that brings none", async () => {
  const info = { type: "DOCKER", docker: { image: "busybox" } };
  const test = await AgentUnderTest.registered({ flags: [`--default_container_info=${JSON.stringify(info)}`] });
  try {
    await test.running("one", TaskState.TASK_RUNNING);
    expect(test.machine.containerOf("one")?.spec.container?.docker?.image).toBe("busybox");
    const own = { type: 1, docker: { image: "own" } } as const;
    test.run(commandTask("two", { container: own }));
    await until("two", () => test.machine.containerOf("two"));
    expect(test.machine.containerOf("two")?.spec.container?.docker?.image).toBe("own");
  } finally {
    await test.close();
  }
});

it("--executor_reregistration_retry_interval asks executors again that have not come back", async () => {
  const test = await AgentUnderTest.registered();
  try {
    const driver = await test.driver();
    test.run(executorTask("one"));
    await until("container", () => test.machine.containerOf(EXECUTOR));
    driver.register();
    await until("run", () => driver.received.includes("run one"));
    driver.returns = false;
    const flags = ["--executor_reregistration_retry_interval=100ms", "--executor_reregistration_timeout=15secs"];
    const restarted = test.restart({ flags });
    const asked = (): number => driver.received.filter((what) => what === "reconnect").length;
    await until("the first question", () => asked() === 1);
    driver.returns = true;
    await test.clock.advance(150);
    await until("the second question", () => asked() === 2);
    await restarted;
  } finally {
    await test.close();
  }
});
