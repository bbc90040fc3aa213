import { readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, sleep } from "../../../base/clock.ts";
import { codeOf } from "../../../base/errors.ts";

/** Milliseconds between attempts to remove a group whose last process is still ending. */
const RETRY = 20;

/** Ends whatever is in the group and below it and removes all of it; rejects when that did not succeed in `milliseconds`. */
export async function removeGroup(path: string, clock: Clock, milliseconds: number): Promise<void> {
  const end = clock.monotonic() + milliseconds;
  for (;;) {
    const problem = removeTree(path);
    if (problem === undefined) return;
    if (clock.monotonic() >= end) throw problem;
    killTree(path);
    await sleep(clock, RETRY);
  }
}

/** The groups directly below. In a control group's file system there are folders, files of the kernel's, and no links. */
function groupsBelow(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name));
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENODEV") return [];
    throw error;
  }
}

/** The lowest first. Returns why the group is still there. */
function removeTree(path: string): unknown {
  try {
    rmdirSync(path);
    return undefined;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    const below = groupsBelow(path);
    if (below.length === 0) return error;
    for (const group of below) {
      const problem = removeTree(group);
      if (problem !== undefined) return problem;
    }
  }
  try {
    rmdirSync(path);
    return undefined;
  } catch (error) {
    return codeOf(error) === "ENOENT" ? undefined : error;
  }
}

function killTree(path: string): void {
  try {
    // All at once, where the kernel does that (cgroup v2, Linux 5.14). Never made: only written to.
    writeFileSync(join(path, "cgroup.kill"), "1", { flag: "r+" });
  } catch {
    // Then one by one.
  }
  try {
    const pids = readFileSync(join(path, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
    // 0 stands for a process of another pid namespace, and would mean our own process group.
    for (const pid of pids) if (pid > 1) process.kill(pid, "SIGKILL");
  } catch (error) {
    // A threaded group, made by the container itself, names no processes: those of the group above it are they.
    if (!["ESRCH", "ENOENT", "ENODEV", "EOPNOTSUPP", "ENOTSUP"].includes(codeOf(error) ?? "")) throw error;
  }
  for (const group of groupsBelow(path)) killTree(group);
}
