import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf, messageOf, UserError } from "../../base/errors.ts";
import { makeFolder } from "../../base/folders.ts";
import { statFields } from "../../base/process-stat.ts";

/** Who holds a lock. Pids are reused, so the time of the process's start (clock ticks since boot) goes with it. */
interface Holder {
  readonly pid: number;
  readonly started: string;
  readonly boot: string;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Field 22 of /proc/PID/stat. */
const startOf = (pid: number): string | undefined => statFields(read(`/proc/${pid}/stat`) ?? "")[19];

const bootId = (): string => read("/proc/sys/kernel/random/boot_id")?.trim() ?? "";

function holderOf(text: string | undefined): Holder | undefined {
  const [pid, started, boot] = (text ?? "").trim().split(" ");
  return pid !== undefined && /^\d+$/.test(pid) && started !== undefined
    ? { pid: Number(pid), started, boot: boot ?? "" }
    : undefined;
}

function alive({ pid, started, boot }: Holder): boolean {
  return boot === bootId() && startOf(pid) === started;
}

/**
 * Takes the lock file `path` for this process and returns how to release it. A lock whose holder has died is taken over.
 * Throws a UserError naming the holder otherwise.
 */
export function takeLock(path: string): () => void {
  const mine = `${process.pid} ${startOf(process.pid) ?? "0"} ${bootId()}\n`;
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    makeFolder(dirname(path));
    writeFileSync(temporary, mine, { flag: "wx" });
  } catch (error) {
    throw new UserError(
      `cannot write beside the registry: ${messageOf(error)}`,
      codeOf(error) === "ENOSPC"
        ? `make room on the disk of '${dirname(path)}': positions could not be recorded`
        : `make '${dirname(path)}' writable for this user, or set 'registry path' (or -registry) to a folder that is`,
      { cause: error },
    );
  }
  try {
    for (let attempt = 0; attempt < 100; attempt++) {
      try {
        // link() fails if the name exists, on every filesystem: of two starters, one wins.
        linkSync(temporary, path);
        return () => {
          if (read(path) === mine) rmSync(path, { force: true });
        };
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
      }
      breakStale(path);
    }
  } finally {
    rmSync(temporary, { force: true });
  }
  throw new UserError(`cannot take the lock '${path}'`, "remove it if no other logstash-forwarder runs");
}

function breakStale(path: string): void {
  const text = read(path);
  const holder = holderOf(text);
  if (holder !== undefined && alive(holder)) {
    throw new UserError(
      `process ${holder.pid} already uses this registry (lock '${path}')`,
      "stop it first, or give this one its own 'registry path'",
    );
  }
  // Moved aside before it is removed: if another starter replaced it meanwhile, put theirs back.
  const aside = `${path}.${randomBytes(6).toString("hex")}.stale`;
  try {
    renameSync(path, aside);
    if (read(aside) !== text) linkSync(aside, path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT" && codeOf(error) !== "EEXIST") throw error;
  }
  rmSync(aside, { force: true });
}
