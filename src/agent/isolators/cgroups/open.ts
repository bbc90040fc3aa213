import type { IsolationContext } from "../context.ts";
import { parseDeviceLimits } from "./block-io.ts";
import { GroupControl } from "./control.ts";
import { diskNumber } from "./disk-number.ts";

/** All of cgroups/* as the agent's flags ask for them; `names`: those that --isolation names. */
export function openGroupControl({ flags, clock, log }: IsolationContext, names: ReadonlySet<string>): GroupControl {
  return new GroupControl(names, {
    clock,
    hierarchy: flags.cgroups_hierarchy,
    root: flags.cgroups_root,
    agent: flags.work_dir,
    destroyTimeout: flags.cgroups_destroy_timeout,
    settings: {
      cfs: flags.cgroups_enable_cfs,
      swap: flags.cgroups_limit_swap,
      pids: flags.cgroups_pids_limit,
      io: {
        limits: parseDeviceLimits(flags.cgroups_io_max ?? "", diskNumber),
        ...(flags.cgroups_io_weight !== undefined && { weight: flags.cgroups_io_weight }),
      },
    },
    warn: (line) => log.warn(line),
  });
}
