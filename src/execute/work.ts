import { UserError } from "../base/errors.ts";
import { type Offer, type Offer_Operation, Offer_Operation_Type } from "../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Resources } from "../mesos/resources.ts";
import { type Job, taskFor } from "./task.ts";

type OperationInit = Pick<Offer_Operation, "type"> & Partial<Pick<Offer_Operation, "launch" | "launchGroup">>;

/** What one run of mesos-execute launches: a task, or a group of them. */
export interface Work {
  /** For the framework's name. */
  readonly name: string;
  readonly role: string;
  readonly user: string;
  /** All that it needs of one offer. */
  readonly demand: Resources;
  readonly taskIds: readonly string[];
  /** `task 'a'`, `task group of a, b` */
  readonly words: string;
  /** What to do with an offer; undefined when it cannot carry the work. */
  operation(offer: Offer, frameworkId: string): OperationInit | undefined;
}

/** One task, as the flags describe it. */
export function jobWork(job: Job, taskId: string): Work {
  return {
    ...{ name: job.name, role: job.role, user: job.user, demand: job.resources },
    taskIds: [taskId],
    words: `task '${taskId}'`,
    operation(offer) {
      const task = taskFor(job, taskId, offer);
      if (task === undefined) return undefined;
      return {
        type: Offer_Operation_Type.LAUNCH,
        launch: { $typeName: "mesos.v1.Offer.Operation.Launch", taskInfos: [task] },
      };
    },
  };
}

/** Flags that describe one task; with a group, which says all of it itself, they are a mistake. */
const ONE_TASK = ["name", "command", "env", "docker_image", "resources", "shell", "containerizer"] as const;

/** Throws a UserError when more than one of the ways to describe what is to run is used. `isGiven`: of the command line. */
export function refuseOneTaskFlags(isGiven: ReadonlySet<string>): void {
  const whole = ["task", "task_group"].filter((name) => isGiven.has(name)).map((name) => `--${name}`);
  if (whole.length > 1) throw new UserError("--task and --task_group do not go together", "give one or the other");
  const given = ONE_TASK.filter((name) => isGiven.has(name)).map((name) => `--${name}`);
  if (whole.length > 0 && given.length > 0)
    throw new UserError(
      `${given.join(", ")} and ${whole[0]} do not go together: ${whole[0]} says it all itself`,
      "give one or the other",
    );
}
