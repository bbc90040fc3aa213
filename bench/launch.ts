/**
 * How quickly one agent starts tasks, and what they cost. Prints launch time, memory per task, the agent's memory and
 * the time of /state, with an embedded master and a scheduler in processes of their own.
 *
 *   npm run build && npm run bench launch -- --program dist/mesos-slave.js [--tasks 1000]
 *
 * TMPDIR chooses the file system: about 25 files and folders are made for a task. ext4 makes them slowly for a while after
 * many others were deleted (it does not reuse their inodes at once); TMPDIR=/dev/shm shows the agent without that.
 */

import { readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { TaskState } from "../src/mesos/gen/mesos/v1/mesos_pb.ts";
import { commandTask } from "../test/support/scheduler.ts";
import { startNode } from "./node.ts";

const { values } = parseArgs({ options: { tasks: { type: "string", default: "1000" }, program: { type: "string" } } });
const count = Number(values.tasks);

/** Kilobytes of proportional set size; 0 for a process that is gone. */
function pss(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** CPU seconds of a process, children that were waited for not included. */
function cpu(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const statOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
const parentOf = (pid: number): number => Number(statOf(pid)[1]);

/** Children of a process. */
function processesOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return parentOf(pid) === parent;
      } catch {
        return false;
      }
    });
}

/** All processes of this machine whose environment or command line belongs to this bench's agent, by command. */
function processesBelow(marker: string): { pid: number; command: string }[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const environment = readFileSync(`/proc/${name}/environ`, "utf8");
        const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        return environment.includes(marker) || command.includes(marker) ? [{ pid: Number(name), command }] : [];
      } catch {
        return [];
      }
    });
}

const { agent, scheduler, close } = await startNode(values.program);
try {
  const ids = Array.from({ length: count }, (_, index) => `sleep-${index}`);
  const cpuBefore = cpu(agent.pid);
  const begin = performance.now();
  await scheduler.launch(ids.map((id) => commandTask(id, "exec sleep 1000")));
  const running = new Set<string>();
  let seen = 0;
  await scheduler.until(
    "all RUNNING",
    () => {
      for (; seen < scheduler.updates.length; seen++) {
        const status = scheduler.updates[seen];
        if (status?.state === TaskState.TASK_RUNNING) running.add(status.taskId?.value ?? "");
      }
      return running.size === count;
    },
    120_000,
  );
  const seconds = (performance.now() - begin) / 1000;
  const agentCpu = cpu(agent.pid) - cpuBefore;
  const own = processesBelow(agent.folder);
  const sleeps = own.filter(({ command }) => command.startsWith("sleep"));
  const agentProcess = agent.pid;
  // What stands beside a task's own process: the shim that waits for it, and the launcher that all share.
  const shims = new Set(sleeps.map(({ pid }) => parentOf(pid)));
  const launchers = processesOf(agentProcess);
  const rest = [...shims, ...launchers].filter((pid) => pid > 1 && pid !== agentProcess).map((pid) => ({ pid }));
  const total = (list: readonly { pid: number }[]): number => list.reduce((sum, { pid }) => sum + pss(pid), 0);
  const times: number[] = [];
  for (let round = 0; round < 10; round++) {
    const start = performance.now();
    await (await fetch(`http://127.0.0.1:${agent.port}/state`)).text();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const state = (times[5] ?? 0).toFixed(1);
  console.log(
    `${count} tasks RUNNING, as the scheduler sees it: ${seconds.toFixed(2)} s (${(count / seconds).toFixed(0)}/s)`,
  );
  console.log(`agent's own CPU for it:                     ${agentCpu.toFixed(2)} s`);
  console.log(
    `PSS beyond the tasks' own processes:        ${(total(rest) / 1024 / count).toFixed(3)} MB a task (${rest.length} processes)`,
  );
  console.log(
    `PSS of the tasks' own processes:            ${(total(sleeps) / 1024 / count).toFixed(3)} MB a task (${sleeps.length} processes)`,
  );
  console.log(`agent:                                      ${(pss(agentProcess) / 1024).toFixed(0)} MB PSS`);
  console.log(`/state, median of 10:                       ${state} ms`);
  console.log(
    "for comparison, measured on such a machine: C++ 0.24.1 7 s, 1.11.0 28 s for 200 tasks; 3.3 and 11.5 MB a task",
  );
} finally {
  await close();
}
