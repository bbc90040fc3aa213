import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { Contender } from "../../src/local-master/contender.ts";
import { LocalMaster } from "../../src/local-master/local-master.ts";
import { TaskState, type TaskStatus, TaskStatus_Reason } from "../../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { isTerminal } from "../../src/mesos/states.ts";
import { freePort } from "../support/free-port.ts";
import { AgentProcess, bundleAgent } from "../support/real-agent.ts";
import { commandTask, TestScheduler } from "../support/scheduler.ts";
import { codeOf, type Job, SteadyLoad } from "../support/steady-load.ts";
import { storyOf, updatesInOrder } from "../support/updates.ts";
import { Ensemble, missingZooKeeper } from "../support/zookeeper-ensemble.ts";

/** FAILOVER=short is for whoever changes this test; `settle` and the limit are for busy machines. */
const short = process.env["FAILOVER"] === "short";
const size = { failovers: short ? 6 : 20, running: short ? 30 : 200, perSecond: 20, settle: 180_000 };
/** Milliseconds for which an agent is killed again and again. */
const TROUBLE = short ? 12_000 : 30_000;
/** Milliseconds between the kills of an agent. */
const AGENT_LIFE = 3_000;

const missing = missingZooKeeper();
let ensemble: Ensemble;
const bundle = mkdtempSync(join(tmpdir(), "failover-"));
let program: string;

beforeAll(async () => {
  if (missing !== undefined) return;
  program = await bundleAgent(bundle);
  ensemble = await Ensemble.create(3);
  await ensemble.startAll();
});
afterAll(async () => {
  rmSync(bundle, { recursive: true });
  await ensemble?.close();
});
beforeEach((ctx) => {
  if (missing === undefined) return;
  if (process.env["CI"]) throw new Error(missing);
  ctx.skip(missing);
});

interface MasterSlot {
  readonly master: LocalMaster;
  readonly contender: Contender;
}

/** Several masters at once; the first in the list leads, as it joined first. */
class Masters {
  readonly #path: string;
  #slots: MasterSlot[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  get url(): string {
    return `zk://${ensemble.servers}${this.#path}`;
  }

  get leader(): LocalMaster {
    const [first] = this.#slots;
    if (first === undefined) throw new Error("there is no master");
    return first.master;
  }

  async add(): Promise<void> {
    const master = new LocalMaster({ port: 0 });
    await master.start();
    const contender = new Contender(this.url, master.masterInfo, { clock: systemClock, log: silentLogger });
    contender.start();
    await contender.joined;
    this.#slots.push({ master, contender });
  }

  /** The leader goes without a goodbye; another one joins at the end of the queue. */
  async failOver(): Promise<void> {
    const leader = this.#slots.shift();
    leader?.contender.stop();
    await leader?.master.stop();
    await this.add();
  }

  async close(): Promise<void> {
    for (const { master, contender } of this.#slots.splice(0)) {
      contender.stop();
      await master.stop();
    }
  }
}

let masters: Masters;
let agent: AgentProcess;
let scheduler: TestScheduler;
/** Whom the scheduler speaks to; it looks here for every call. */
let target: { master: string };
let number = 0;

beforeEach(async () => {
  masters = new Masters(`/failover-${++number}`);
  for (let count = 0; count < 3; count++) await masters.add();
  target = { master: masters.leader.address };
  scheduler = new TestScheduler(Object.assign(target, { checkpoint: true, failoverTimeout: 3600 }));
  agent = new AgentProcess({
    master: masters.url,
    port: await freePort(),
    program,
    flags: ["--resources=cpus:1000;mem:100000;disk:1000;ports:[31000-32000]", "--executor_registration_timeout=3mins"],
  });
  agent.start();
  await scheduler.subscribe();
});

afterEach(async () => {
  scheduler.close();
  await agent.destroy();
  await masters.close();
});

/** The scheduler's own failover: as the same framework, to whoever leads, until that works. */
async function follow(): Promise<void> {
  for (;;) {
    target.master = masters.leader.address;
    try {
      await scheduler.subscribe();
      return;
    } catch {
      await pause(50);
    }
  }
}

const longTask = (index: number) => commandTask(`long-${index}`, "echo started; exec sleep 1000");

/** `every`: milliseconds that leaders live, but every other dies when it has hardly begun. */
async function failMastersOver(every: number): Promise<void> {
  for (let count = 0; count < size.failovers; count++) {
    if (count % 2 === 0) await scheduler.until("offer of the new leader", () => scheduler.offers[0], 60_000);
    await pause(count % 2 === 0 ? every : 150);
    await masters.failOver();
    await follow();
  }
}

async function killAgent(stopped: () => boolean): Promise<number> {
  let kills = 0;
  while (!stopped()) {
    await pause(AGENT_LIFE);
    await agent.end("SIGKILL");
    agent.start();
    kills++;
  }
  return kills;
}

/** The sandboxes of all tasks that ever came to the agent. */
function sandboxes(): Map<string, string> {
  const found = new Map<string, string>();
  const folders = (path: string) => (existsSync(path) ? readdirSync(path) : []);
  const slaves = join(agent.workDir, "slaves");
  for (const slave of folders(slaves)) {
    const executors = join(slaves, slave, "frameworks", scheduler.frameworkId ?? "", "executors");
    for (const taskId of folders(executors)) found.set(taskId, join(executors, taskId, "runs", "latest"));
  }
  return found;
}

/** How often the task of a sandbox was started. */
function startsIn(sandbox: string): number {
  const path = join(sandbox, "stdout");
  return existsSync(path) ? (readFileSync(path, "utf8").match(/started/g)?.length ?? 0) : 0;
}

/** The reported statuses of each task that want to be acknowledged: those that agents made. */
function reports(): Map<string, TaskStatus[]> {
  const found = new Map<string, TaskStatus[]>();
  for (const status of scheduler.updates) {
    if (status.uuid.length === 0) continue;
    const id = status.taskId?.value ?? "";
    found.set(id, [...(found.get(id) ?? []), status]);
  }
  return found;
}

/** Looks at what was told of each task that ever came to the agent. */
function check(): { arrived: number; dropped: number; repeated: number } {
  let repeated = 0;
  let dropped = 0;
  const byTask = reports();
  const found = sandboxes();
  for (const [id, sandbox] of found) {
    const statuses = byTask.get(id) ?? [];
    const story = storyOf(id, statuses);
    const updates = updatesInOrder(id, statuses);
    repeated += statuses.length - updates.length;
    const ends = updates.filter(({ state }) => isTerminal(state));
    const starts = startsIn(sandbox);
    if (starts === 0) {
      // The agent was killed between writing the task down and starting it: it says so, and it is true.
      expect(ends, story).toHaveLength(1);
      expect(ends[0], story).toMatchObject({
        state: TaskState.TASK_LOST,
        reason: TaskStatus_Reason.AGENT_RESTARTED,
      });
      dropped++;
    } else {
      expect(starts, story).toBe(1);
      expect(ends, story).toHaveLength(id.startsWith("long-") ? 0 : 1);
    }
  }
  return { arrived: found.size, dropped, repeated };
}

/** Each job ran in one of its attempts, once, and that one's true end was told. */
function checkJobs(jobs: readonly Job[]): void {
  const found = sandboxes();
  const byTask = reports();
  for (const job of jobs) {
    const story = job.attempts.map((id) => storyOf(id, byTask.get(id) ?? [])).join("; ");
    const started = job.attempts.filter((id) => startsIn(found.get(id) ?? "/nowhere") > 0);
    expect(started, story).toHaveLength(1);
    const code = codeOf(job);
    const end = byTask.get(started[0] ?? "")?.find(({ state }) => isTerminal(state));
    expect(end, story).toMatchObject({
      state: code === 0 ? TaskState.TASK_FINISHED : TaskState.TASK_FAILED,
      message: `Command exited with status ${code}`,
    });
  }
}

async function launchRunning(): Promise<void> {
  await scheduler.launch(Array.from({ length: size.running }, (_, index) => longTask(index)));
  const isRunning = ({ state, taskId }: TaskStatus) =>
    state === TaskState.TASK_RUNNING && taskId?.value.startsWith("long-");
  await scheduler.until("all RUNNING", () => scheduler.updates.filter(isRunning).length >= size.running, 60_000);
}

/** The load of the test while `trouble` lasts. */
async function underLoad(name: string, trouble: () => Promise<unknown>): Promise<void> {
  await launchRunning();
  const load = new SteadyLoad(scheduler, size.perSecond);
  const begin = Date.now();
  load.start();
  let seconds = 0;
  let meanwhile = 0;
  try {
    await trouble();
    seconds = (Date.now() - begin) / 1000;
    meanwhile = load.finished;
    await load.end(size.settle);
  } catch (error) {
    throw new Error(`${String(error)}\n${agent.log.slice(-5000)}`);
  }
  const { arrived, dropped, repeated } = check();
  checkJobs(load.jobs);
  expect(arrived).toBeGreaterThanOrEqual(size.running + load.jobs.length);
  const wanted = load.jobs.length;
  console.log(
    `${name}: ${seconds.toFixed(0)} s, ${size.running} running, ${wanted} more wanted to run (${(wanted / seconds).toFixed(1)}/s), ` +
      `${meanwhile} of them ran meanwhile (${(meanwhile / seconds).toFixed(1)}/s), all of them at last, ` +
      `${load.jobs.reduce((sum, { attempts }) => sum + attempts.length - 1, 0)} launched again, ${dropped} reported as never started, ` +
      `${scheduler.updates.length} updates, ${repeated} of them sent again before their acknowledgement`,
  );
}

const limit = 600_000;

describe("under a load of running tasks and launches, no task and no update is lost, and none comes twice", () => {
  it("while leaders are killed one after the other", () => underLoad("masters", () => failMastersOver(700)), limit);

  it(
    "while the agent is killed every 3 s",
    async () => {
      const until = Date.now() + TROUBLE;
      await underLoad("agent", async () => {
        expect(await killAgent(() => Date.now() > until)).toBeGreaterThan(1);
      });
    },
    limit,
  );

  it(
    "while both are killed",
    async () => {
      let over = false;
      await underLoad("both", async () => {
        const killing = killAgent(() => over);
        try {
          await failMastersOver(2_000);
        } finally {
          over = true;
          await killing;
        }
      });
    },
    limit,
  );
});
