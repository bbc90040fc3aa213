import { has } from "../../mesos/codec.ts";
import type { FrameworkInfo, TaskInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { idOf } from "../../mesos/ids.ts";
import type { Authorizer } from "./authorizer.ts";
import { launchedTaskUser } from "./objects.ts";
import type { Refusals } from "./refusals.ts";
import type { Subject } from "./subject.ts";

/** Whether a framework may run tasks as their users, on this node: masters have decided it already, by their own rules. */
export class LaunchPermission {
  readonly #authorizer: Authorizer;
  readonly #refusals: Refusals;

  constructor(authorizer: Authorizer, refusals: Refusals) {
    this.#authorizer = authorizer;
    this.#refusals = refusals;
  }

  /** Why the tasks may not be launched, in Mesos' words; undefined: they may. */
  problem(framework: FrameworkInfo, tasks: readonly TaskInfo[]): string | undefined {
    const subject: Subject = has(framework, "principal") ? { kind: "principal", name: framework.principal } : undefined;
    const approver = this.#authorizer.approverOf(subject);
    if (approver === undefined) return undefined;
    for (const task of tasks) {
      const user = launchedTaskUser(task, framework);
      if (approver.allows("run_tasks", user)) continue;
      this.#refusals.forbidden(subject, "run_tasks", user);
      return `Framework ${idOf(framework.id)} is not authorized to launch task ${idOf(task.taskId)} as user '${user}'`;
    }
    return undefined;
  }
}
