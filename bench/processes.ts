import { readdirSync, readFileSync } from "node:fs";
import { statFields } from "../src/base/process-stat.ts";

const MB = 1024;

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

const field = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0) / MB;

/** Megabytes of proportional set size; 0 for a process that is gone. */
export const pssOf = (pid: number): number => field(read(`/proc/${pid}/smaps_rollup`), "Pss");

/** Megabytes of resident set size; 0 for a process that is gone. */
export const rssOf = (pid: number): number => field(read(`/proc/${pid}/status`), "VmRSS");

/** Megabytes: the most that a process has held so far. */
export const peakOf = (pid: number): number => field(read(`/proc/${pid}/status`), "VmHWM");

/** Threads of a process; none when it is gone. */
function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Seconds that the threads of a process were on a processor: to the microsecond, whatever else the machine does. */
export const cpuOf = (pid: number): number =>
  threadsOf(pid).reduce(
    (sum, thread) => sum + Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[0] ?? 0) / 1e9,
    0,
  );

/** Seconds on processors, in steps of 10 ms: a process' own, and those of its children that have ended and been waited for. */
export function timesOf(pid: number): { readonly own: number; readonly ended: number } {
  const fields = statFields(read(`/proc/${pid}/stat`));
  const seconds = (first: number): number => (Number(fields[first] ?? 0) + Number(fields[first + 1] ?? 0)) / 100;
  return { own: seconds(11), ended: seconds(13) };
}

/** Processes in whose command line a text occurs. */
export const processesNaming = (text: string): number[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && read(`/proc/${name}/cmdline`).includes(text))
    .map(Number);

/** Children of a process. */
export const childrenOf = (pid: number): number[] =>
  threadsOf(pid).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).trim().split(" ").filter(Boolean).map(Number),
  );

/** All processes below one, it not included. */
export const processesBelow = (pid: number): number[] =>
  childrenOf(pid).flatMap((child) => [child, ...processesBelow(child)]);

/** The first 15 letters of its program's name. */
export const nameOf = (pid: number): string => read(`/proc/${pid}/comm`).trim();

export const sumOf = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** The middle one; NaN of none. */
export const medianOf = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
