import * as z from "zod";
import { UserError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { taskFolder } from "../client/files.ts";
import type { ContainerChain } from "../mesos/container-chain.ts";

/** A task as a command sees it. */
export interface TaskRow {
  readonly id: string;
  readonly name: string;
  /** `TASK_RUNNING`; TASK_STAGING for one that its executor does not have yet. */
  readonly state: string;
  readonly isOver: boolean;
  readonly frameworkId: string;
  readonly frameworkName: string;
  readonly agentId: string;
  readonly cpus: number;
  /** Megabytes. */
  readonly mem: number;
  /** When it began to run: seconds since the epoch. */
  readonly started: number | undefined;
  readonly container: ContainerChain | undefined;
  /** Where it writes on its agent; undefined when a master told of it. */
  readonly folder: string | undefined;
  readonly hasTerminal: boolean;
}

interface IdJson {
  readonly value: string;
  readonly parent?: IdJson | undefined;
}
const id: z.ZodType<IdJson> = z.lazy(() => z.looseObject({ value: z.string(), parent: id.optional() }));
const status = z.looseObject({
  state: z.string(),
  timestamp: z.number().default(0),
  container_status: z.looseObject({ container_id: id.optional() }).optional(),
});
const task = z.looseObject({
  id: z.string(),
  name: z.string().default(""),
  state: z.string().default("TASK_STAGING"),
  framework_id: z.string().default(""),
  slave_id: z.string().default(""),
  resources: z.looseObject({ cpus: z.number().default(0), mem: z.number().default(0) }).default({ cpus: 0, mem: 0 }),
  statuses: z.array(status).default([]),
  container: z.looseObject({ tty_info: z.unknown().optional() }).optional(),
});
const executor = z.looseObject({
  id: z.string(),
  directory: z.string(),
  type: z.string().optional(),
  container: z.string().default(""),
  tasks: z.array(task).default([]),
  queued_tasks: z.array(task).default([]),
  completed_tasks: z.array(task).default([]),
});
const framework = z.looseObject({
  id: z.string(),
  name: z.string().default(""),
  executors: z.array(executor).default([]),
  completed_executors: z.array(executor).default([]),
});
const agentState = z
  .looseObject({
    frameworks: z.array(framework).default([]),
    completed_frameworks: z.array(framework).default([]),
  })
  // It has frameworks, too, without executors: as an agent's it would be one that runs nothing.
  .refine((state) => !("slaves" in state), "it is a master's");
const masterTasks = z.looseObject({ tasks: z.array(task).default([]) });

const OVER = /^TASK_(FINISHED|FAILED|KILLED|ERROR|LOST|DROPPED|GONE|GONE_BY_OPERATOR)$/;

function chainIn(statuses: readonly z.infer<typeof status>[]): ContainerChain | undefined {
  const last = statuses.findLast((each) => each.container_status?.container_id !== undefined);
  const chain: string[] = [];
  for (let at = last?.container_status?.container_id; at !== undefined; at = at.parent) chain.unshift(at.value);
  const [root, ...below] = chain;
  return root === undefined ? undefined : [root, ...below];
}

function rowOf(each: z.infer<typeof task>, more: Pick<TaskRow, "frameworkName" | "folder"> & { frameworkId: string }) {
  const started = each.statuses.find(({ state }) => state === "TASK_RUNNING");
  return {
    ...{ id: each.id, name: each.name, state: each.state, isOver: OVER.test(each.state), agentId: each.slave_id },
    ...{ cpus: each.resources.cpus, mem: each.resources.mem, started: started?.timestamp },
    container: chainIn(each.statuses),
    hasTerminal: each.container?.tty_info !== undefined,
    ...more,
  };
}

/** The tasks in an agent's /state, the running ones first. */
export function rowsOfAgent(state: unknown): TaskRow[] {
  const { frameworks, completed_frameworks } = agentState.parse(state);
  const rows = [...frameworks, ...completed_frameworks].flatMap((of) =>
    [...of.executors, ...of.completed_executors].flatMap((one) => {
      // Nobody was told of the end of a task whose framework was gone: its last state stays.
      const isGone = completed_frameworks.includes(of) || of.completed_executors.includes(one);
      return [...one.tasks, ...one.queued_tasks, ...one.completed_tasks].map((each): TaskRow => {
        const folder = taskFolder(one, each.id);
        const row = rowOf(each, { frameworkId: of.id, frameworkName: of.name, folder });
        // Before the first status the executor's own is what is known.
        const container = row.container ?? (one.container === "" ? undefined : ([one.container] as const));
        return { ...row, container, isOver: row.isOver || isGone };
      });
    }),
  );
  return rows.toSorted((left, right) => Number(left.isOver) - Number(right.isOver));
}

/** The tasks in a master's /tasks. */
export const rowsOfMaster = (page: unknown): TaskRow[] =>
  masterTasks
    .parse(page)
    .tasks.map((each) => rowOf(each, { frameworkId: each.framework_id, frameworkName: "", folder: undefined }))
    .toSorted((left, right) => Number(left.isOver) - Number(right.isOver));

/** As many ids as fit into a message. */
const MOST_NAMED = 5;
const named = (rows: readonly TaskRow[]): string =>
  [...new Set(rows.map((row) => row.id))].slice(0, MOST_NAMED).join(", ") + (rows.length > MOST_NAMED ? ", …" : "");

/** Of several, those that have not ended, where there are such. */
const livingOf = (rows: readonly TaskRow[]): readonly TaskRow[] => {
  const living = rows.filter(({ isOver }) => !isOver);
  return living.length > 0 ? living : rows;
};

/**
 * The one task of this id, or whose id alone begins so. Throws a UserError that names what there is.
 *
 * @param where `the agent at 127.0.0.1:5051`
 */
export function findTask(rows: readonly TaskRow[], wanted: string, where: string, frameworkId?: string): TaskRow {
  const asked = rows.filter((row) => frameworkId === undefined || row.frameworkId === frameworkId);
  const exact = livingOf(asked.filter((row) => row.id === wanted));
  const frameworks = [...new Set(exact.map((row) => row.frameworkId))];
  if (frameworks.length > 1)
    throw new UserError(
      `${frameworks.length} frameworks have a task '${wanted}' at ${where}`,
      `say whose: ${frameworks.map((one) => `--framework=${one}`).join(" or ")}`,
    );
  if (exact[0] !== undefined) return exact[0];
  const begun = livingOf(asked.filter((row) => row.id.startsWith(wanted)));
  if (new Set(begun.map((row) => `${row.frameworkId}/${row.id}`)).size > 1)
    throw new UserError(
      `the ids of several tasks at ${where} begin with '${wanted}': ${named(begun)}`,
      "give more of the id",
    );
  if (begun[0] !== undefined) return begun[0];
  const like = nearest(
    wanted,
    asked.map((row) => row.id),
  );
  const living = asked.filter(({ isOver }) => !isOver);
  const fix =
    like !== undefined ? `did you mean ${like}?` : `running there: ${living.length === 0 ? "nothing" : named(living)}`;
  throw new UserError(`there is no task '${wanted}' at ${where}`, fix);
}
