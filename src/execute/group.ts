import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { messageOf, UserError } from "../base/errors.ts";
import { copyOf } from "../mesos/copy.ts";
import {
  ExecutorInfo_Type,
  ExecutorInfoSchema,
  FrameworkIDSchema,
  type Offer,
  Offer_Operation_LaunchGroupSchema,
  Offer_Operation_LaunchSchema,
  Offer_Operation_Type,
  type Resource,
  type TaskGroupInfo,
  TaskGroupInfoSchema,
  type TaskInfo,
  TaskInfoSchema,
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
const TASK = '{"name": …, "task_id": {"value": …}, "resources": […], "command": {"value": …}}';
const FILE = "or the path of a file with it";

/** A message whose tasks need no agent id, as nobody knows it yet. Throws a UserError. */
function given<D extends DescMessage>(schema: D, value: Json, form: string): MessageShape<D> {
  try {
    return fromJson(schema, value, { v0: true });
  } catch (error) {
    throw new UserError(messageOf(error), form);
  }
}

const placed = (task: unknown): Json =>
  typeof task === "object" && task !== null ? { agent_id: { value: "" }, ...task } : (task as Json);

function checkTask({ taskId, resources }: TaskInfo): void {
  const id = taskId?.value ?? "";
  const problem = idProblem(id);
  if (problem !== undefined) throw new UserError(`the task id '${id}' ${problem}`, "choose another");
  if (resources.length === 0)
    throw new UserError(`task '${id}' has no resources`, "give it some, such as cpus and mem");
}

/** `--task`: a TaskInfo. Throws a UserError that says what is wrong with it. */
export function parseTask(value: unknown): TaskInfo {
  const task = given(TaskInfoSchema, placed(value), `write ${TASK}, ${FILE}`);
  checkTask(task);
  if ((task.command === undefined) === (task.executor === undefined))
    throw new UserError("a task has either a command or an executor", "give it one of them");
  return task;
}

/** `--task_group`: a TaskGroupInfo. Throws a UserError that says what is wrong with which task. */
export function parseTaskGroup(value: unknown): TaskGroupInfo {
  const form = `write {"tasks": [${TASK}]}, ${FILE}`;
  const tasks = (value as { tasks?: unknown } | null)?.tasks;
  if (!Array.isArray(tasks) || tasks.length === 0) throw new UserError("it has no 'tasks'", form);
  const group = given(TaskGroupInfoSchema, { tasks: tasks.map(placed) }, form);
  const seen = new Set<string>();
  for (const task of group.tasks) {
    checkTask(task);
    const id = task.taskId?.value ?? "";
    if (seen.has(id)) throw new UserError(`two tasks have the id '${id}'`, "give each its own");
    seen.add(id);
    if (task.executor !== undefined)
      throw new UserError(
        `task '${id}' has an executor`,
        "leave it out: a group's tasks are run by one default executor",
      );
    if (task.command === undefined) throw new UserError(`task '${id}' has no command`, "give it one");
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

/** The task on the offer's agent, with what it may have of the offer; undefined when that is not enough. */
function placedOn({ agentId }: Offer, task: TaskInfo, share: Share): TaskInfo | undefined {
  const resources = share.take(Resources.of(task.resources));
  if (resources === undefined || agentId === undefined) return undefined;
  return Object.assign(copyOf(task), { agentId, resources });
}

interface Whose {
  readonly role: string;
  readonly user: string;
}

/** A task that is given as a whole. */
export function taskWork(task: TaskInfo, { role, user }: Whose): Work {
  const taskId = task.taskId?.value ?? "";
  const demand = Resources.of(task.resources).add(Resources.of(task.executor?.resources ?? []));
  return {
    ...{ name: task.name, role, user, taskIds: [taskId], demand },
    words: `task '${taskId}'`,
    operation(offer, frameworkId) {
      const share = new Share(offer);
      const launched = placedOn(offer, task, share);
      const forExecutor = share.take(Resources.of(task.executor?.resources ?? []));
      if (launched === undefined || forExecutor === undefined) return undefined;
      if (launched.executor !== undefined) {
        launched.executor.resources = forExecutor;
        launched.executor.frameworkId = create(FrameworkIDSchema, { value: frameworkId });
      }
      return {
        type: Offer_Operation_Type.LAUNCH,
        launch: create(Offer_Operation_LaunchSchema, { taskInfos: [launched] }),
      };
    },
  };
}

/** A group of tasks with Mesos' default executor, as Mesos' own mesos-execute launches it. */
export function groupWork(group: TaskGroupInfo, { role, user }: Whose): Work {
  const taskIds = group.tasks.map(({ taskId }) => taskId?.value ?? "");
  const tasks = group.tasks.reduce((sum, { resources }) => sum.add(Resources.of(resources)), Resources.empty);
  return {
    name: taskIds[0] ?? "",
    ...{ role, user, taskIds, demand: tasks.add(EXECUTOR) },
    words: `task group of ${taskIds.join(", ")}`,
    operation(offer, frameworkId) {
      const share = new Share(offer);
      const forExecutor = share.take(EXECUTOR);
      const tasks = group.tasks.map((task) => placedOn(offer, task, share)).filter((task) => task !== undefined);
      if (forExecutor === undefined || tasks.length < group.tasks.length) return undefined;
      const executor = create(ExecutorInfoSchema, {
        type: ExecutorInfo_Type.DEFAULT,
        executorId: { value: EXECUTOR_ID },
        frameworkId: { value: frameworkId },
        resources: [...forExecutor, ...(share.take(EXECUTOR_DISK) ?? [])],
      });
      return {
        type: Offer_Operation_Type.LAUNCH_GROUP,
        launchGroup: create(Offer_Operation_LaunchGroupSchema, { executor, taskGroup: { tasks } }),
      };
    },
  };
}
