import { closeSync, readdirSync, readFileSync } from "node:fs";
import type { FetchUser } from "./order.ts";

const O_CLOEXEC = 0o2000000;

type ThisProcess = Pick<NodeJS.Process, "getuid" | "getgid" | "geteuid" | "setgroups" | "setgid" | "setuid">;

/**
 * Makes this process into one of the user's, for good: groups, group, user, in all its threads. From then on the kernel
 * checks every access, and no process of the user may trace this one (its rights were once greater). Throws the system's
 * error.
 */
export function become(user: FetchUser | undefined, self: ThisProcess = process): void {
  if (user === undefined || self.setgroups === undefined) return;
  if (self.getuid?.() !== 0 && self.getuid?.() === user.uid && self.getgid?.() === user.gid) return;
  self.setgroups([...user.groups]);
  self.setgid?.(user.gid);
  self.setuid?.(user.uid);
  if (user.uid !== 0 && (self.geteuid?.() !== user.uid || self.getuid?.() === 0))
    throw new Error(`this process did not become the user '${user.name}'`);
}

/** Closes what the agent itself inherited from whoever started it: all from `first` on that would reach a program. */
export function closeInherited(first: number): void {
  for (const name of readdirSync("/proc/self/fd")) {
    const descriptor = Number(name);
    if (descriptor < first) continue;
    try {
      const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, "latin1"))?.[1];
      if (flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) === 0) closeSync(descriptor);
    } catch {
      // It was that of the listing.
    }
  }
}
