/**
 * How quickly one agent starts tasks, and what they cost, beside posix_spawn's own price for as many `sh -c 'exec sleep'`:
 * launch time, processor time, memory of the agent and of a task, /state, statistics. This process is the master and the
 * scheduler, as little of them as it needs (bench/wire-master.ts): those of a cluster run elsewhere. What it took all the same is
 * printed; an agent that is thrown away warms it first.
 *
 *   npm run build && npm run bench launch -- --program dist/mesos-slave.js [--tasks 200,1000] [--peer-agent PATH] [--disk FOLDER]
 *
 * --rest: seconds until the agent's memory is looked at: an engine that has nothing to do collects what a burst has left.
 * --peer-agent: a C++ agent (its folder also holds its launcher) does the same in the same run. TMPDIR chooses the file system, as
 * does --disk, with which only the launches are looked at, beside what that file system takes for their files alone: twenty-one
 * files, folders and links a task. ext4 makes them slowly for minutes after many others were deleted (it does not reuse their inodes
 * at once, and looks past each of them).
 */
import { get, type IncomingMessage } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { commandTask } from "../test/support/scheduler.ts";
import type { Figure } from "./figures.ts";
import { filesPrice } from "./files-price.ts";
import { startWiredNode, startWiredPeer, type WiredNode } from "./node.ts";
import { childrenOf, cpuOf, medianOf, nameOf, peakOf, processesBelow, pssOf, rssOf, sumOf } from "./processes.ts";
import { report } from "./report.ts";
import { type SpawnPrice, spawnPrice } from "./spawn-price.ts";

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "1000" },
    program: { type: "string" },
    rest: { type: "string", default: "30" },
    "peer-agent": { type: "string" },
    disk: { type: "string" },
  },
});
if (values.disk !== undefined) process.env["TMPDIR"] = values.disk;

/** Tasks that a peer is asked for at most: it takes minutes for more. */
const MOST_OF_PEER = 200;
const counts = values.tasks.split(",").map(Number);
/**
 * Tasks of the agent that is thrown away: as many as there are going to be. Memory that a virtual machine has never touched
 * costs more the first time (5,000 tasks took 2.4 to 2.8 × instead of 2.0), and the best of three posix_spawns does not pay that. A
 * host that takes free memory back meanwhile undoes some of it. On a disk as few as this process needs itself.
 */
const WARMING = values.disk === undefined ? Math.max(200, ...counts) : 200;
/** Milliseconds after which an agent that has just started holds what it holds when idle. */
const SETTLE = 3_000;

interface Launched {
  /** Seconds until the scheduler has seen all RUNNING. */
  readonly wall: number;
  /** Seconds on processors: the agent and all that it started, and the agent alone. */
  readonly cpu: number;
  readonly agentCpu: number;
  /** Of what stands for the master and the scheduler. */
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

/** Bytes of one answer, compressed as browsers and Go's clients ask for it; they are not looked at here. */
async function fetched(port: number, path: string): Promise<number> {
  const options = { host: "127.0.0.1", port, path, headers: { "accept-encoding": "gzip" } };
  const answer = await new Promise<IncomingMessage>((resolve, reject) => get(options, resolve).once("error", reject));
  if (answer.statusCode !== 200) throw new Error(`${path} was answered ${answer.statusCode}`);
  let bytes = 0;
  for await (const chunk of answer) bytes += (chunk as Buffer).length;
  return bytes;
}

/** Median milliseconds of five answers, the very first ones among them. */
async function answerTime(port: number, path: string): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const begin = performance.now();
    await fetched(port, path);
    times.push(performance.now() - begin);
  }
  return medianOf(times);
}

/** Launches so many tasks, and says how long it took until all were RUNNING, in seconds, and what this process took of the processors. */
async function runTasks({ master }: WiredNode, count: number): Promise<{ wall: number; harnessCpu: number }> {
  const tasks = Array.from({ length: count }, (_, index) => commandTask(`sleep-${index}`, "exec sleep 1000"));
  const frames = master.framesFor(tasks);
  const [before, begin] = [process.cpuUsage(), performance.now()];
  await master.send(frames, count);
  const { user, system } = process.cpuUsage(before);
  return { wall: (performance.now() - begin) / 1000, harnessCpu: (user + system) / 1e6 };
}

async function launchOn(node: WiredNode, count: number): Promise<Launched> {
  const { pid, port } = node;
  await pause(SETTLE);
  const idle = rssOf(pid);
  const before = cpuOf(pid);
  const { wall, harnessCpu } = await runTasks(node, count);
  const below = processesBelow(pid);
  const agentCpu = cpuOf(pid) - before;
  const cpu = agentCpu + sumOf(below.map(cpuOf));
  const tasks = below.filter((one) => nameOf(one) === "sleep" && childrenOf(one).length === 0);
  const rest = below.filter((one) => !tasks.includes(one));
  // It is the agent that is measured, not a client that asks for the first time.
  for (let round = 0; round < 20; round++) await fetched(port, "/version");
  const [state, statistics] = [await answerTime(port, "/state"), await answerTime(port, "/monitor/statistics")];
  await pause(Number(values.rest) * 1000);
  return {
    ...{
      wall,
      cpu,
      agentCpu,
      harnessCpu,
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

async function measured<T>(starting: Promise<WiredNode>, work: (node: WiredNode) => Promise<T>): Promise<T> {
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
      goal: { timesFloor: 2, ...(count === 200 && { atMost: 0.6 }) },
      ...other(peer?.wall),
      bound: "processors: the agent's event loop, which makes 19 files a task, and two forks a task",
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
      ...{ id: `launch-harness-${count}`, what: "what stands for a master and a scheduler, for each", unit: "ms" },
      value: (ours.harnessCpu * 1000) / count,
      bound: "not the agent's: it shares the processors with it",
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

/** As much of it as tells of a file system. */
function figuresOnDisk(count: number, wall: number, agentCpu: number, price: SpawnPrice, files: number): Figure[] {
  const tasks = count.toLocaleString("en");
  return [
    {
      ...{ id: `launch-disk-wall-${count}`, what: `${tasks} tasks RUNNING, files on a disk`, value: wall, unit: "s" },
      floor: { what: "posix_spawn", value: price.wall },
      goal: { timesFloor: 2, ...(count === 200 && { atMost: 0.6 }) },
      bound: "processors, as without a disk; and the file system, which looks for a free inode for each of 21",
    },
    {
      ...{ id: `launch-disk-each-${count}`, what: "the agent alone, for each", value: (agentCpu * 1000) / count },
      ...{ unit: "ms", floor: { what: "such files alone", value: (files * 1000) / count } },
      bound: "file calls and the collector",
    },
  ];
}

async function launchOnDisk(count: number): Promise<Figure[]> {
  const [price, files] = [spawnPrice(count), filesPrice(count)];
  return measured(startWiredNode(values.program), async (node) => {
    await pause(SETTLE);
    const before = cpuOf(node.pid);
    const { wall } = await runTasks(node, count);
    return figuresOnDisk(count, wall, cpuOf(node.pid) - before, price, files);
  });
}

/** Whether a task costs the same among many: the dearest beside the cheapest. */
const evenness = (each: readonly number[]): Figure => ({
  ...{ id: "launch-even", what: "wall a task, the dearest of these numbers beside the cheapest", unit: "×" },
  value: Math.max(...each) / Math.min(...each),
  // 20 % more and 20 % less.
  goal: { atMost: 1.5 },
  bound: "the compilers of V8, in the first hundreds",
});

await measured(startWiredNode(values.program), (node) => runTasks(node, WARMING));
const walls: number[] = [];
for (const count of counts) {
  if (values.disk !== undefined) {
    report(await launchOnDisk(count));
    continue;
  }
  const price = spawnPrice(count);
  const ours = await measured(startWiredNode(values.program), (node) => launchOn(node, count));
  const path = values["peer-agent"];
  const peer =
    path === undefined || count > MOST_OF_PEER
      ? undefined
      : await measured(startWiredPeer(path), (node) => launchOn(node, count));
  report(figuresOf(count, ours, price, peer));
  walls.push(ours.wall / count);
}
if (walls.length > 1) report([evenness(walls)]);
