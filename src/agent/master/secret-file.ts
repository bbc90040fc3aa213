import { statSync } from "node:fs";
import type { Logger } from "../../base/log.ts";

const READABLE_BY_ALL = 0o004;

/** Warns of a file with a secret that every user of this machine, and so every task, can read. */
export function warnIfReadable(path: string, log: Logger): void {
  // One that is not there is said by who reads it.
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  if ((mode & READABLE_BY_ALL) === 0) return;
  log.warn(`Permissions on file '${path}' are too open: every task can read its secret; chmod 600 ${path}`);
}
