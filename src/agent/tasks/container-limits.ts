import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { TaskInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { AgentFlags } from "../flags/table.ts";
import { selectIsolators } from "../isolators/select.ts";
import type { ExecutorRecord } from "../model/records.ts";
import { tasksIn } from "../model/records.ts";
import { ownVolumes } from "../sandbox/volume-owner.ts";
import { executorLimits, limitsProblem } from "./limits.ts";

/** Says of a task why its limits cannot be held by this agent, if they cannot. */
export function limitsJudge({ isolation }: AgentFlags): (task: TaskInfo) => string | undefined {
  const { cpu, mem } = selectIsolators(isolation);
  const facts = { cpuGroups: cpu === "cgroups", memoryGroups: mem === "cgroups" };
  return (task) => limitsProblem(task, facts);
}

/** Holds an executor's container to what its tasks have now. */
export function resize(
  { flags, log }: { readonly flags: AgentFlags; readonly log: Logger },
  executor: ExecutorRecord,
): void {
  const { containerizer, containerId, info } = executor;
  const tasks = tasksIn(executor, "queued", "launched").map(({ task }) => task);
  const resources = [...info.resources, ...tasks.flatMap((task) => task.resources)];
  ownVolumes(flags.work_dir, resources, executor.directory, log);
  const limits = executorLimits(info.resources, tasks, { cfs: flags.cgroups_enable_cfs });
  containerizer?.update(containerId, resources, limits).catch((error: unknown) => {
    log.error(`Cannot change the limits of container ${containerId}: ${messageOf(error)}`);
  });
}
