import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ScriptedAgent } from "../../test/support/scripted-agent.ts";
import { TaskSchema, TaskState } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { parseResources } from "../mesos/resources-text.ts";
import { LocalMaster } from "./local-master.ts";

const MANY = 6_000;
let master: LocalMaster;
let agent: ScriptedAgent;

beforeEach(async () => {
  master = new LocalMaster({ port: 0 });
  await master.start();
  agent = await ScriptedAgent.start({ master: master.address });
});
afterEach(async () => {
  await agent.close();
  await master.stop();
});

it("an agent comes back with thousands of tasks in one message", async () => {
  const resources = parseResources("cpus:0.001;mem:1").toMessages("post");
  const tasks = Array.from({ length: MANY }, (_, index) =>
    create(TaskSchema, {
      name: "one of many",
      taskId: { value: `task-${index}` },
      frameworkId: { value: "f" },
      agentId: { value: "old-S0" },
      state: TaskState.TASK_RUNNING,
      statuses: [{ taskId: { value: `task-${index}` }, state: TaskState.TASK_RUNNING }],
      resources,
    }),
  );
  await agent.reregister("old-S0", tasks);
  const state = (await (await fetch(`${master.url}/slaves`)).json()) as { slaves: { id: string }[] };
  expect(state.slaves).toMatchObject([{ id: "old-S0", used_resources: { cpus: MANY / 1000, mem: MANY } }]);
});
