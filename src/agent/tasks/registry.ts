import { create } from "@bufbuild/protobuf";
import { copyOf } from "../../mesos/copy.ts";
import { type Archive_Framework, Archive_FrameworkSchema } from "../../mesos/gen/mesos/internal/messages_pb.ts";
import type { ExecutorInfo, FrameworkInfo, Task } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { type ExecutorRecord, type FrameworkRecord, isGenerated, type TaskRecord, tasksIn } from "../model/records.ts";

export interface HistoryLimits {
  readonly frameworks: number;
  readonly executorsPerFramework: number;
  readonly tasksPerExecutor: number;
}

/** mesos-agent-behaviour §5.1 */
const DEFAULT_HISTORY: HistoryLimits = { frameworks: 50, executorsPerFramework: 150, tasksPerExecutor: 200 };

/** Appends, and drops the oldest beyond `limit`. */
export function remember<T>(history: T[], item: T, limit: number): void {
  history.push(item);
  if (history.length > limit) history.splice(0, history.length - limit);
}

/** What a re-registration carries of tasks, executors and frameworks. */
export interface ReregistrationContent {
  readonly tasks: Task[];
  readonly executors: ExecutorInfo[];
  readonly frameworks: FrameworkInfo[];
  readonly completed: Archive_Framework[];
}

/** All frameworks that the agent knows, and those that are over. */
export class FrameworkRegistry {
  readonly active = new Map<string, FrameworkRecord>();
  readonly completed: FrameworkRecord[] = [];
  readonly limits: HistoryLimits;

  constructor(limits: HistoryLimits = DEFAULT_HISTORY) {
    this.limits = limits;
  }

  /** Adds a framework, or finds it; a returning one gets its completed executors back. */
  ensure(
    frameworkId: string,
    info: FrameworkInfo,
    pid: string | undefined,
  ): { framework: FrameworkRecord; isNew: boolean } {
    const known = this.active.get(frameworkId);
    if (known !== undefined) return { framework: known, isNew: false };
    const past = this.completed.findIndex((framework) => framework.frameworkId === frameworkId);
    const completedExecutors = past < 0 ? [] : (this.completed.splice(past, 1)[0]?.completedExecutors ?? []);
    const framework: FrameworkRecord = {
      frameworkId,
      info,
      pid,
      state: "RUNNING",
      executors: new Map(),
      pending: new Map(),
      completedExecutors,
    };
    this.active.set(frameworkId, framework);
    return { framework, isNew: true };
  }

  /** Moves a framework to the history. */
  complete(framework: FrameworkRecord): void {
    this.active.delete(framework.frameworkId);
    remember(this.completed, framework, this.limits.frameworks);
  }

  /** An unfinished task, with where it is. */
  findTask(
    frameworkId: string,
    taskId: string,
  ): { framework: FrameworkRecord; executor: ExecutorRecord | undefined; task: TaskRecord } | undefined {
    const framework = this.active.get(frameworkId);
    if (framework === undefined) return undefined;
    const pending = framework.pending.get(taskId);
    if (pending !== undefined) return { framework, executor: undefined, task: pending };
    // A command task's executor has the task's id: look there first.
    const own = framework.executors.get(taskId);
    const ownTask = own?.tasks.get(taskId);
    if (own !== undefined && ownTask !== undefined) return { framework, executor: own, task: ownTask };
    for (const executor of framework.executors.values()) {
      if (executor.kind === "command") continue;
      const task = executor.tasks.get(taskId);
      if (task !== undefined) return { framework, executor, task };
    }
    return undefined;
  }

  /** What the master is told at re-registration (mesos-wire §3.6). Statuses lose their payload. */
  reregistrationContent(): ReregistrationContent {
    const reregistrationContent: ReregistrationContent = { tasks: [], executors: [], frameworks: [], completed: [] };
    for (const framework of this.active.values()) {
      const before = reregistrationContent.tasks.length + reregistrationContent.executors.length;
      for (const task of framework.pending.values()) reregistrationContent.tasks.push(task.task);
      for (const executor of framework.executors.values()) {
        for (const task of tasksIn(executor, "queued", "launched", "terminated"))
          reregistrationContent.tasks.push(slim(task.task));
        if (!isGenerated(executor) && executor.state !== "TERMINATED")
          reregistrationContent.executors.push(executor.info);
      }
      if (reregistrationContent.tasks.length + reregistrationContent.executors.length > before)
        reregistrationContent.frameworks.push(framework.info);
      if (framework.completedExecutors.length > 0) reregistrationContent.completed.push(archive(framework));
    }
    for (const framework of this.completed) reregistrationContent.completed.push(archive(framework));
    return reregistrationContent;
  }
}

/** Without the payload of statuses, which only the scheduler needs and which may be large. */
function slim(task: Task): Task {
  if (task.statuses.every(({ data }) => data.length === 0)) return task;
  const copy = copyOf(task);
  for (const status of copy.statuses) delete (status as { data?: Uint8Array }).data;
  return copy;
}

function archive(framework: FrameworkRecord): Archive_Framework {
  return create(Archive_FrameworkSchema, {
    frameworkInfo: framework.info,
    ...(framework.pid !== undefined && { pid: framework.pid }),
    tasks: framework.completedExecutors.flatMap(({ completed }) => completed.map(({ task }) => slim(task))),
  });
}
