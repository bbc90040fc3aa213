import { expect, it } from "vitest";
import { TaskState, TaskStatus_Reason, TaskStatus_Source } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { AgentUnderTest, commandTask, executorTask, framework } from "../support/agent-under-test.ts";

/** Who may run tasks as whom, on this node: run_tasks of --acls. */
const acls = {
  permissive: false,
  run_tasks: [
    { principals: { values: ["marathon"] }, users: { values: ["web"] } },
    { principals: { type: "ANY" }, users: { values: ["nobody"] } },
  ],
};
const as = (user: string, principal?: string) => ({
  ...framework({ id: `${user}-${principal}`, user }),
  ...(principal !== undefined && { principal }),
});

it("a task of a user that its framework may not use is an error, and is not launched", async () => {
  const test = await AgentUnderTest.registered({ flags: [`--acls=${JSON.stringify(acls)}`] });
  try {
    await test.running("by-framework", TaskState.TASK_RUNNING, { framework: as("web", "marathon") });
    await test.running("without-a-name", TaskState.TASK_RUNNING, { framework: as("nobody") });
    const own = commandTask("by-command", { command: { value: "true", user: "web" } });
    await test.running("by-command", TaskState.TASK_RUNNING, { framework: as("root", "marathon") }, own);
    const before = test.machine.started.length;

    const { TASK_UNAUTHORIZED: reason } = TaskStatus_Reason;
    const refused = { reason, source: TaskStatus_Source.AGENT };
    test.run(commandTask("another-user"), { framework: as("root", "marathon") });
    expect(await test.master.status("another-user", TaskState.TASK_ERROR)).toMatchObject({
      ...refused,
      message: expect.stringMatching(
        /^Framework root-marathon is not authorized to launch task another-user as user 'root'/,
      ),
    });
    test.run(commandTask("its-command", { command: { value: "true", user: "root" } }), {
      framework: as("web", "marathon"),
    });
    expect(await test.master.status("its-command", TaskState.TASK_ERROR)).toMatchObject(refused);
    test.run(commandTask("another-name"), { framework: as("web", "chronos") });
    expect(await test.master.status("another-name", TaskState.TASK_ERROR)).toMatchObject(refused);
    test.run(commandTask("no-name"), { framework: as("web") });
    expect(await test.master.status("no-name", TaskState.TASK_ERROR)).toMatchObject(refused);
    const executor = { ...executorTask("x").executor, command: { value: "driver", user: "root" } };
    test.run(executorTask("its-executor", executor), { framework: as("web", "marathon") });
    expect(await test.master.status("its-executor", TaskState.TASK_ERROR)).toMatchObject(refused);
    expect(test.machine.started.length).toBe(before);
  } finally {
    await test.close();
  }
});

it("an empty name of a user hides nothing: who it then runs as is asked for", async () => {
  const forbidden = { run_tasks: [{ principals: { type: "NONE" }, users: { values: ["root"] } }] };
  const test = await AgentUnderTest.registered({ flags: [`--acls=${JSON.stringify(forbidden)}`] });
  try {
    test.run(commandTask("empty", { command: { value: "true", user: "" } }), { framework: as("root", "marathon") });
    expect(await test.master.status("empty", TaskState.TASK_ERROR)).toMatchObject({
      reason: TaskStatus_Reason.TASK_UNAUTHORIZED,
    });
    expect(test.machine.started).toEqual([]);
  } finally {
    await test.close();
  }
});

it("one task of a group that may not be launched is the end of the group", async () => {
  const test = await AgentUnderTest.registered({ flags: [`--acls=${JSON.stringify(acls)}`] });
  try {
    const tasks = [commandTask("one"), commandTask("two", { command: { value: "true", user: "root" } })];
    test.runGroup(tasks, { framework: as("web", "marathon") });
    const { TASK_GROUP_UNAUTHORIZED: reason } = TaskStatus_Reason;
    for (const { name = "" } of tasks)
      expect(await test.master.status(name, TaskState.TASK_ERROR)).toMatchObject({ reason });
    expect(test.machine.started).toEqual([]);
  } finally {
    await test.close();
  }
});
