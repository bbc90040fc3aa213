import { setTimeout as pause } from "node:timers/promises";
import { TaskState, type TaskStatus } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { Call_Type } from "../../src/mesos/gen/mesos/v1/scheduler/scheduler_pb.ts";
import { isTerminal } from "../../src/mesos/states.ts";
import { commandTask, type TestScheduler } from "./scheduler.ts";

/** One piece of work: it is launched, under another id each time, until an attempt has really run. */
export interface Job {
  readonly number: number;
  readonly attempts: string[];
  done: boolean;
}

/** The exit code of a job's command. */
export const codeOf = (job: Pick<Job, "number">): number => job.number % 3;

/** A launch that is not heard of for so long is asked about, in milliseconds. */
const ASK_AFTER = 2_000;
/** Tasks of one ACCEPT, at most. */
const MOST_AT_ONCE = 100;
const TICK = 50;

/**
 * A framework that wants so many tasks a second to run, whatever happens: what becomes due while nobody offers anything
 * waits for the next offer, and what a dying master swallowed, or an agent never started, is launched again.
 */
export class SteadyLoad {
  readonly jobs: Job[] = [];
  readonly #scheduler: TestScheduler;
  readonly #perSecond: number;
  readonly #byId = new Map<string, Job>();
  readonly #due: Job[] = [];
  /** Attempts that nothing was heard of, with the time when they were launched or last asked about. */
  readonly #silent = new Map<string, { since: number; agentId: string }>();
  #seen = 0;
  #begin = 0;
  #over = false;
  #giveUpAt = Number.POSITIVE_INFINITY;
  #ended: Promise<void> = Promise.resolve();

  constructor(scheduler: TestScheduler, perSecond: number) {
    this.#scheduler = scheduler;
    this.#perSecond = perSecond;
  }

  start(): void {
    this.#begin = Date.now();
    this.#seen = this.#scheduler.updates.length;
    this.#ended = this.#run();
  }

  get finished(): number {
    return this.jobs.filter(({ done }) => done).length;
  }

  /** Wants nothing more; resolves when everything that was wanted has run. Rejects after `milliseconds`. */
  async end(milliseconds: number): Promise<void> {
    this.#over = true;
    this.#giveUpAt = Date.now() + milliseconds;
    await this.#ended;
    const missing = this.jobs.filter(({ done }) => !done).map(({ attempts }) => attempts.at(-1) ?? "not launched");
    if (missing.length > 0) throw new Error(`never ran: ${missing.join(", ")}; ${this.#scheduler.describe()}`);
  }

  async #run(): Promise<void> {
    while (Date.now() < this.#giveUpAt && !(this.#over && this.jobs.every(({ done }) => done))) {
      this.#grow();
      this.#hear();
      await this.#launch();
      await this.#ask();
      await pause(TICK);
    }
  }

  #grow(): void {
    const wanted = this.#over ? 0 : ((Date.now() - this.#begin) / 1000) * this.#perSecond;
    while (this.jobs.length < wanted) {
      const job = { number: this.jobs.length, attempts: [], done: false };
      this.jobs.push(job);
      this.#due.push(job);
    }
  }

  #hear(): void {
    const { updates } = this.#scheduler;
    for (; this.#seen < updates.length; this.#seen++) this.#take(updates[this.#seen] as TaskStatus);
  }

  #take({ taskId, state }: TaskStatus): void {
    const id = taskId?.value ?? "";
    const job = this.#byId.get(id);
    if (job === undefined) return;
    // The master's word that it is on its way is none of the agent's.
    if (state === TaskState.TASK_STAGING) return;
    this.#silent.delete(id);
    if (!isTerminal(state)) return;
    if (state === TaskState.TASK_FINISHED || state === TaskState.TASK_FAILED) job.done = true;
    else if (!job.done && job.attempts.at(-1) === id && !this.#due.includes(job)) this.#due.push(job);
  }

  async #launch(): Promise<void> {
    const offer = this.#scheduler.offers[0];
    if (offer === undefined || this.#due.length === 0) return;
    const since = Date.now();
    const tasks = this.#due.splice(0, MOST_AT_ONCE).map((job) => {
      const id = `short-${job.number}.${job.attempts.length}`;
      job.attempts.push(id);
      this.#byId.set(id, job);
      this.#silent.set(id, { since, agentId: offer.agentId?.value ?? "" });
      return commandTask(id, `echo started; sleep 0.2; exit ${codeOf(job)}`);
    });
    // A master that is gone answers nothing: whether the tasks came to be, the next one can be asked.
    await this.#scheduler.launch(tasks).catch(() => undefined);
  }

  /** Only a master that offers the agent knows what runs there. */
  async #ask(): Promise<void> {
    if (this.#scheduler.offers.length === 0) return;
    const now = Date.now();
    const asked = [...this.#silent].filter(([, { since }]) => now - since > ASK_AFTER);
    if (asked.length === 0) return;
    for (const [, entry] of asked) entry.since = now;
    const tasks = asked.map(([id, { agentId }]) => ({ taskId: { value: id }, agentId: { value: agentId } }));
    await this.#scheduler.call({ type: Call_Type.RECONCILE, reconcile: { tasks } });
  }
}
