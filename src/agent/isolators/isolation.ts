import { messageOf } from "../../base/errors.ts";
import { TaskFailure } from "../model/failure.ts";
import type { Isolation } from "../model/isolation.ts";
import { type ControlOptions, GroupControl } from "./cgroups/control.ts";
import { type DiskOptions, DiskWatch } from "./disk.ts";
import { selectIsolators } from "./select.ts";

export interface IsolationOptions {
  /** `--isolation` */
  readonly names: readonly string[];
  readonly cgroups: ControlOptions;
  readonly disk: DiskOptions;
}

/**
 * The isolators that `--isolation` names, as one. Throws a UserError when one is unknown, or control groups are asked
 * for and cannot be had.
 */
export function createIsolation(options: IsolationOptions): Isolation {
  const selection = selectIsolators(options.names);
  const usesGroups = selection.cpu === "cgroups" || selection.mem === "cgroups" || selection.pids;
  const groups = usesGroups ? new GroupControl(selection, options.cgroups) : undefined;
  const disk = selection.disk ? new DiskWatch(options.disk) : undefined;
  const confinement: Isolation["confinement"] = (id) => ({ controlGroups: groups?.members(id) ?? [] });
  return {
    enforces: { cpus: selection.cpu === "cgroups", mem: selection.mem === "cgroups" },
    async prepare({ containerId, resources, limits, sandbox }, limited) {
      try {
        groups?.add(containerId, resources, limits, limited);
      } catch (error) {
        throw TaskFailure.launch(`Failed to isolate the container: ${messageOf(error)}`, { cause: error });
      }
      disk?.add(containerId, sandbox, resources, limited);
      return confinement(containerId);
    },
    async recover({ containerId, resources, sandbox }, limited) {
      groups?.recover(containerId, limited);
      disk?.add(containerId, sandbox, resources, limited);
    },
    async update(containerId, resources, limits) {
      groups?.update(containerId, resources, limits);
      disk?.update(containerId, resources);
    },
    confinement,
    usage: async (id) => ({ ...groups?.usage(id), ...disk?.usage(id) }),
    status: () => undefined,
    limitation: (id) => groups?.limitation(id),
    async cleanup(containerId) {
      disk?.remove(containerId);
      await groups?.remove(containerId);
    },
    sweep: async (containerIds) => groups?.sweep(containerIds),
    async close() {
      groups?.close();
      disk?.close();
    },
  };
}
