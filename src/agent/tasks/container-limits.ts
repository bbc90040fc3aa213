import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { TaskInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { AgentFlags } from "../flags/table.ts";
import type { Containerizer } from "../model/container.ts";
import type { ExecutorRecord } from "../model/records.ts";
import { tasksIn } from "../model/records.ts";
import { ownVolumes } from "../sandbox/volume-owner.ts";
import { executorLimits, limitsProblem } from "./limits.ts";

/** The limits of containers: which can be held here, and holding them to what tasks have now. */
export class ContainerLimits {
  readonly #flags: AgentFlags;
  readonly #containerizers: readonly Containerizer[];
  readonly #log: Logger;

  constructor(flags: AgentFlags, containerizers: readonly Containerizer[], log: Logger) {
    this.#flags = flags;
    this.#containerizers = containerizers;
    this.#log = log;
  }

  /** Why a task's limits cannot be held by this agent, if they cannot. */
  problem(task: TaskInfo): string | undefined {
    const containerizer = this.#containerizers.find((candidate) => candidate.accepts(task.container));
    return containerizer === undefined ? undefined : limitsProblem(task, containerizer.enforces);
  }

  /** Holds an executor's container to what its tasks have now. */
  resize(executor: ExecutorRecord): void {
    const { containerizer, containerId, info } = executor;
    const tasks = tasksIn(executor, "queued", "launched").map(({ task }) => task);
    const resources = [...info.resources, ...tasks.flatMap((task) => task.resources)];
    ownVolumes(this.#flags.work_dir, resources, executor.directory, this.#log);
    const limits = executorLimits(info.resources, tasks, { cfs: this.#flags.cgroups_enable_cfs });
    containerizer?.update(containerId, resources, limits).catch((error: unknown) => {
      this.#log.error(`Cannot change the limits of container ${containerId}: ${messageOf(error)}`);
    });
  }
}
