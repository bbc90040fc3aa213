import { create } from "@bufbuild/protobuf";
import { messageOf, UserError } from "../base/errors.ts";
import {
  ExecutorInfo_Type,
  ExecutorInfoSchema,
  type Offer,
  Offer_Operation_LaunchGroupSchema,
  Offer_Operation_Type,
  type Resource,
  type TaskGroupInfo,
  TaskGroupInfoSchema,
} from "../mesos/gen/mesos/v1/mesos_pb.ts";
import { idProblem } from "../mesos/ids.ts";
import { fromJson } from "../mesos/json.ts";
import type { Json } from "../mesos/json-text.ts";
import { Resources } from "../mesos/resources.ts";
import { parseResources } from "../mesos/resources-text.ts";
import { takeFrom, usable } from "./task.ts";
import type { Work } from "./work.ts";

/** What Mesos' mesos-execute gives the executor of a group. */
const EXECUTOR = parseResources("cpus:0.1;mem:32");
/** As well, from agents that have disk to offer. */
const EXECUTOR_DISK = parseResources("disk:32");
const EXECUTOR_ID = "default-executor";
const FORM =
  'write {"tasks": [{"name": …, "task_id": {"value": …}, "resources": […], "command": {"value": …}}]}, or the path of a file with it';

/** `--task_group`: a TaskGroupInfo whose tasks need no agent id. Throws a UserError that says what is wrong with which task. */
export function parseTaskGroup(value: unknown): TaskGroupInfo {
  const tasks = (value as { tasks?: unknown } | null)?.tasks;
  if (!Array.isArray(tasks) || tasks.length === 0) throw new UserError("it has no 'tasks'", FORM);
  const placed = tasks.map((task: unknown) =>
    typeof task === "object" && task !== null ? { agent_id: { value: "" }, ...task } : (task as Json),
  );
  let group: TaskGroupInfo;
  try {
    group = fromJson(TaskGroupInfoSchema, { tasks: placed as Json[] }, { v0: true });
  } catch (error) {
    throw new UserError(messageOf(error), FORM);
  }
  const seen = new Set<string>();
  for (const { taskId, resources, command, executor } of group.tasks) {
    const id = taskId?.value ?? "";
    const problem = idProblem(id);
    if (problem !== undefined) throw new UserError(`the task id '${id}' ${problem}`, "choose another");
    if (seen.has(id)) throw new UserError(`two tasks have the id '${id}'`, "give each its own");
    seen.add(id);
    if (resources.length === 0)
      throw new UserError(`task '${id}' has no resources`, "give it some, such as cpus and mem");
    if (executor !== undefined)
      throw new UserError(
        `task '${id}' has an executor`,
        "leave it out: a group's tasks are run by one default executor",
      );
    if (command === undefined) throw new UserError(`task '${id}' has no command`, "give it one");
  }
  return group;
}

/** What the tasks of a group may still have of an offer. */
class Share {
  #left: Resource[];

  constructor(offer: Offer) {
    this.#left = offer.resources;
  }

  take(needed: Resources): Resource[] | undefined {
    const taken = takeFrom(this.#left, needed);
    if (taken === undefined) return undefined;
    const isPost = this.#left.some(({ reservations }) => reservations.length > 0);
    this.#left = usable(this.#left)
      .subtract(Resources.of(taken))
      .toMessages(isPost ? "post" : "pre");
    return taken;
  }
}

/** A group of tasks with Mesos' default executor, as Mesos' own mesos-execute launches it. */
export function groupWork(
  group: TaskGroupInfo,
  { role, user }: { readonly role: string; readonly user: string },
): Work {
  const taskIds = group.tasks.map(({ taskId }) => taskId?.value ?? "");
  const tasks = group.tasks.reduce((sum, { resources }) => sum.add(Resources.of(resources)), Resources.empty);
  return {
    name: taskIds[0] ?? "",
    ...{ role, user, taskIds, demand: tasks.add(EXECUTOR) },
    words: `task group of ${taskIds.join(", ")}`,
    operation(offer, frameworkId) {
      const share = new Share(offer);
      const forExecutor = share.take(EXECUTOR);
      const placed = group.tasks.map((task) => {
        const resources = share.take(Resources.of(task.resources));
        return resources && { ...task, agentId: offer.agentId, resources };
      });
      const agentId = offer.agentId;
      if (forExecutor === undefined || agentId === undefined || placed.includes(undefined)) return undefined;
      const executor = create(ExecutorInfoSchema, {
        type: ExecutorInfo_Type.DEFAULT,
        executorId: { value: EXECUTOR_ID },
        frameworkId: { value: frameworkId },
        resources: [...forExecutor, ...(share.take(EXECUTOR_DISK) ?? [])],
      });
      const tasks = placed.flatMap((task) => (task === undefined ? [] : [{ ...task, agentId }]));
      return {
        type: Offer_Operation_Type.LAUNCH_GROUP,
        launchGroup: create(Offer_Operation_LaunchGroupSchema, { executor, taskGroup: { tasks } }),
      };
    },
  };
}
