import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { agentView } from "../../../test/support/agent-view.ts";
import { HealthCheckSchema, TaskSchema, TaskState } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { toJson } from "../../mesos/json.ts";
import { jsonText } from "../../mesos/json-text.ts";
import { statistics } from "./small-pages.ts";
import { stateText } from "./state.ts";
import { tasksText } from "./task-details.ts";

const { NaN: none, POSITIVE_INFINITY: endless, NEGATIVE_INFINITY: never } = Number;
const LONGEST = 2n ** 63n - 1n;

/** An agent whose tasks, framework and statistics have every number that JSON cannot hold, or would round. */
function oddView() {
  const view = agentView({ tasks: 3 });
  const snapshot = view.snapshot();
  const [framework] = snapshot.frameworks;
  if (framework === undefined) throw new Error("the view has a framework");
  framework.info.failoverTimeout = endless;
  for (const [index, odd] of [none, endless, never].entries()) {
    const record = framework.executors.get(`task-${index}`)?.tasks.get(`task-${index}`);
    if (record === undefined) throw new Error("the view has tasks");
    record.task.limits = { cpus: { $typeName: "mesos.v1.Value.Scalar", value: odd } };
    if (record.info !== undefined) record.info.limits = record.task.limits;
    for (const status of record.task.statuses) status.timestamp = odd;
    record.task.healthCheck = create(HealthCheckSchema, { type: 1, intervalSeconds: odd, delaySeconds: odd });
  }
  return { ...view, snapshot: () => snapshot };
}

/** Strictly: `null` would be a number that JSON.stringify could not write. */
function numbersOf(text: string): void {
  expect(text).not.toMatch(/[:[,](null|-?Infinity|NaN)\b/);
  expect(() => JSON.parse(text)).not.toThrow();
}

it("no answer has a number that JSON cannot hold: it is 0, as Mesos prints it; a limit without end says so", async () => {
  const view = oddView();
  const state = await stateText(view);
  numbersOf(state);
  expect(state).toContain('"failover_timeout":0');
  expect(JSON.parse(state).frameworks[0].executors.map(({ tasks }: { tasks: object[] }) => tasks[0])).toMatchObject([
    { limits: { cpus: 0 }, statuses: [{ timestamp: 0 }] },
    { limits: { cpus: "Infinity" }, statuses: [{ timestamp: 0 }] },
    { limits: { cpus: 0 }, statuses: [{ timestamp: 0 }] },
  ]);
  numbersOf([...tasksText(view.snapshot(), [], undefined)].join(""));
  for (const taskId of ["task-0", "task-1", "task-2"])
    numbersOf([...tasksText(view.snapshot(), [], { taskId, frameworkId: undefined, containerId: undefined })].join(""));
});

it("integers beyond 2^53 are written to their last digit", async () => {
  const view = oddView();
  const [usage] = await view.usage();
  if (usage?.statistics === undefined) throw new Error("the view has statistics");
  usage.statistics.memRssBytes = 2n ** 64n - 1n;
  const answer = await statistics({ ...view, usage: async () => [usage] });
  expect(answer.kind === "json" && String(answer.text)).toContain("18446744073709551615");
  const task = create(TaskSchema, {
    state: TaskState.TASK_RUNNING,
    killPolicy: { gracePeriod: { nanoseconds: LONGEST } },
  });
  expect(jsonText(toJson(TaskSchema, task))).toContain(`"nanoseconds":${LONGEST}`);
});
