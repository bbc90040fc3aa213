import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { NO_PID } from "../../libprocess/upid.ts";
import { encode } from "../../mesos/codec.ts";
import {
  ResourceStateSchema,
  type RunTaskMessage,
  RunTaskMessageSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import {
  type AgentInfo,
  AgentInfoSchema,
  type DrainConfig,
  DrainConfigSchema,
  ExecutorInfoSchema,
  FrameworkInfoSchema,
  type Operation,
  type Resource,
  ResourceSchema,
  TaskSchema,
} from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../../mesos/ids.ts";
import type { Resources } from "../../mesos/resources.ts";
import type { CheckpointFiles } from "../model/files.ts";
import type { Paths, RunKey } from "../model/paths.ts";
import { encodeRecord } from "../model/record-file.ts";
import type { ExecutorRecord, FrameworkRecord, KillRequest, TaskRecord } from "../model/records.ts";
import { unwritable } from "./unwritable.ts";

const record = <D extends DescMessage>(schema: D, message: MessageShape<D>): Buffer =>
  encodeRecord(encode(schema, message));

/**
 * Writes the agent's state in the C++ agent's files (mesos-agent-behaviour §3.2). Nothing is written for frameworks that
 * do not checkpoint, as there. Every method throws what the system said; the caller decides what that means.
 */
export class CheckpointStore {
  readonly #files: CheckpointFiles;
  readonly #paths: Paths;

  constructor(files: CheckpointFiles, paths: Paths) {
    this.#files = files;
    this.#paths = paths;
  }

  /** The link first, then the info: a crash in between leaves a link to nothing, which is a new agent. */
  async agent(info: AgentInfo): Promise<void> {
    const id = idOf(info.id);
    const { meta } = this.#paths;
    await this.#files.linkDurably(meta.latestAgent(), meta.agent(id));
    await this.#files.replaceDurably(meta.agentInfo(id), record(AgentInfoSchema, info));
  }

  /** The next start registers as a new agent. */
  forgetAgent(): void {
    this.#files.remove(this.#paths.meta.latestAgent());
  }

  /** The first write of every start. Throws a UserError that says what cannot be written. */
  async bootId(bootId: string): Promise<void> {
    const path = this.#paths.meta.bootId();
    try {
      await this.#files.replaceDurably(path, bootId);
    } catch (error) {
      throw unwritable(path, error);
    }
  }

  /** Two phases: the target, then `apply` (volume directories), then the commit. A crash in between redoes `apply`. */
  async resources(resources: readonly Resource[], apply: () => Promise<void>): Promise<void> {
    const data = Buffer.concat(resources.map((resource) => record(ResourceSchema, resource)));
    await this.#files.replaceDurably(this.#paths.meta.resourcesTarget(), data);
    await apply();
    // What a C++ agent left there is older, and would be believed if one came back.
    this.#files.remove(this.#paths.meta.resourcesAndOperations());
    await this.#files.replaceDurably(this.#paths.meta.resources(), data);
    this.#files.remove(this.#paths.meta.resourcesTarget());
  }

  /**
   * Resources together with the operations on them that are not acknowledged, in the files of agents since 1.8 and, for
   * older ones, `resources()`; `apply` undefined: only operations changed. The target comes first and goes last, so that
   * a crash in between is carried on with what both say.
   */
  async resourceState(
    resources: Resources,
    operations: readonly Operation[],
    apply: (() => Promise<void>) | undefined,
  ): Promise<void> {
    const { meta } = this.#paths;
    const state = create(ResourceStateSchema, { operations: [...operations], resources: resources.toMessages() });
    const data = record(ResourceStateSchema, state);
    await this.#files.replaceDurably(meta.resourcesAndOperationsTarget(), data);
    if (apply !== undefined) await this.resources(resources.toMessages("pre"), apply);
    await this.#files.replaceDurably(meta.resourcesAndOperations(), data);
    this.#files.remove(meta.resourcesAndOperationsTarget());
  }

  async drain(agentId: string, config: DrainConfig | undefined): Promise<void> {
    const path = this.#paths.meta.drain(agentId);
    if (config === undefined) this.#files.remove(path);
    else await this.#files.replaceDurably(path, record(DrainConfigSchema, config));
  }

  framework(agentId: string, { info, frameworkId, pid }: FrameworkRecord): void {
    if (!info.checkpoint) return;
    this.#files.replace(this.#paths.meta.frameworkInfo(agentId, frameworkId), record(FrameworkInfoSchema, info));
    this.#files.replace(this.#paths.meta.frameworkPid(agentId, frameworkId), pid ?? NO_PID);
  }

  /** Once per run, before its container is launched. Nothing of it is believed before a task of it is there. */
  executor(agentId: string, executor: ExecutorRecord): void {
    const { frameworkId, executorId, containerId, info } = executor;
    const { meta } = this.#paths;
    const tasks = meta.tasks({ agentId, frameworkId, executorId, containerId });
    this.#files.folder(tasks, meta.executors(agentId, frameworkId));
    this.#files.create(meta.executorInfo(agentId, frameworkId, executorId), record(ExecutorInfoSchema, info));
    this.#files.create(
      meta.generatedForCommandTask(agentId, frameworkId, executorId),
      executor.kind === "command" ? "1" : "0",
    );
    this.#files.link(
      meta.latestRun(agentId, frameworkId, executorId),
      meta.run({ agentId, frameworkId, executorId, containerId }),
    );
  }

  /**
   * Before the task is handed to its executor or container. `launch` is what the master sent; it comes first, because a
   * task without it is taken for one of a C++ agent. With `task.info` the task is believed; where that is empty, `launch` tells.
   */
  task(run: RunKey, task: TaskRecord, launch: RunTaskMessage): void {
    this.#files.folder(this.#paths.meta.task(run, task.taskId));
    this.#files.create(this.#paths.meta.taskLaunch(run, task.taskId), record(RunTaskMessageSchema, launch));
    if (task.group !== undefined)
      this.#files.create(this.#paths.meta.taskGroup(run, task.taskId), JSON.stringify(task.group));
    this.#files.create(this.#paths.meta.taskInfo(run, task.taskId), record(TaskSchema, task.task));
  }

  /** Takes back what was written of a launch that is refused after all. Only removes: a full disk may be the reason. */
  withdraw(run: RunKey, taskIds: readonly string[], isNewRun: boolean): void {
    for (const taskId of taskIds) this.#files.remove(this.#paths.meta.taskInfo(run, taskId));
    if (isNewRun) this.#files.remove(this.#paths.meta.latestRun(run.agentId, run.frameworkId, run.executorId));
  }

  /** A kill is under way: after a restart the task's end is reported as killed, and the grace goes on. */
  kill(run: RunKey, taskId: string, kill: KillRequest): void {
    this.#files.replace(this.#paths.meta.taskKill(run, taskId), JSON.stringify({ graceMilliseconds: kill.grace }));
  }

  forkedPid(run: RunKey, pid: number): void {
    this.#files.folder(this.#paths.meta.pids(run));
    this.#files.create(this.#paths.meta.forkedPid(run), String(pid));
  }

  libprocessPid(run: RunKey, upid: string): void {
    this.#files.replace(this.#paths.meta.libprocessPid(run), upid);
  }

  httpMarker(run: RunKey): void {
    this.#files.touch(this.#paths.meta.httpMarker(run));
  }

  /** The run is over. */
  sentinel(run: RunKey): void {
    this.#files.touch(this.#paths.meta.sentinel(run));
  }
}
