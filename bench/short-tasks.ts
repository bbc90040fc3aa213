/**
 * What an agent holds after many short tasks: it is to be flat. Waves of tasks that end at once run one after the other; the
 * agent's memory is looked at after a tenth of them and after all, each time when it has rested. Prints how many it ran a second.
 *
 *   npm run build && npm run bench short-tasks -- --program dist/mesos-slave.js [--tasks 100000] [--wave 500] [--rest 90]
 *                                                           [--gc-delay 30secs]
 *
 * --rest: seconds before a look; sandboxes are removed until three quarters of a minute after the last task, and that is work.
 * --gc-delay: how long sandboxes wait for their removal; with 1weeks the disk gets them all (21 files, folders and links each), and the figure says
 * what the agent knows of each. TMPDIR=/dev/shm leaves the file system out.
 */
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import { TaskInfoSchema, TaskState } from "../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { isTerminal } from "../src/mesos/states.ts";
import { commandTask, type TestScheduler } from "../test/support/scheduler.ts";
import { type MeasuredNode, startNode } from "./node.ts";
import { cpuOf, peakOf, rssOf, sumOf } from "./processes.ts";
import { report } from "./report.ts";

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "100000" },
    wave: { type: "string", default: "500" },
    rest: { type: "string", default: "90" },
    "gc-delay": { type: "string", default: "30secs" },
    program: { type: "string" },
  },
});
const count = Number(values.tasks);
const wave = Number(values.wave);

/** Launches on all offers at once: what tasks give back comes in small ones. */
async function launchOnAll(scheduler: TestScheduler, ids: readonly string[]): Promise<void> {
  const offers = await scheduler.until("offer that is large enough", () => {
    const all = [...scheduler.offers];
    const cpus = all.flatMap(({ resources }) => resources).filter(({ name }) => name === "cpus");
    return sumOf(cpus.map(({ scalar }) => scalar?.value ?? 0)) > ids.length / 1000 && all;
  });
  const agentId = { value: offers[0]?.agentId?.value ?? "" };
  const taskInfos = ids.map((id) => create(TaskInfoSchema, { ...commandTask(id, "exec true"), agentId }));
  await scheduler.accept(offers, [{ type: 1, launch: { taskInfos } }]);
}

/** Runs the tasks `from` to `to`, a wave at a time; throws when one did not end well. */
async function runTasks({ scheduler }: MeasuredNode, from: number, to: number): Promise<void> {
  for (let first = from; first < to; first += wave) {
    const last = Math.min(first + wave, to);
    scheduler.updates.length = 0;
    let [seen, ended] = [0, 0];
    await launchOnAll(
      scheduler,
      Array.from({ length: last - first }, (_, index) => `short-${first + index}`),
    );
    await scheduler.until(
      `end of ${last - first} tasks`,
      () => {
        for (; seen < scheduler.updates.length; seen++) {
          const { state, message } = scheduler.updates[seen] ?? {};
          if (state === undefined || !isTerminal(state)) continue;
          if (state !== TaskState.TASK_FINISHED) throw new Error(`a task ended in state ${state}: ${message}`);
          ended++;
        }
        return ended >= last - first;
      },
      120_000,
    );
  }
}

const node = await startNode(values.program, [`--gc_delay=${values["gc-delay"]}`, "--disk_watch_interval=10secs"]);
try {
  const rested = async (): Promise<number> => {
    await pause(Number(values.rest) * 1000);
    return rssOf(node.pid);
  };
  const begin = cpuOf(node.pid);
  const tenth = Math.ceil(count / 10);
  await runTasks(node, 0, tenth);
  const earlyBusy = rssOf(node.pid);
  const early = await rested();
  const middle = performance.now();
  await runTasks(node, tenth, count);
  const seconds = (performance.now() - middle) / 1000;
  const cpu = cpuOf(node.pid) - begin;
  const lateBusy = rssOf(node.pid);
  const late = await rested();
  const tasks = count.toLocaleString("en");
  report([
    {
      ...{ id: "short-rss", what: `agent after ${tasks} short tasks`, value: late, unit: "MB" },
      floor: { what: `after ${tenth.toLocaleString("en")}`, value: early },
      goal: { timesFloor: 1.1 },
      bound: "what is known of sandboxes that wait for their removal, and garbage",
    },
    {
      ...{ id: "short-busy", what: "the same, right after the last of them", value: lateBusy, unit: "MB" },
      floor: { what: `after ${tenth.toLocaleString("en")}`, value: earlyBusy },
      bound: "as much garbage as lives, and what malloc keeps",
    },
    {
      ...{ id: "short-peak", what: "the most it held meanwhile", value: peakOf(node.pid), unit: "MB" },
      bound: "garbage of a wave",
    },
    {
      ...{ id: "short-each", what: "the agent alone, for each from launch to its end", unit: "ms" },
      value: (cpu * 1000) / count,
      bound: "file calls and the collector",
    },
    {
      ...{ id: "short-rate", what: "short tasks a second", value: (count - tenth) / seconds, unit: "a second" },
      bound: "one event loop, beside the launcher, which forks",
    },
  ]);
} finally {
  await node.close();
}
