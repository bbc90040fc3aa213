/**
 * How quickly one agent starts tasks, and what they cost, beside posix_spawn's own price for as many `sh -c 'exec sleep'`:
 * launch time, processor time, memory of the agent and of a task, /state, statistics. An embedded master and a scheduler run
 * in this process. They take processors from what they measure: an agent that is thrown away warms them first, and what they
 * took is printed.
 *
 *   npm run build && npm run bench launch -- --program dist/mesos-slave.js [--tasks 200,1000] [--peer-agent PATH]
 *
 * --rest: seconds until the agent's memory is looked at: an engine that has nothing to do collects what a burst has left.
 * --peer-agent: a C++ agent (its folder also holds its launcher) does the same in the same run. TMPDIR chooses the file system:
 * about 25 files and folders are made for a task. ext4 makes them slowly for a while after many others were deleted (it does not
 * reuse their inodes at once); TMPDIR=/dev/shm shows the agent without that.
 */
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { TaskState } from "../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { commandTask } from "../test/support/scheduler.ts";
import type { Figure } from "./figures.ts";
import { type MeasuredNode, startNode, startPeerNode } from "./node.ts";
import { childrenOf, cpuOf, medianOf, nameOf, peakOf, processesBelow, pssOf, rssOf, sumOf } from "./processes.ts";
import { report } from "./report.ts";
import { type SpawnPrice, spawnPrice } from "./spawn-price.ts";

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "1000" },
    program: { type: "string" },
    rest: { type: "string", default: "30" },
    "peer-agent": { type: "string" },
  },
});

/** Tasks that a peer is asked for at most: it takes minutes for more. */
const MOST_OF_PEER = 200;
/** Tasks of the agent that is thrown away. */
const WARMING = 200;
/** Milliseconds after which an agent that has just started holds what it holds when idle. */
const SETTLE = 3_000;

interface Launched {
  /** Seconds until the scheduler has seen all RUNNING. */
  readonly wall: number;
  /** Seconds on processors: the agent and all that it started, and the agent alone. */
  readonly cpu: number;
  readonly agentCpu: number;
  /** Of the master and the scheduler. */
  readonly harnessCpu: number;
  /** Megabytes of the agent. */
  readonly idle: number;
  readonly rss: number;
  readonly peak: number;
  /** Megabytes a task beyond its own process, and of that. */
  readonly beyond: number;
  readonly task: number;
  /** Median milliseconds of three answers. */
  readonly state: number;
  readonly statistics: number;
}

async function answerTime(port: number, path: string): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const begin = performance.now();
    await (await fetch(`http://127.0.0.1:${port}${path}`)).text();
    times.push(performance.now() - begin);
  }
  return medianOf(times);
}

/** Launches so many tasks, and waits until the scheduler has seen all RUNNING. */
async function runTasks({ scheduler }: MeasuredNode, count: number): Promise<void> {
  const ids = Array.from({ length: count }, (_, index) => `sleep-${index}`);
  await scheduler.launch(ids.map((id) => commandTask(id, "exec sleep 1000")));
  let [seen, running] = [0, 0];
  await scheduler.until(
    "all RUNNING",
    () => {
      for (; seen < scheduler.updates.length; seen++)
        if (scheduler.updates[seen]?.state === TaskState.TASK_RUNNING) running++;
      return running >= count;
    },
    600_000,
  );
}

async function launchOn(node: MeasuredNode, count: number): Promise<Launched> {
  const { pid, port } = node;
  await pause(SETTLE);
  const idle = rssOf(pid);
  const [before, harness] = [cpuOf(pid), process.cpuUsage()];
  const begin = performance.now();
  await runTasks(node, count);
  const { user, system } = process.cpuUsage(harness);
  const wall = (performance.now() - begin) / 1000;
  const below = processesBelow(pid);
  const agentCpu = cpuOf(pid) - before;
  const cpu = agentCpu + sumOf(below.map(cpuOf));
  const tasks = below.filter((one) => nameOf(one) === "sleep" && childrenOf(one).length === 0);
  const rest = below.filter((one) => !tasks.includes(one));
  const [state, statistics] = [await answerTime(port, "/state"), await answerTime(port, "/monitor/statistics")];
  await pause(Number(values.rest) * 1000);
  return {
    ...{
      wall,
      cpu,
      agentCpu,
      harnessCpu: (user + system) / 1e6,
      idle,
      rss: rssOf(pid),
      peak: peakOf(pid),
      state,
      statistics,
    },
    beyond: sumOf(rest.map(pssOf)) / count,
    task: sumOf(tasks.map(pssOf)) / count,
  };
}

async function measured<T>(starting: Promise<MeasuredNode>, work: (node: MeasuredNode) => Promise<T>): Promise<T> {
  const node = await starting;
  try {
    return await work(node);
  } finally {
    await node.close();
  }
}

function figuresOf(count: number, ours: Launched, price: SpawnPrice, peer: Launched | undefined): Figure[] {
  const other = (value: number | undefined) => value !== undefined && { peer: { what: "C++ agent", value } };
  const tasks = count.toLocaleString("en");
  const figures: Figure[] = [
    {
      ...{ id: `launch-wall-${count}`, what: `${tasks} tasks RUNNING`, value: ours.wall, unit: "s" },
      floor: { what: "posix_spawn", value: price.wall },
      goal: { timesFloor: 2 },
      ...other(peer?.wall),
      bound: "processors: the agent's event loop, which makes 25 files a task, two forks a task, and what measures",
    },
    {
      ...{ id: `launch-cpu-${count}`, what: `the same, on processors`, value: ours.cpu, unit: "s" },
      floor: { what: "posix_spawn", value: price.cpu },
      ...other(peer?.cpu),
      bound: "file calls, the collector, two forks a task",
    },
    {
      ...{ id: `launch-each-${count}`, what: `the agent alone, for each of ${tasks}`, unit: "ms" },
      value: (ours.agentCpu * 1000) / count,
      ...other(peer && (peer.agentCpu * 1000) / count),
      floor: { what: "posix_spawn", value: (price.cpu * 1000) / count },
      bound: "file calls and the collector",
    },
    {
      ...{ id: `launch-harness-${count}`, what: "the master and the scheduler that measure, for each", unit: "ms" },
      value: (ours.harnessCpu * 1000) / count,
      bound: "not the agent's: it shares the processors with them",
    },
    {
      ...{ id: `agent-idle-${count}`, what: "agent, registered and idle", value: ours.idle, unit: "MB" },
      goal: { atMost: 110 },
      ...other(peer?.idle),
      bound: "Node itself",
    },
    {
      ...{ id: `agent-rss-${count}`, what: `agent with ${tasks} tasks`, value: ours.rss, unit: "MB" },
      ...(count <= 1000 && { goal: { atMost: 130 } }),
      ...other(peer?.rss),
      bound: "Node itself, and 13 KB for what is known of each task",
    },
    {
      ...{ id: `agent-peak-${count}`, what: "the most it held meanwhile", value: ours.peak, unit: "MB" },
      ...other(peer?.peak),
      bound: "garbage of the burst",
    },
    {
      ...{ id: `task-pss-${count}`, what: "memory a task beyond the task", value: ours.beyond, unit: "MB" },
      floor: { what: "the task itself", value: ours.task },
      goal: { atMost: 0.4 },
      ...other(peer?.beyond),
      bound: "the stack and the page tables of a process that waits",
    },
    {
      ...{ id: `state-http-${count}`, what: `/state of ${tasks} tasks`, value: ours.state, unit: "ms" },
      goal: { atMost: Math.max(20, count / 50) },
      ...other(peer?.state),
      bound: "JSON text",
    },
    {
      ...{ id: `statistics-${count}`, what: `statistics of ${tasks} containers`, value: ours.statistics, unit: "ms" },
      goal: { atMost: Math.max(100, count / 10) },
      ...other(peer?.statistics),
      bound: "reads of /proc, or of control groups",
    },
  ];
  return figures;
}

await measured(startNode(values.program), (node) => runTasks(node, WARMING));
for (const count of values.tasks.split(",").map(Number)) {
  const price = spawnPrice(count);
  const ours = await measured(startNode(values.program), (node) => launchOn(node, count));
  const path = values["peer-agent"];
  const peer =
    path === undefined || count > MOST_OF_PEER
      ? undefined
      : await measured(startPeerNode(path), (node) => launchOn(node, count));
  report(figuresOf(count, ours, price, peer));
}
