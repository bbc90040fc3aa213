import { readdirSync, readFileSync, readlinkSync, truncateSync } from "node:fs";
import { basename } from "node:path";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { codeOf, messageOf, UserError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { decode } from "../../mesos/codec.ts";
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
  TaskSchema,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
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
import { mendExecutor, mendGenerated, mendLaunch, mendTask, mendUpdate } from "./mend.ts";

export interface ReadOptions {
  readonly paths: Paths;
  readonly log: Logger;
  /** true: a damaged file is an error. false: it is counted and left out. */
  readonly strict: boolean;
}

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

class StateReader {
  readonly #options: ReadOptions;
  #errors = 0;

  constructor(options: ReadOptions) {
    this.#options = options;
  }

  get #meta(): Paths["meta"] {
    return this.#options.paths.meta;
  }

  read(): CheckpointedState {
    const meta = this.#meta;
    const bootId = this.#text(meta.bootId());
    const target = this.#message(ResourceStateSchema, meta.resourcesAndOperationsTarget());
    const committed = this.#message(ResourceStateSchema, meta.resourcesAndOperations());
    const info = this.#resources(meta.resources());
    return {
      bootId,
      // Agents before 1.8 change only resources.info: when the two differ, that one is newer.
      resources: info.present ? info.kept : (committed?.resources ?? []),
      resourcesTarget: target?.resources ?? this.#resources(meta.resourcesTarget()).whole,
      operations: (target ?? committed)?.operations ?? [],
      agent: this.#agent(),
      errors: this.#errors,
    };
  }

  /** A damaged item: an error, or counted and skipped. */
  #damaged(path: string, problem: string): undefined {
    if (this.#options.strict) {
      throw new UserError(
        `cannot read the checkpoint ${path}: ${problem}`,
        `restore the file, or start with --no-strict to go on without it, or remove ${this.#meta.latestAgent()} to start as a new agent`,
      );
    }
    this.#errors++;
    this.#options.log.error(`Leaving out the damaged checkpoint ${path}: ${problem}`);
    return undefined;
  }

  /** What could be mended from the rest of the checkpoint is said, and is no error. */
  #mended(path: string, problems: readonly string[]): void {
    if (problems.length === 0) return;
    this.#options.log.error(`Mending the damaged checkpoint ${path}: ${problems.join("; ")}`);
  }

  #bytes(path: string): Buffer | undefined {
    try {
      return readFileSync(path);
    } catch (error) {
      if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
      return this.#damaged(path, messageOf(error));
    }
  }

  #text(path: string): string | undefined {
    const text = this.#bytes(path)?.toString().trim();
    return text === "" ? undefined : text;
  }

  #message<D extends DescMessage>(schema: D, path: string): MessageShape<D> | undefined {
    const data = this.#bytes(path);
    if (data === undefined) return undefined;
    if (data.length === 0) {
      this.#options.log.warn(`Skipping the empty checkpoint ${path}: the agent stopped while it was written`);
      return undefined;
    }
    const { records, rest } = readRecords(data);
    const first = records[0];
    if (first === undefined) return this.#damaged(path, `its only record is ${rest ?? "missing"}`);
    try {
      return decode(schema, first);
    } catch (error) {
      return this.#damaged(path, messageOf(error));
    }
  }

  /** The message of a file whose folder has the name of its subject. One that is about something else is damaged. */
  #named<D extends DescMessage>(
    schema: D,
    path: string,
    id: string,
    idOf: (message: MessageShape<D>) => { readonly value: string } | undefined,
  ): MessageShape<D> | undefined {
    const message = this.#message(schema, path);
    const own = message === undefined ? undefined : idOf(message)?.value;
    return own === undefined || own === id ? message : this.#damaged(path, `it is about '${own}', not '${id}'`);
  }

  #decoded<D extends DescMessage>(schema: D, path: string, records: readonly Buffer[]): MessageShape<D>[] {
    return records.flatMap((bytes) => {
      try {
        return [decode(schema, bytes)];
      } catch (error) {
        this.#damaged(path, messageOf(error));
        return [];
      }
    });
  }

  /**
   * A complete list, written at once: unlike updates, a part of it is damage. `whole` is undefined then, and when there
   * is no file: half a target must not be carried out, it would delete volumes.
   */
  #resources(path: string): ResourceList {
    const data = this.#bytes(path);
    if (data === undefined) return { present: false, kept: [], whole: undefined };
    const { records, rest } = readRecords(data);
    const kept = this.#decoded(ResourceSchema, path, records).filter((resource) => this.#isValid(path, resource));
    if (rest !== undefined) this.#damaged(path, `its last record is ${rest}`);
    return { present: true, kept, whole: rest === undefined && kept.length === records.length ? kept : undefined };
  }

  #valid(path: string, resources: readonly Resource[]): Resource[] {
    return resources.filter((resource) => this.#isValid(path, resource));
  }

  #isValid(path: string, resource: Resource): boolean {
    try {
      Resources.of([resource]);
      return true;
    } catch (error) {
      this.#damaged(path, messageOf(error));
      return false;
    }
  }

  /** Appended records. A partial last one is cut off, so that what is appended later can be read. */
  #appended<D extends DescMessage>(schema: D, path: string): MessageShape<D>[] {
    const data = this.#bytes(path);
    if (data === undefined) return [];
    const { records, rest, goodLength } = readRecords(data);
    if (rest === "corrupt") this.#damaged(path, `the record at byte ${goodLength} is longer than any can be`);
    if (rest !== undefined) {
      this.#options.log.warn(
        `The last record of ${path} is ${rest}: keeping ${records.length} records (${goodLength} of ${data.length} bytes)`,
      );
      this.#cut(path, goodLength);
    }
    return this.#decoded(schema, path, records);
  }

  #records(path: string, key: RunKey, taskId: string): StatusUpdateRecord[] {
    return this.#appended(StatusUpdateRecordSchema, path).filter(({ update }) => {
      if (update === undefined) return true;
      const about = update.status?.taskId?.value;
      if (about === taskId && update.frameworkId?.value === key.frameworkId) {
        this.#mended(path, mendUpdate(update, key));
        return true;
      }
      this.#damaged(path, `it has an update of task '${about}' of framework ${update.frameworkId?.value}`);
      return false;
    });
  }

  #cut(path: string, length: number): void {
    try {
      truncateSync(path, length);
    } catch (error) {
      throw new UserError(
        `cannot cut the partial last record off ${path}: ${messageOf(error)}`,
        "give the agent a work_dir that it can write to",
        { cause: error },
      );
    }
  }

  #folders(path: string): string[] {
    try {
      return readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
        .sort();
    } catch (error) {
      if (codeOf(error) === "ENOENT") return [];
      this.#damaged(path, messageOf(error));
      return [];
    }
  }

  #link(path: string): string | undefined {
    try {
      return basename(readlinkSync(path));
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      return this.#damaged(path, messageOf(error));
    }
  }

  #agent(): CheckpointedAgent | undefined {
    const id = this.#link(this.#meta.latestAgent());
    if (id === undefined) return undefined;
    const info = this.#named(AgentInfoSchema, this.#meta.agentInfo(id), id, (found) => found.id);
    if (info === undefined) return undefined;
    const frameworks = this.#folders(this.#meta.frameworks(id)).map((name) => this.#framework(id, name));
    return {
      id,
      info,
      drain: this.#message(DrainConfigSchema, this.#meta.drain(id)),
      operationStreams: this.#folders(this.#meta.operations(id)).map((uuid) => ({
        uuid,
        records: this.#appended(UpdateOperationStatusRecordSchema, this.#meta.operationUpdates(id, uuid)),
      })),
      frameworks: frameworks.filter((framework) => framework !== undefined),
    };
  }

  #framework(agentId: string, id: string): CheckpointedFramework | undefined {
    const info = this.#named(FrameworkInfoSchema, this.#meta.frameworkInfo(agentId, id), id, (found) => found.id);
    if (info === undefined) return undefined;
    const pid = this.#pid(this.#meta.frameworkPid(agentId, id));
    const executors = this.#folders(this.#meta.executors(agentId, id)).map((name) => this.#executor(agentId, id, name));
    return {
      id,
      info,
      pid,
      executors: executors.filter((executor) => executor !== undefined),
    };
  }

  #executor(agentId: string, frameworkId: string, id: string): CheckpointedExecutor | undefined {
    const meta = this.#meta;
    const info = this.#named(
      ExecutorInfoSchema,
      meta.executorInfo(agentId, frameworkId, id),
      id,
      (found) => found.executorId,
    );
    if (info === undefined) return undefined;
    const path = meta.executorInfo(agentId, frameworkId, id);
    this.#mended(path, mendExecutor(info, frameworkId));
    info.resources = this.#valid(path, info.resources);
    const latest = this.#link(meta.latestRun(agentId, frameworkId, id));
    const runs = this.#folders(meta.runs(agentId, frameworkId, id));
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
    const { value, problem } = mendGenerated(this.#bytes(path)?.toString().trim(), info, launches);
    if (problem !== undefined) this.#mended(path, [problem]);
    return value;
  }

  /** A libprocess address; undefined when there is none, or none that could be written to. */
  #pid(path: string): string | undefined {
    const text = this.#text(path);
    if (text === undefined || text.startsWith("@")) return undefined;
    if (/^[^@\s]+@(\[[0-9a-fA-F:.]+\]|[0-9.]+):\d{1,5}$/.test(text)) return text;
    return this.#damaged(path, `'${text.slice(0, 100)}' is no address of a process`);
  }

  #run(key: RunKey): CheckpointedRun {
    const meta = this.#meta;
    const pid = this.#text(meta.forkedPid(key));
    if (pid !== undefined && !/^[1-9]\d{0,9}$/.test(pid)) this.#damaged(meta.forkedPid(key), `'${pid}' is no pid`);
    const tasks = this.#folders(meta.tasks(key)).map((id) => this.#task(key, id));
    return {
      containerId: key.containerId,
      completed: this.#bytes(meta.sentinel(key)) !== undefined,
      forkedPid: pid !== undefined && /^[1-9]\d{0,9}$/.test(pid) ? Number(pid) : undefined,
      libprocessPid: this.#pid(meta.libprocessPid(key)),
      http: this.#bytes(meta.httpMarker(key)) !== undefined,
      tasks: tasks.filter((task) => task !== undefined),
    };
  }

  #task(key: RunKey, id: string): CheckpointedTask | undefined {
    const meta = this.#meta;
    const task = this.#named(TaskSchema, meta.taskInfo(key, id), id, (found) => found.taskId);
    if (task === undefined) return undefined;
    const path = meta.taskInfo(key, id);
    this.#mended(path, mendTask(task, key));
    task.resources = this.#valid(path, task.resources);
    const records = this.#records(meta.taskUpdates(key, id), key, id);
    return {
      id,
      task,
      launch: this.#launch(meta.taskLaunch(key, id), key, id),
      killGrace: this.#killGrace(meta.taskKill(key, id)),
      updates: records.map((record) =>
        record.type === StatusUpdateRecord_Type.ACK
          ? { acknowledged: record.uuid }
          : { ...(record.update && { update: record.update }) },
      ),
    };
  }

  #launch(path: string, key: RunKey, id: string): RunTaskMessage | undefined {
    const launch = this.#named(RunTaskMessageSchema, path, id, (found) => found.task?.taskId);
    if (launch?.task === undefined) return undefined;
    const framework = launch.framework?.id?.value ?? "";
    // Another framework's task of this name: what it says of the command is not this task's.
    if (framework !== key.frameworkId) return this.#damaged(path, `it is of framework '${framework}'`);
    this.#mended(path, mendLaunch(launch, key));
    launch.task.resources = this.#valid(path, launch.task.resources);
    return launch;
  }

  #killGrace(path: string): number | undefined {
    const text = this.#text(path);
    if (text === undefined) return undefined;
    try {
      const grace = (JSON.parse(text) as { graceMilliseconds?: unknown }).graceMilliseconds;
      if (typeof grace === "number" && grace >= 0) return grace;
    } catch {
      // Falls through to the message: what is written there is not ours.
    }
    return this.#damaged(path, "not a kill request");
  }
}
