/**
 * What an agent costs while nothing happens: CPU and memory of the agent, its launcher and its tasks' supervisors, with no
 * task and with many that sleep. The embedded master (which pings) and the scheduler run in this process, not in theirs.
 *
 *   npm run bench idle -- [--tasks 1000] [--seconds 20] [--program dist/mesos-slave.js]
 *
 * Where the agent's time goes: AGENT_NODE_FLAGS='--cpu-prof --cpu-prof-dir=FOLDER' npm run bench idle (the profiler itself
 * takes 4 % of a core).
 */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { TaskState } from "../src/mesos/gen/mesos/v1/mesos_pb.ts";
import type { AgentProcess } from "../test/support/real-agent.ts";
import { commandTask } from "../test/support/scheduler.ts";
import { startNode } from "./node.ts";

/** Clock ticks a second in /proc/PID/stat: 100 on every Linux that Node runs on. */
const TICKS = 100;
/** Milliseconds after start and after the launches that do not count: the compiler and the collector still work. */
const SETTLE = 10_000;

const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "1000" },
    seconds: { type: "string", default: "20" },
    program: { type: "string" },
  },
});
const count = Number(values.tasks);
const seconds = Number(values.seconds);

interface Own {
  readonly pid: number;
  readonly part: "agent" | "launcher" | "supervisors";
}

/** Process ids of the children of `parent`; what ended meanwhile is not among them. */
function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/status`, "utf8").includes(`\nPPid:\t${parent}\n`);
      } catch {
        return false;
      }
    });
}

/** The agent, its launcher, and the supervisor of every task: child and grandchildren. */
function ownProcesses(agent: AgentProcess): Own[] {
  const launchers = childrenOf(agent.pid);
  return [
    { pid: agent.pid, part: "agent" },
    ...launchers.map((pid) => ({ pid, part: "launcher" as const })),
    ...launchers.flatMap(childrenOf).map((pid) => ({ pid, part: "supervisors" as const })),
  ];
}

/** CPU seconds of a process so far. */
function cpu(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Megabytes of proportional set size. */
const pss = (pid: number): number =>
  Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0) / 1024;

/** Context switches so far: how often it woke up. The event loop's delay meter accounts for 50 a second. */
const wakeUps = (pid: number): number =>
  Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

async function measure(agent: AgentProcess, tasks: number, aim: number): Promise<void> {
  await pause(SETTLE);
  const own = ownProcesses(agent);
  const before = new Map(own.map(({ pid }) => [pid, cpu(pid)]));
  const woken = wakeUps(agent.pid);
  const begin = performance.now();
  await pause(seconds * 1000);
  const elapsed = (performance.now() - begin) / 1000;
  const after = new Map(own.map(({ pid }) => [pid, cpu(pid)]));
  const share = (part: Own["part"]): number =>
    (100 *
      sum(own.filter((one) => one.part === part).map(({ pid }) => (after.get(pid) ?? 0) - (before.get(pid) ?? 0)))) /
    elapsed;
  const memory = (part: Own["part"]): number => sum(own.filter((one) => one.part === part).map(({ pid }) => pss(pid)));
  const supervisors = own.filter(({ part }) => part === "supervisors").length;
  const total = share("agent") + share("launcher") + share("supervisors");
  console.log(
    [
      String(tasks).padStart(5),
      `${share("agent").toFixed(2)} %`.padStart(9),
      `${share("launcher").toFixed(2)} %`.padStart(9),
      `${share("supervisors").toFixed(2)} %`.padStart(12),
      `${total.toFixed(2)} %`.padStart(9),
      `${aim} %`.padStart(6),
      (total < aim ? "met" : "NOT MET").padStart(8),
      `${memory("agent").toFixed(0)} MB`.padStart(10),
      `${(memory("launcher") + memory("supervisors")).toFixed(0)} MB`.padStart(10),
      ((wakeUps(agent.pid) - woken) / elapsed).toFixed(1).padStart(11),
      String(supervisors).padStart(12),
    ].join(""),
  );
}

const { agent, scheduler, close } = await startNode(values.program);
try {
  console.log(`Share of one core over ${seconds} s; memory as proportional set size`);
  console.log("tasks    agent launcher supervisors   total   aim            agent  the others wake-ups/s  supervisors");
  await measure(agent, 0, 1);
  await scheduler.launch(Array.from({ length: count }, (_, index) => commandTask(`sleep-${index}`, "exec sleep 1000")));
  await scheduler.until(
    "all RUNNING",
    () => scheduler.updates.filter(({ state }) => state === TaskState.TASK_RUNNING).length === count,
    240_000,
  );
  await measure(agent, count, 5);
} catch (error) {
  console.error(agent.log.slice(-2_000));
  throw error;
} finally {
  await close();
}
