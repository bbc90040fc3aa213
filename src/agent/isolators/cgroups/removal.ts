import { closeSync, constants, openSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { type Clock, sleep } from "../../../base/clock.ts";
import { codeOf } from "../../../base/errors.ts";

/** Milliseconds between attempts to remove a group whose last process is still ending. */
const RETRY = 20;

/** Bytes of a path from which on what is below is named by a descriptor: a container may make groups as deep as it likes. */
const LONG = 2_000;

/**
 * Ends whatever is in the group and below it and removes all of it; rejects when that did not succeed in `milliseconds`.
 * What is below is the container's: its names are bytes, and no path need be long enough for all of them.
 */
export async function removeGroup(path: string, clock: Clock, milliseconds: number): Promise<void> {
  const group = Buffer.from(path);
  const end = clock.monotonic() + milliseconds;
  for (;;) {
    const problem = removeTree(group);
    if (problem === undefined) return;
    if (clock.monotonic() >= end) throw problem;
    killTree(group);
    await sleep(clock, RETRY);
  }
}

const within = (path: Buffer, name: Buffer | string): Buffer =>
  Buffer.concat([path, Buffer.from("/"), Buffer.from(name as string)]);

const isGone = (error: unknown): boolean => codeOf(error) === "ENOENT" || codeOf(error) === "ENODEV";

/**
 * Does something with each group directly below, until it says undefined no more. In a control group's file system there are
 * folders, files of the kernel's, and no links.
 */
function eachBelow(path: Buffer, use: (group: Buffer) => unknown): unknown {
  let descriptor: number | undefined;
  try {
    if (path.length >= LONG) descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    const base = descriptor === undefined ? path : Buffer.from(`/proc/self/fd/${descriptor}`);
    for (const entry of readdirSync(base, { withFileTypes: true, encoding: "buffer" })) {
      const problem = entry.isDirectory() ? use(within(base, entry.name)) : undefined;
      if (problem !== undefined) return problem;
    }
    return undefined;
  } catch (error) {
    return isGone(error) ? undefined : error;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** The lowest first. Returns why the group is still there. */
function removeTree(path: Buffer): unknown {
  if (removed(path) === undefined) return undefined;
  return eachBelow(path, removeTree) ?? removed(path);
}

/** Returns why the group is still there. */
function removed(path: Buffer): unknown {
  try {
    rmdirSync(path);
    return undefined;
  } catch (error) {
    return codeOf(error) === "ENOENT" ? undefined : error;
  }
}

function killTree(path: Buffer): void {
  try {
    // All at once, where the kernel does that (cgroup v2, Linux 5.14). Never made: only written to.
    writeFileSync(within(path, "cgroup.kill"), "1", { flag: "r+" });
  } catch {
    // Then one by one.
  }
  try {
    const pids = readFileSync(within(path, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
    // 0 stands for a process of another pid namespace, and would mean our own process group.
    for (const pid of pids) if (pid > 1) process.kill(pid, "SIGKILL");
  } catch (error) {
    // A threaded group, made by the container itself, names no processes: those of the group above it are they.
    if (!["ESRCH", "ENOENT", "ENODEV", "EOPNOTSUPP", "ENOTSUP"].includes(codeOf(error) ?? "")) throw error;
  }
  // What could not be looked at is what removeTree comes back with.
  eachBelow(path, killTree);
}
