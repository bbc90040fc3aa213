import { readFileSync, statfsSync } from "node:fs";
import { totalmem } from "node:os";
import { dirname } from "node:path";
import { codeOf } from "../../base/errors.ts";
import type { ReadText } from "./container-limits.ts";
import type { MachineSize } from "./detect.ts";

/** Reads small files of /proc and /sys. */
export const readSystemFile: ReadText = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

/** Size of the file system that holds `path`, or that will when it is made; undefined when nobody knows. */
function fileSystemSize(path: string): number | undefined {
  for (let at = path; ; at = dirname(at)) {
    try {
      const { blocks, bsize } = statfsSync(at);
      return blocks * bsize;
    } catch (error) {
      if (codeOf(error) !== "ENOENT" || at === "/") return undefined;
    }
  }
}

/** This machine's size. Node's own numbers of CPUs and memory are those of the machine, not of a container. */
export function measureMachineSize(workDir: string): MachineSize {
  const cpus = readSystemFile("/proc/stat")?.match(/^cpu\d+ /gm)?.length;
  return { cpus, memory: totalmem(), disk: fileSystemSize(workDir) };
}
