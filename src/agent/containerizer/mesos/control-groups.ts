import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * Has the kernel end everything in control groups at once (cgroup v2, Linux 5.14 and later), given their member files.
 * Older kernels and cgroup v1 have no such file: then, and beside it, each process is signalled.
 */
export function killGroups(members: readonly string[]): void {
  for (const folder of new Set(members.map((path) => dirname(path)))) {
    try {
      // Never made: only written to.
      writeFileSync(join(folder, "cgroup.kill"), "1", { flag: "r+" });
    } catch {
      // Not there: each process is signalled.
    }
  }
}
