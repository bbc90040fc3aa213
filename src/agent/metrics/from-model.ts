import { type Resource, TaskState } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Resources } from "../../mesos/resources.ts";
import { allocated, type ExecutorState, type FrameworkRecord, type TaskRecord } from "../model/records.ts";
import { type GaugeName, measuredResources, type ResourceMetric } from "./table.ts";

const STATES: Readonly<Partial<Record<TaskState, GaugeName>>> = {
  [TaskState.TASK_STAGING]: "slave/tasks_staging",
  [TaskState.TASK_STARTING]: "slave/tasks_starting",
  [TaskState.TASK_RUNNING]: "slave/tasks_running",
  [TaskState.TASK_KILLING]: "slave/tasks_killing",
};

const EXECUTORS: Readonly<Partial<Record<ExecutorState, GaugeName>>> = {
  REGISTERING: "slave/executors_registering",
  RUNNING: "slave/executors_running",
  TERMINATING: "slave/executors_terminating",
};

/** Tasks that no executor was handed are staging, whatever their last status says. */
function gaugeOf({ bucket, task }: TaskRecord): GaugeName | undefined {
  if (bucket === "queued") return "slave/tasks_staging";
  return bucket === "launched" ? STATES[task.state] : undefined;
}

/** The gauges that count frameworks, executors and tasks. */
export function countGauges(frameworks: Iterable<FrameworkRecord>): Map<GaugeName, number> {
  const names = [...Object.values(STATES), ...Object.values(EXECUTORS), "slave/frameworks_active" as const];
  const counts = new Map<GaugeName, number>(names.map((name) => [name, 0]));
  const add = (name: GaugeName | undefined, by = 1): void => {
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + by);
  };
  for (const framework of frameworks) {
    add("slave/frameworks_active");
    add("slave/tasks_staging", framework.pending.size);
    for (const executor of framework.executors.values()) {
      add(EXECUTORS[executor.state]);
      for (const task of executor.tasks.values()) add(gaugeOf(task));
    }
  }
  return counts;
}

const scalarOf = (resource: Resource): number => resource.scalar?.value ?? 0;

/** Thousandths of each scalar that is used, what is revocable apart: one look at each resource of thousands of tasks. */
function usedOf(frameworks: Iterable<FrameworkRecord>): { readonly plain: Sums; readonly revocable: Sums } {
  const used = { plain: new Map<string, number>(), revocable: new Map<string, number>() };
  for (const { executors } of frameworks)
    for (const executor of executors.values())
      for (const resource of allocated(executor)) {
        const sums = resource.revocable === undefined ? used.plain : used.revocable;
        sums.set(resource.name, (sums.get(resource.name) ?? 0) + Math.round(scalarOf(resource) * 1000));
      }
  return used;
}

type Sums = ReadonlyMap<string, number>;

/** The gauges of resources: total, used and their share; what is revocable apart. Scalars over all reservations. */
export function resourceGauges(total: Resources, frameworks: Iterable<FrameworkRecord>): Map<ResourceMetric, number> {
  const used = usedOf(frameworks);
  const gauges = new Map<ResourceMetric, number>();
  for (const name of measuredResources) {
    for (const revocable of [false, true]) {
      const part = revocable ? total.revocable() : total.nonRevocable();
      const all = part.scalar(name) ?? 0;
      const taken = (revocable ? used.revocable : used.plain).get(name) ?? 0;
      const prefix = revocable ? (`slave/${name}_revocable` as const) : (`slave/${name}` as const);
      gauges.set(`${prefix}_total`, all);
      gauges.set(`${prefix}_used`, taken / 1000);
      gauges.set(`${prefix}_percent`, all === 0 ? 0 : taken / 1000 / all);
    }
  }
  return gauges;
}

/** The counter that a terminal state adds to, if it has one. */
export function endCounter(state: TaskState) {
  const names = {
    [TaskState.TASK_FINISHED]: "slave/tasks_finished",
    [TaskState.TASK_FAILED]: "slave/tasks_failed",
    [TaskState.TASK_KILLED]: "slave/tasks_killed",
    [TaskState.TASK_LOST]: "slave/tasks_lost",
    [TaskState.TASK_GONE]: "slave/tasks_gone",
  } as const satisfies Partial<Record<TaskState, string>>;
  return (names as Partial<Record<TaskState, (typeof names)[keyof typeof names]>>)[state];
}
