import { readdirSync, readFileSync } from "node:fs";

/** Descriptors that the program itself may need besides those it has when it starts: connections, the registry, scans. */
const RESERVE = 32;
/** Descriptors of followed files at least: with one, files are read one after the other. */
const LEAST = 1;

/** The soft limit of open files in the text of /proc/PID/limits; undefined when there is none. */
export function openFilesLimit(limits: string): number | undefined {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  return soft === undefined || soft === "unlimited" ? undefined : Number(soft);
}

/**
 * Descriptors that followed files may have: the limit of the process less what it uses and needs, and not more than
 * `configured`.
 */
export function descriptorBudget(limit: number | undefined, used: number, configured: number | undefined): number {
  const most = configured ?? Number.POSITIVE_INFINITY;
  return Math.max(LEAST, Math.min(most, (limit ?? Number.POSITIVE_INFINITY) - used - RESERVE));
}

/** The budget of this process, now. */
export function ownBudget(configured: number | undefined): number {
  try {
    const used = readdirSync("/proc/self/fd").length;
    return descriptorBudget(openFilesLimit(readFileSync("/proc/self/limits", "utf8")), used, configured);
  } catch {
    return descriptorBudget(undefined, 0, configured ?? 512);
  }
}
