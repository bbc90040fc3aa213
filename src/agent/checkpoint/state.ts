import { messageOf } from "../../base/errors.ts";
import {
  ResourceStateSchema,
  type RunTaskMessage,
  RunTaskMessageSchema,
  type StatusUpdateRecord,
  StatusUpdateRecord_Type,
  StatusUpdateRecordSchema,
  UpdateOperationStatusRecordSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import {
  AgentInfoSchema,
  DrainConfigSchema,
  type ExecutorInfo,
  ExecutorInfoSchema,
  FrameworkInfoSchema,
  type Resource,
  ResourceSchema,
  type Task,
  TaskSchema,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../../mesos/ids.ts";
import { Resources } from "../../mesos/resources.ts";
import type {
  CheckpointedAgent,
  CheckpointedExecutor,
  CheckpointedFramework,
  CheckpointedRun,
  CheckpointedState,
  CheckpointedTask,
} from "../model/checkpointed-state.ts";
import type { Paths, RunKey } from "../model/paths.ts";
import { readRecords } from "../model/record-file.ts";
import { makeTask } from "../model/task.ts";
import { mendExecutor, mendGenerated, mendLaunch, mendTask, mendUpdate } from "./mend.ts";
import { CheckpointReader, type ReadOptions, type Replacement } from "./reader.ts";

/** Reads it all. Throws a UserError that names the damaged file when strict. Missing and empty files are normal. */
export function readState(options: ReadOptions): CheckpointedState {
  return new StateReader(options).read();
}

interface ResourceList {
  readonly present: boolean;
  /** What could be read. */
  readonly kept: Resource[];
  /** undefined when it is not there as a whole. */
  readonly whole: Resource[] | undefined;
}

function resourceProblem(resources: readonly Resource[]): string | undefined {
  try {
    Resources.of(resources);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

class StateReader {
  readonly #meta: Paths["meta"];
  readonly #reader: CheckpointReader;

  constructor(options: ReadOptions) {
    this.#meta = options.paths.meta;
    this.#reader = new CheckpointReader(options);
  }

  read(): CheckpointedState {
    const meta = this.#meta;
    const bootId = this.#reader.text(meta.bootId());
    const target = this.#reader.message(ResourceStateSchema, meta.resourcesAndOperationsTarget());
    const committed = this.#reader.message(ResourceStateSchema, meta.resourcesAndOperations());
    const info = this.#resources(meta.resources());
    return {
      bootId,
      // Agents before 1.8 change only resources.info: when the two differ, that one is newer.
      resources: info.present ? info.kept : (committed?.resources ?? []),
      resourcesTarget: target?.resources ?? this.#resources(meta.resourcesTarget()).whole,
      operations: (target ?? committed)?.operations ?? [],
      agent: this.#agent(),
      errors: this.#reader.errors,
    };
  }

  /**
   * A complete list, written at once: unlike updates, a part of it is damage. `whole` is undefined then, and when there
   * is no file: half a target must not be carried out, it would delete volumes.
   */
  #resources(path: string): ResourceList {
    const data = this.#reader.bytes(path);
    if (data === undefined) return { present: false, kept: [], whole: undefined };
    const { records, rest } = readRecords(data);
    const kept = this.#reader
      .decoded(ResourceSchema, path, records)
      .filter((resource) => this.#isValid(path, resource));
    if (rest !== undefined) this.#reader.damaged(path, `its last record is ${rest}`);
    return { present: true, kept, whole: rest === undefined && kept.length === records.length ? kept : undefined };
  }

  #valid(path: string, resources: readonly Resource[]): Resource[] {
    return resources.filter((resource) => this.#isValid(path, resource));
  }

  #isValid(path: string, resource: Resource): boolean {
    const problem = resourceProblem([resource]);
    if (problem !== undefined) this.#reader.damaged(path, problem);
    return problem === undefined;
  }

  #records(path: string, key: RunKey, taskId: string): StatusUpdateRecord[] {
    return this.#reader.appended(StatusUpdateRecordSchema, path).filter(({ update }) => {
      if (update === undefined) return true;
      const about = update.status?.taskId?.value;
      if (about === taskId && update.frameworkId?.value === key.frameworkId) {
        this.#reader.mended(path, mendUpdate(update, key));
        return true;
      }
      this.#reader.damaged(path, `it has an update of task '${about}' of framework ${update.frameworkId?.value}`);
      return false;
    });
  }

  #agent(): CheckpointedAgent | undefined {
    const id = this.#reader.link(this.#meta.latestAgent());
    if (id === undefined) return undefined;
    const info = this.#reader.named(AgentInfoSchema, this.#meta.agentInfo(id), id, (found) => found.id);
    if (info === undefined) return undefined;
    const frameworks = this.#reader.folders(this.#meta.frameworks(id)).map((name) => this.#framework(id, name));
    return {
      id,
      info,
      drain: this.#reader.message(DrainConfigSchema, this.#meta.drain(id)),
      operationStreams: this.#reader.folders(this.#meta.operations(id)).map((uuid) => ({
        uuid,
        records: this.#reader.appended(UpdateOperationStatusRecordSchema, this.#meta.operationUpdates(id, uuid)),
      })),
      frameworks: frameworks.filter((framework) => framework !== undefined),
    };
  }

  #framework(agentId: string, id: string): CheckpointedFramework | undefined {
    const info = this.#reader.named(
      FrameworkInfoSchema,
      this.#meta.frameworkInfo(agentId, id),
      id,
      (found) => found.id,
    );
    if (info === undefined) return undefined;
    const pid = this.#pid(this.#meta.frameworkPid(agentId, id));
    const executors = this.#reader
      .folders(this.#meta.executors(agentId, id))
      .map((name) => this.#executor(agentId, id, name));
    return {
      id,
      info,
      pid,
      executors: executors.filter((executor) => executor !== undefined),
    };
  }

  #executor(agentId: string, frameworkId: string, id: string): CheckpointedExecutor | undefined {
    const meta = this.#meta;
    const info = this.#reader.named(
      ExecutorInfoSchema,
      meta.executorInfo(agentId, frameworkId, id),
      id,
      (found) => found.executorId,
    );
    if (info === undefined) return undefined;
    const path = meta.executorInfo(agentId, frameworkId, id);
    this.#reader.mended(path, mendExecutor(info, frameworkId));
    info.resources = this.#valid(path, info.resources);
    const latest = this.#reader.link(meta.latestRun(agentId, frameworkId, id));
    const runs = this.#reader.folders(meta.runs(agentId, frameworkId, id));
    const run =
      latest !== undefined && runs.includes(latest)
        ? this.#run({ agentId, frameworkId, executorId: id, containerId: latest })
        : undefined;
    return {
      id,
      info,
      generatedForCommandTask: this.#generated(meta.generatedForCommandTask(agentId, frameworkId, id), info, run),
      run,
      olderRuns: runs.filter((run) => run !== latest),
    };
  }

  #generated(path: string, info: ExecutorInfo, run: CheckpointedRun | undefined): boolean | undefined {
    const launches = (run?.tasks ?? []).flatMap(({ launch }) => (launch === undefined ? [] : [launch]));
    const text = this.#reader.bytes(path)?.toString().trim();
    // A launch that was ended amid its files leaves it empty. It comes before the tasks: with one, that is damage.
    const isUnwritten = text === "" && (run?.tasks ?? []).length === 0;
    const { value, problem } = mendGenerated(isUnwritten ? undefined : text, info, launches);
    if (problem !== undefined) this.#reader.mended(path, [problem]);
    return value;
  }

  /** A libprocess address; undefined when there is none, or none that could be written to. */
  #pid(path: string): string | undefined {
    const text = this.#reader.text(path);
    if (text === undefined || text.startsWith("@")) return undefined;
    if (/^[^@\s]+@(\[[0-9a-fA-F:.]+\]|[0-9.]+):\d{1,5}$/.test(text)) return text;
    return this.#reader.damaged(path, `'${text.slice(0, 100)}' is no address of a process`);
  }

  #run(key: RunKey): CheckpointedRun {
    const meta = this.#meta;
    const pid = this.#reader.text(meta.forkedPid(key));
    if (pid !== undefined && !/^[1-9]\d{0,9}$/.test(pid))
      this.#reader.damaged(meta.forkedPid(key), `'${pid}' is no pid`);
    const tasks = this.#reader.folders(meta.tasks(key)).map((id) => this.#task(key, id));
    return {
      containerId: key.containerId,
      completed: this.#reader.bytes(meta.sentinel(key)) !== undefined,
      forkedPid: pid !== undefined && /^[1-9]\d{0,9}$/.test(pid) ? Number(pid) : undefined,
      libprocessPid: this.#pid(meta.libprocessPid(key)),
      http: this.#reader.bytes(meta.httpMarker(key)) !== undefined,
      tasks: tasks.filter((task) => task !== undefined),
    };
  }

  #task(key: RunKey, id: string): CheckpointedTask | undefined {
    const meta = this.#meta;
    const launch = this.#launch(meta.taskLaunch(key, id), key, id);
    const path = meta.taskInfo(key, id);
    const task = this.#reader.named(
      TaskSchema,
      path,
      id,
      (found) => found.taskId,
      () => this.#taskOf(launch, meta.taskLaunch(key, id)),
    );
    if (task === undefined) return undefined;
    this.#reader.mended(path, mendTask(task, key));
    task.resources = this.#taskResources(path, task, launch);
    const records = this.#records(meta.taskUpdates(key, id), key, id);
    return {
      id,
      task,
      launch,
      group: this.#group(meta.taskGroup(key, id)),
      killGrace: this.#killGrace(meta.taskKill(key, id)),
      updates: records.map((record) =>
        record.type === StatusUpdateRecord_Type.ACK
          ? { acknowledged: record.uuid }
          : { ...(record.update && { update: record.update }) },
      ),
    };
  }

  #taskResources(path: string, { resources }: Task, launch: RunTaskMessage | undefined): Resource[] {
    const problem = resourceProblem(resources);
    const launched = launch?.task?.resources;
    if (problem === undefined || launched === undefined) return this.#valid(path, resources);
    this.#reader.mended(path, [`${problem}; its task.launch says ${launched.map(({ name }) => name).join(", ")}`]);
    return launched;
  }

  /** The task as it was written down at its launch: what came later is in its updates. */
  #taskOf(launch: RunTaskMessage | undefined, path: string): Replacement<Task> | undefined {
    const { framework, task } = launch ?? {};
    return framework === undefined || task === undefined ? undefined : { value: makeTask(framework, task), from: path };
  }

  #launch(path: string, key: RunKey, id: string): RunTaskMessage | undefined {
    const launch = this.#reader.named(RunTaskMessageSchema, path, id, (found) => found.task?.taskId);
    if (launch?.task === undefined) return undefined;
    const framework = idOf(launch.framework?.id);
    // Another framework's task of this name: what it says of the command is not this task's.
    if (framework !== key.frameworkId) return this.#reader.damaged(path, `it is of framework '${framework}'`);
    this.#reader.mended(path, mendLaunch(launch, key));
    launch.task.resources = this.#valid(path, launch.task.resources);
    return launch;
  }

  #group(path: string): readonly string[] | undefined {
    const text = this.#reader.text(path);
    if (text === undefined) return undefined;
    try {
      const ids: unknown = JSON.parse(text);
      if (Array.isArray(ids) && ids.every((id) => typeof id === "string")) return ids;
    } catch {
      // Falls through to the message: what is written there is not ours.
    }
    return this.#reader.damaged(path, "not a task group");
  }

  #killGrace(path: string): number | undefined {
    const text = this.#reader.text(path);
    if (text === undefined) return undefined;
    try {
      const grace = (JSON.parse(text) as { graceMilliseconds?: unknown }).graceMilliseconds;
      if (typeof grace === "number" && grace >= 0) return grace;
    } catch {
      // Falls through to the message: what is written there is not ours.
    }
    return this.#reader.damaged(path, "not a kill request");
  }
}
