import { UserError } from "../../../base/errors.ts";

/** The controllers that isolators use, by v2's names. v1 has the CPU clock in a controller of its own. */
export type Controller = "cpu" | "cpuacct" | "memory" | "pids" | "io";

const v1Name = (controller: Controller): string => (controller === "io" ? "blkio" : controller);

/** Where a controller is mounted. */
export interface Mount {
  readonly version: 1 | 2;
  readonly path: string;
}

/** A line of /proc/mounts that concerns control groups. */
interface Entry {
  readonly type: string;
  readonly path: string;
  readonly options: readonly string[];
}

/** /proc/mounts writes space, tab, newline and backslash as \ooo. */
const unquote = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_whole, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** The cgroup mounts below `hierarchy`, of the text of /proc/mounts. */
export function parseMounts(mounts: string, hierarchy: string): Entry[] {
  const base = hierarchy.replace(/\/+$/, "");
  return mounts.split("\n").flatMap((line) => {
    const [, path = "", type = "", options = ""] = line.split(" ");
    const at = unquote(path);
    const isOurs = (type === "cgroup" || type === "cgroup2") && (at === base || at.startsWith(`${base}/`));
    return isOurs ? [{ type, path: at, options: options.split(",") }] : [];
  });
}

/**
 * Where each wanted controller is: on v1, on v2, or mixed (systemd's hybrid mode, where some controllers may have moved
 * to v2). `controllersOf` reads `cgroup.controllers` of a v2 mount. Throws a UserError that names what is missing.
 */
export function findControllers(
  entries: readonly Entry[],
  wanted: readonly Controller[],
  hierarchy: string,
  controllersOf: (path: string) => readonly string[],
): ReadonlyMap<Controller, Mount> {
  const unified = entries.find(({ type }) => type === "cgroup2");
  const offered = unified === undefined ? [] : controllersOf(unified.path);
  const found = new Map<Controller, Mount>();
  for (const controller of wanted) {
    const legacy = entries.find(({ type, options }) => type === "cgroup" && options.includes(v1Name(controller)));
    // v2 counts CPU time in every group, whether the controller is on or not.
    const isUnified = offered.includes(controller === "cpuacct" ? "cpu" : controller);
    if (legacy !== undefined) found.set(controller, { version: 1, path: legacy.path });
    else if (isUnified && unified !== undefined) found.set(controller, { version: 2, path: unified.path });
    else {
      throw new UserError(
        `the cgroup controller '${controller}' is not mounted below ${hierarchy}`,
        "mount it (in a container: -v /sys/fs/cgroup:/sys/fs/cgroup:rw), correct --cgroups_hierarchy, or choose --isolation=posix/cpu,posix/mem",
      );
    }
  }
  return found;
}
