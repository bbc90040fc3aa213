import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { Pace } from "../../base/pace.ts";
import { PacedQueue } from "../../base/paced-queue.ts";
import { has } from "../../mesos/codec.ts";
import {
  type RunTaskGroupMessage,
  type RunTaskMessage,
  RunTaskMessageSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import {
  type ExecutorInfo,
  type FrameworkInfo,
  type TaskInfo,
  TaskState,
  TaskStatus_Reason,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf, idProblem } from "../../mesos/ids.ts";
import { unlessLost } from "../../mesos/states.ts";
import type { LaunchPermission } from "../authorization/launch-permission.ts";
import type { CheckpointStore } from "../checkpoint/store.ts";
import type { GarbageCollection } from "../model/garbage-collection.ts";
import type { Identity } from "../model/identity.ts";
import type { Paths } from "../model/paths.ts";
import {
  type ExecutorKind,
  type ExecutorRecord,
  type FrameworkRecord,
  isDefaultExecutor,
  moveTask,
  runKey,
  type TaskRecord,
} from "../model/records.ts";
import { makeTask } from "../model/task.ts";
import { type AdmissionFacts, judgeLaunch } from "./admission.ts";
import { generateCommandExecutor } from "./command-executor.ts";
import type { ContainerLimits } from "./container-limits.ts";
import type { DrainOrder } from "./draining.ts";
import type { Ending } from "./ending.ts";
import type { AgentStatus, ExecutorControls } from "./executor-control.ts";
import type { FrameworkRegistry } from "./registry.ts";
import type { ResourceFacts } from "./resource-facts.ts";
import type { StatusIntake } from "./statuses.ts";

/** One RunTask or RunTaskGroup message, in one form. */
interface Request {
  readonly framework: FrameworkInfo;
  readonly pid: string | undefined;
  readonly tasks: readonly TaskInfo[];
  /** The executor named by the task or group; undefined for command tasks. */
  readonly executor: ExecutorInfo | undefined;
  readonly isGroup: boolean;
  readonly launchExecutor: boolean | undefined;
  readonly versions: RunTaskMessage["resourceVersionUuids"];
}

/** Milliseconds of one turn of the event loop for writing launches down: one takes half of one, where disks are quick. */
const TURN = 2;

export interface AcceptingOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly identity: Identity;
  readonly registry: FrameworkRegistry;
  readonly statuses: StatusIntake;
  readonly store: CheckpointStore;
  readonly paths: Paths;
  readonly gc: GarbageCollection;
  readonly drain: DrainOrder;
  readonly resources: ResourceFacts;
  readonly limits: ContainerLimits;
  readonly controls: ExecutorControls;
  readonly ending: Ending;
  readonly permission: LaunchPermission;
}

/** Takes launches from the master (mesos-wire §3.13). Whoever calls has checked the sender. */
export class Accepting {
  readonly #options: AcceptingOptions;
  /** A launch is written down synchronously: of a burst, the first tasks run while the last ones still wait. */
  readonly #launches: PacedQueue;

  constructor(options: AcceptingOptions) {
    this.#options = options;
    const pace = new Pace(Number.POSITIVE_INFINITY, { milliseconds: TURN });
    this.#launches = new PacedQueue(pace, (error) => options.log.error(`Launching a task failed: ${messageOf(error)}`));
  }

  /** The agent leaves: what is not written down yet never was here; the master finds it missing. */
  close(): void {
    this.#launches.close();
  }

  runTask(message: RunTaskMessage): void {
    const { framework, task } = message;
    if (framework === undefined || task === undefined) return;
    this.#run({
      framework,
      pid: message.pid,
      tasks: [task],
      executor: task.executor,
      isGroup: false,
      launchExecutor: has(message, "launchExecutor") ? message.launchExecutor : undefined,
      versions: message.resourceVersionUuids,
    });
  }

  runTaskGroup(message: RunTaskGroupMessage): void {
    const { framework, executor, taskGroup } = message;
    if (framework === undefined || executor === undefined || taskGroup === undefined) return;
    this.#run({
      framework,
      pid: undefined,
      tasks: taskGroup.tasks,
      executor,
      isGroup: true,
      launchExecutor: has(message, "launchExecutor") ? message.launchExecutor : undefined,
      versions: message.resourceVersionUuids,
    });
  }

  /** Why a launch is ignored without an answer, as real agents do. */
  #ignored(request: Request): string | undefined {
    const { identity, registry } = this.#options;
    const { phase } = identity;
    if (phase === "RECOVERING" || phase === "TERMINATING") return `the agent is ${phase}`;
    if (request.framework.id === undefined) return "its framework has no id";
    if (request.tasks.length === 0) return "it has no task";
    for (const task of request.tasks) {
      const id = idOf(task.taskId);
      if (task.agentId?.value !== identity.id)
        return `task ${id} is for agent ${task.agentId?.value}, this is ${identity.id}`;
      const problem = idProblem(id) ?? idProblem(request.framework.id.value);
      if (problem !== undefined) return `an id of it ${problem}`;
      if (registry.findTask(request.framework.id.value, id) !== undefined) return `task ${id} is known here already`;
      if ((task.command === undefined) === (task.executor === undefined) && !request.isGroup) {
        return `task ${id} must have exactly one of command and executor`;
      }
    }
    return undefined;
  }

  #run(request: Request): void {
    const { log } = this.#options;
    const why = this.#ignored(request);
    const names = request.tasks.map(({ taskId }) => `'${taskId?.value}'`).join(", ");
    if (why !== undefined) {
      log.warn(`Ignoring the launch of ${names} for framework ${request.framework.id?.value}: ${why}`);
      return;
    }
    log.info(`Got assigned task ${names} for framework ${request.framework.id?.value}`);
    const framework = this.#framework(request);
    const records = request.tasks.map((info) => this.#pending(framework, info, request));
    const waits = this.#directories(framework, request)
      .map((path) => this.#options.gc.unschedule(path))
      .filter((wait) => wait !== undefined);
    if (waits.length === 0) {
      this.#admitInTurn(framework, records, request);
      return;
    }
    void Promise.all(waits).then(
      () => this.#admitInTurn(framework, records, request),
      (error: unknown) => {
        log.error(`Cannot keep a directory from garbage collection: ${messageOf(error)}`);
        const message = "Could not launch the task because we failed to unschedule directories scheduled for gc";
        this.#refuse(framework, records, {
          state: unlessLost(framework.info, TaskState.TASK_DROPPED),
          reason: TaskStatus_Reason.GC_ERROR,
          message,
        });
      },
    );
  }

  #framework(request: Request): FrameworkRecord {
    const { registry, store, identity, log } = this.#options;
    const pid =
      request.pid === undefined || request.pid === "" || request.pid.startsWith("@") ? undefined : request.pid;
    const id = idOf(request.framework.id);
    const { framework, isNew } = registry.ensure(id, request.framework, pid);
    if (isNew) {
      try {
        store.framework(identity.id, framework);
      } catch (error) {
        // Without it a restart would not find its tasks: written again with each launch, which fails while this does.
        framework.unwritten = true;
        log.error(`Cannot checkpoint framework ${id}: ${messageOf(error)}`);
      }
    }
    return framework;
  }

  #pending(framework: FrameworkRecord, info: TaskInfo, request: Request): TaskRecord {
    const record: TaskRecord = {
      taskId: idOf(info.taskId),
      frameworkId: framework.frameworkId,
      task: makeTask(framework.info, info),
      info,
      group: request.isGroup ? request.tasks.map(({ taskId }) => idOf(taskId)) : undefined,
      masterTracksExecutors: request.launchExecutor !== undefined,
      bucket: "pending",
      kill: undefined,
      history: [],
    };
    if (request.isGroup && request.executor?.executorId !== undefined)
      record.task.executorId = request.executor.executorId;
    framework.pending.set(record.taskId, record);
    return record;
  }

  /** Directories that this launch may use again. */
  #directories(framework: FrameworkRecord, request: Request): string[] {
    const { paths, identity } = this.#options;
    const { id } = identity;
    const executorId = request.executor?.executorId?.value ?? idOf(request.tasks[0]?.taskId);
    const sandboxes = [
      paths.framework(id, framework.frameworkId),
      paths.executor(id, framework.frameworkId, executorId),
    ];
    if (!framework.info.checkpoint) return sandboxes;
    return [
      ...sandboxes,
      paths.meta.framework(id, framework.frameworkId),
      paths.meta.executor(id, framework.frameworkId, executorId),
    ];
  }

  #admitInTurn(framework: FrameworkRecord, records: readonly TaskRecord[], request: Request): void {
    this.#launches.take(() => this.#admit(framework, records, request));
  }

  #admit(framework: FrameworkRecord, records: readonly TaskRecord[], request: Request): void {
    const alive = records.filter((record) => framework.pending.get(record.taskId) === record);
    const executorId = request.executor?.executorId?.value ?? records[0]?.taskId ?? "";
    if (alive.length < records.length) {
      // Killed meanwhile; a group goes as a whole.
      for (const { taskId } of alive) framework.pending.delete(taskId);
      if (request.launchExecutor === true && request.executor !== undefined) {
        this.#options.ending.sendExited(framework.frameworkId, executorId, -1);
      }
      this.#options.ending.removeFrameworkIfIdle(framework);
      return;
    }
    const executor = framework.executors.get(executorId);
    const verdict = judgeLaunch(this.#facts(framework, request, executor));
    if (verdict.kind === "refuse") {
      if (verdict.exited) this.#options.ending.sendExited(framework.frameworkId, executorId, -1);
      if (verdict.shutdownExecutor && executor !== undefined)
        this.#options.ending.shutdownExecutor(framework, executor);
      this.#refuse(framework, records, verdict.status);
      return;
    }
    try {
      const target = executor ?? this.#newExecutor(framework, request, executorId);
      this.#queue(framework, target, records, request);
      this.#go(framework, target, records, executor === undefined);
    } catch (error) {
      const message = `Could not launch the task: ${messageOf(error)}`;
      if (request.launchExecutor === true && request.executor !== undefined && executor === undefined) {
        this.#options.ending.sendExited(framework.frameworkId, executorId, -1);
      }
      this.#withdraw(framework, executorId, records, executor === undefined);
      this.#refuse(framework, records, {
        state: unlessLost(framework.info, TaskState.TASK_DROPPED),
        reason: TaskStatus_Reason.CONTAINER_LAUNCH_FAILED,
        message,
      });
    }
  }

  #withdraw(framework: FrameworkRecord, executorId: string, records: readonly TaskRecord[], isNew: boolean): void {
    const { store, log, identity } = this.#options;
    const target = framework.executors.get(executorId);
    if (target === undefined) return;
    if (isNew) framework.executors.delete(executorId);
    if (!framework.info.checkpoint) return;
    const ids = records.map(({ taskId }) => taskId);
    try {
      store.withdraw(runKey(identity.id, target), ids, isNew);
    } catch (error) {
      log.error(
        `Cannot take back the checkpoints of ${ids.join(", ")}: ${messageOf(error)}; a restart reports them lost`,
      );
    }
  }

  #facts(framework: FrameworkRecord, request: Request, executor: ExecutorRecord | undefined): AdmissionFacts {
    const { drain, resources: held, limits, permission } = this.#options;
    return {
      framework: framework.info,
      frameworkTerminating: framework.state === "TERMINATING",
      unauthorized: permission.problem(framework.info, request.tasks),
      isGroup: request.isGroup,
      draining: drain.config !== undefined,
      staleResources: held.areStale(request.versions),
      taskResourcesKnown: request.tasks.every(({ resources }) => held.areKnown(resources)),
      executorResourcesKnown: held.areKnown(request.executor?.resources ?? []),
      launchExecutor: request.launchExecutor,
      isCommandTask: request.executor === undefined,
      limitsProblem: request.tasks.map((task) => limits.problem(task)).find((problem) => problem !== undefined),
      executor: executor?.state,
    };
  }

  #newExecutor(framework: FrameworkRecord, request: Request, executorId: string): ExecutorRecord {
    const { identity, paths, clock } = this.#options;
    const [first] = request.tasks;
    if (first === undefined) throw new Error("a launch without a task");
    const problem = idProblem(executorId);
    if (problem !== undefined) throw new Error(`executor id '${executorId}' ${problem}`);
    const containerId = randomUUID();
    const info = request.executor ?? generateCommandExecutor(framework.info, first);
    info.frameworkId ??= { $typeName: "mesos.v1.FrameworkID", value: framework.frameworkId };
    const executor: ExecutorRecord = {
      executorId,
      frameworkId: framework.frameworkId,
      info,
      containerId,
      directory: paths.sandbox({ agentId: identity.id, frameworkId: framework.frameworkId, executorId, containerId }),
      kind: kindOf(request.executor),
      state: "REGISTERING",
      containerizer: undefined,
      pid: undefined,
      tasks: new Map(),
      completed: [],
      everDelivered: false,
      since: clock.now(),
    };
    framework.executors.set(executorId, executor);
    return executor;
  }

  /** From pending to queued, written down first. Throws when it cannot be written; the tasks are pending again then. */
  #queue(framework: FrameworkRecord, executor: ExecutorRecord, records: readonly TaskRecord[], request: Request): void {
    const { store, identity } = this.#options;
    if (framework.info.checkpoint) {
      const key = runKey(identity.id, executor);
      if (framework.unwritten === true) {
        store.framework(identity.id, framework);
        framework.unwritten = false;
      }
      if (executor.tasks.size === 0 && executor.state === "REGISTERING") store.executor(identity.id, executor);
      for (const record of records) store.task(key, record, launchMessage(request, record));
    }
    for (const record of records) {
      framework.pending.delete(record.taskId);
      moveTask(record, "queued");
      executor.tasks.set(record.taskId, record);
    }
  }

  #go(framework: FrameworkRecord, executor: ExecutorRecord, records: readonly TaskRecord[], isNew: boolean): void {
    const { controls, limits } = this.#options;
    const control = controls.of(executor);
    if (isNew) {
      control.launch(framework, executor, executor.kind === "command" ? records[0] : undefined);
    } else if (executor.state === "RUNNING") {
      limits.resize(executor);
      control.deliver(framework, executor, records);
    }
  }

  #refuse(framework: FrameworkRecord, records: readonly TaskRecord[], status: AgentStatus | undefined): void {
    for (const record of records) {
      framework.pending.delete(record.taskId);
      if (status === undefined) continue;
      this.#options.log.warn(
        `Refusing task '${record.taskId}' of framework ${framework.frameworkId}: ${status.message}`,
      );
      void this.#options.statuses.fromAgent(framework, undefined, record, record.taskId, status);
    }
    this.#options.ending.removeFrameworkIfIdle(framework);
  }
}

function kindOf(executor: ExecutorInfo | undefined): ExecutorKind {
  if (executor === undefined) return "command";
  return isDefaultExecutor(executor) ? "group" : "unknown";
}

/** The launch as it is kept for recovery. */
function launchMessage(request: Request, record: TaskRecord): RunTaskMessage {
  return create(RunTaskMessageSchema, {
    framework: request.framework,
    ...(request.pid !== undefined && { pid: request.pid }),
    ...(record.info && { task: record.info }),
    ...(request.launchExecutor !== undefined && { launchExecutor: request.launchExecutor }),
  });
}
