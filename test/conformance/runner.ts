import { readFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { messageOf } from "../../src/base/errors.ts";
import {
  FrameworkInfo_Capability_Type,
  type Offer,
  Offer_Operation_Type,
  TaskInfoSchema,
  TaskState,
  type TaskStatus,
  TaskStatus_Reason,
} from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { stateName } from "../../src/mesos/states.ts";
import { TestScheduler } from "../support/scheduler.ts";
import type { Case, TaskInit } from "./case.ts";
import { witnesses } from "./witnesses.ts";

/** What became of a task. */
export interface Outcome {
  /** Neighbours that are the same count once. */
  readonly states: readonly string[];
  readonly message: string;
  readonly reason: string | undefined;
  readonly healthy: boolean | undefined;
  readonly stdout: string;
}

/** A cluster of one agent, of whoever's making. */
export interface Cluster {
  /** `host:port` of the master. */
  readonly master: string;
  readonly workDir: string;
}

const RESOURCES = [
  { name: "cpus", type: 0, scalar: { value: 0.1 } },
  { name: "mem", type: 0, scalar: { value: 32 } },
];
/** Tasks that are under way at once: what a small machine bears. */
const AT_ONCE = 25;
/** Less than the agent has, more than a batch wants. */
const ENOUGH_CPUS = 900;
/** Milliseconds in which a task must have ended, and a batch its offer. */
const PATIENCE = 120_000;

const taskOf = (one: Case, index: number): TaskInit =>
  ({ name: one.name, taskId: { value: idOf(one, index) }, resources: RESOURCES, ...one.task }) as TaskInit;
const idOf = (one: Case, index: number): string => one.task.taskId?.value ?? `case-${index}`;

/** What became of a table, by the cases' names. */
export interface Run {
  readonly outcomes: ReadonlyMap<string, Outcome>;
  /** Why nothing is known of a case. */
  readonly trouble: ReadonlyMap<string, string>;
}

/**
 * Runs a table on a cluster, some at a time, and tells what became of each task. `beside`: what is done afterwards, while
 * `witnesses` run.
 */
export async function runTable(
  cases: readonly Case[],
  { master, workDir }: Cluster,
  beside?: () => Promise<void>,
): Promise<Run> {
  const scheduler = new TestScheduler({
    master,
    name: "conformance",
    user: "root",
    checkpoint: true,
    failoverTimeout: 60,
    capabilities: [FrameworkInfo_Capability_Type.PARTITION_AWARE],
  });
  await scheduler.subscribe();
  const outcomes = new Map<string, Outcome>();
  const trouble = new Map<string, string>();
  try {
    for (const part of batches(cases)) {
      const batch = part.map(([at, one]) => ({ one, id: idOf(one, at), task: taskOf(one, at) }));
      const offers = await everyOffer(scheduler);
      const agentId = offers[0]?.agentId;
      const taskInfos = batch.map(({ task }) => create(TaskInfoSchema, { ...task, ...(agentId && { agentId }) }));
      await scheduler.accept(offers, [{ type: Offer_Operation_Type.LAUNCH, launch: { taskInfos } }]);
      await Promise.all(
        batch.map(async ({ one, id }) => {
          try {
            const last = await endOf(scheduler, one, id, workDir);
            outcomes.set(one.name, outcomeOf(scheduler, id, last, workDir));
          } catch (error) {
            trouble.set(one.name, messageOf(error));
            await scheduler.kill(id);
          }
        }),
      );
    }
    if (beside !== undefined) {
      await startWitnesses(scheduler);
      await beside();
    }
  } finally {
    await scheduler.teardown();
  }
  return { outcomes, trouble };
}

/** Some at a time, each with its place in the table. */
function* batches(cases: readonly Case[]): Generator<(readonly [number, Case])[]> {
  const all = [...cases.entries()];
  for (const one of all) if (one[1].alone) yield [one];
  const rest = all.filter(([, { alone }]) => !alone);
  for (let start = 0; start < rest.length; start += AT_ONCE) yield rest.slice(start, start + AT_ONCE);
}

/** Tasks that run while answers are compared: with them, answers have all that they can have. */
async function startWitnesses(scheduler: TestScheduler): Promise<void> {
  const offers = await everyOffer(scheduler);
  const agentId = offers[0]?.agentId;
  const taskInfos = witnesses.map((task) => create(TaskInfoSchema, { ...task, ...(agentId && { agentId }) }));
  await scheduler.accept(offers, [{ type: Offer_Operation_Type.LAUNCH, launch: { taskInfos } }]);
  for (const { taskId } of taskInfos) {
    const id = taskId?.value ?? "";
    const isHere = () => scheduler.updates.some((one) => one.taskId?.value === id && (one.healthy || one.checkStatus));
    await scheduler.until(`a looked after ${id}`, isHere, PATIENCE);
  }
}

/** What ended tasks had comes back in pieces: waits until enough of them is here for whatever a batch wants. */
const everyOffer = (scheduler: TestScheduler): Promise<Offer[]> =>
  scheduler.until(
    "offers",
    () => {
      const cpus = scheduler.offers.flatMap(({ resources }) => resources.filter(({ name }) => name === "cpus"));
      const sum = cpus.reduce((total, { scalar }) => total + (scalar?.value ?? 0), 0);
      return sum >= ENOUGH_CPUS && [...scheduler.offers];
    },
    PATIENCE,
  );

/** The last status of a task, which is killed on its way if the case says so. */
async function endOf(scheduler: TestScheduler, one: Case, id: string, workDir: string): Promise<TaskStatus> {
  const { TASK_RUNNING } = TaskState;
  if (one.kill) {
    const word = one.kill === true ? "" : one.kill.after;
    await scheduler.until(`RUNNING of ${one.name}`, () => scheduler.statesOf(id).includes(TASK_RUNNING), PATIENCE);
    const agent = scheduler.updates.find(({ taskId }) => taskId?.value === id)?.agentId?.value ?? "";
    const said = () => stdoutOf(workDir, agent, scheduler.frameworkId ?? "", id).includes(word);
    await scheduler.until(`'${word}' of ${one.name}`, said, PATIENCE);
    await scheduler.kill(id);
  }
  return scheduler.until(`end of ${one.name}`, () => scheduler.terminalOf(id), PATIENCE);
}

function outcomeOf(scheduler: TestScheduler, id: string, last: TaskStatus, workDir: string): Outcome {
  const names = scheduler.statesOf(id).map((state) => stateName(state));
  return {
    states: names.filter((name, at) => name !== names[at - 1]),
    message: last.message,
    reason: Object.hasOwn(last, "reason") ? nameOf(last.reason) : undefined,
    healthy: Object.hasOwn(last, "healthy") ? last.healthy : undefined,
    stdout: stdoutOf(workDir, last.agentId?.value ?? "", scheduler.frameworkId ?? "", id),
  };
}

const nameOf = (reason: TaskStatus_Reason): string | undefined =>
  Object.entries(TaskStatus_Reason).find(([, value]) => value === reason)?.[0];

/** A C++ agent's executor writes lines of its own first. */
function stdoutOf(workDir: string, agent: string, framework: string, executor: string): string {
  try {
    return readFileSync(
      join(workDir, "slaves", agent, "frameworks", framework, "executors", executor, "runs/latest/stdout"),
      "utf8",
    );
  } catch {
    return "";
  }
}

/** In what an outcome is not what was expected; empty: in nothing. */
export function differences({ name, expected }: Case, { outcomes, trouble }: Run): string[] {
  const outcome = outcomes.get(name);
  if (outcome === undefined) return [trouble.get(name) ?? "it was not run"];
  const found: string[] = [];
  const compare = (what: string, wanted: unknown, is: unknown): void => {
    if (JSON.stringify(wanted) !== JSON.stringify(is))
      found.push(`${what}: ${JSON.stringify(is)} instead of ${JSON.stringify(wanted)}`);
  };
  compare("states", expected.states, outcome.states);
  const { message } = expected;
  if (message instanceof RegExp) {
    if (!message.test(outcome.message)) found.push(`message: ${JSON.stringify(outcome.message)} is not ${message}`);
  } else if (message !== undefined) compare("message", message, outcome.message);
  if (expected.reason !== undefined) compare("reason", expected.reason, outcome.reason);
  if (expected.healthy !== undefined) compare("healthy", expected.healthy, outcome.healthy);
  if (expected.stdout !== undefined && !outcome.stdout.endsWith(expected.stdout))
    found.push(
      `stdout ends with ${JSON.stringify(outcome.stdout.slice(-200))} instead of ${JSON.stringify(expected.stdout.slice(-200))}`,
    );
  return found;
}
