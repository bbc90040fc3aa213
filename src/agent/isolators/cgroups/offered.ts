import { limitFile, WEIGHTS } from "./block-io.ts";
import type { SettingOptions } from "./settings.ts";

/** What of the settings the kernel has files for, and the file for the weight of block I/O. */
export interface Offered {
  readonly settings: SettingOptions;
  readonly weightFile: string | undefined;
  /** What was asked for and cannot be had, each with its fix. */
  readonly lacking: readonly string[];
}

/** Which v1 or v2 serves memory and block I/O; undefined: it is not isolated, so nothing is asked of it. */
interface Served {
  readonly memory: 1 | 2 | undefined;
  readonly io: 1 | 2 | undefined;
}

/** `has`: whether the agent's own group has a file of that controller. */
export function offered(
  asked: SettingOptions,
  { memory, io }: Served,
  has: (controller: "memory" | "io", file: string) => boolean,
): Offered {
  const lacking: string[] = [];
  const swapFile = memory === 1 ? "memory.memsw.limit_in_bytes" : "memory.swap.max";
  const lacksSwap = asked.swap && memory !== undefined && !has("memory", swapFile);
  if (lacksSwap)
    lacking.push(
      `swap (--cgroups_limit_swap): the kernel does not count it; boot it with swapaccount=1, or without swap`,
    );
  if (asked.io === undefined || io === undefined)
    return { settings: { ...asked, swap: asked.swap && !lacksSwap }, weightFile: undefined, lacking };
  const weightFile = Object.keys(WEIGHTS[io]).find((file) => has("io", file));
  if (asked.io.weight !== undefined && weightFile === undefined)
    lacking.push(
      `--cgroups_io_weight: the kernel has none of ${Object.keys(WEIGHTS[io]).join(", ")}; load the disks' scheduler bfq, or take a kernel with iocost`,
    );
  const lacksLimits = asked.io.limits.length > 0 && !has("io", limitFile(io));
  if (lacksLimits) lacking.push(`--cgroups_io_max: the kernel has no ${limitFile(io)} (CONFIG_BLK_DEV_THROTTLING)`);
  const limits = lacksLimits ? [] : asked.io.limits;
  return { settings: { ...asked, swap: asked.swap && !lacksSwap, io: { ...asked.io, limits } }, weightFile, lacking };
}
