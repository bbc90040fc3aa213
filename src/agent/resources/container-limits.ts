/** What the cgroup that this program runs in may use, of the whole machine; undefined: as much as there is. */
export interface ContainerLimits {
  /** CPUs by quota. */
  readonly cpus: number | undefined;
  /** Bytes. */
  readonly memory: number | undefined;
  /** Files that said so, for the log. */
  readonly sources: readonly string[];
}

/** A file's content; undefined when it cannot be read. */
export type ReadText = (path: string) => string | undefined;

const ROOT = "/sys/fs/cgroup";
/** v1 writes "no limit" as a number near 2^63. */
const NO_LIMIT = 2 ** 60;

/** `0::/a/b` (v2) and `4:cpu,cpuacct:/a/b` (v1) lines of /proc/self/cgroup: path by controller; v2's under "". */
function groupsOf(text: string): ReadonlyMap<string, string> {
  const groups = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^(\d+):([^:]*):(\/.*)$/.exec(line);
    if (match === null) continue;
    for (const controller of (match[2] ?? "").split(",")) groups.set(controller, match[3] ?? "/");
  }
  return groups;
}

/**
 * The folders in which limits may stand, from the group itself up to the mount's root. Inside a cgroup namespace the path
 * is `/`; without one, a container's mount shows its own group as the root, and the path leads nowhere: then only the root
 * counts.
 */
function ancestors(mount: string, path: string): string[] {
  const folders: string[] = [];
  for (let at = path.replace(/\/+$/, ""); at !== ""; at = at.slice(0, at.lastIndexOf("/"))) folders.push(mount + at);
  return [...folders, mount];
}

interface Found {
  readonly value: number;
  readonly source: string;
}

const least = (found: readonly (Found | undefined)[]): Found | undefined =>
  found.reduce(
    (best, one) => (one !== undefined && (best === undefined || one.value < best.value) ? one : best),
    undefined,
  );

/** `max 100000`, `150000 100000` */
function quotaV2(read: ReadText, folder: string): Found | undefined {
  const source = `${folder}/cpu.max`;
  const [quota = "", period = ""] = read(source)?.trim().split(/\s+/) ?? [];
  return /^\d+$/.test(quota) && Number(period) > 0 ? { value: Number(quota) / Number(period), source } : undefined;
}

function quotaV1(read: ReadText, folder: string): Found | undefined {
  const source = `${folder}/cpu.cfs_quota_us`;
  const quota = Number(read(source) ?? -1);
  const period = Number(read(`${folder}/cpu.cfs_period_us`) ?? 0);
  return quota > 0 && period > 0 ? { value: quota / period, source } : undefined;
}

function bytesIn(read: ReadText, source: string): Found | undefined {
  const text = read(source)?.trim() ?? "";
  const value = /^\d+$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
  return value < NO_LIMIT ? { value, source } : undefined;
}

/** The CPUs in a list such as `0-3,6`. */
export function countCpuList(list: string): number | undefined {
  let count = 0;
  for (const part of list.trim().split(",")) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match === null) return undefined;
    count += Number(match[2] ?? match[1]) - Number(match[1]) + 1;
  }
  return count;
}

/** Limits of the own cgroup, v1, v2 or mixed, whichever is the tightest on the way up. `cpuset` are CPUs too. */
export function readContainerLimits(read: ReadText): ContainerLimits {
  const groups = groupsOf(read("/proc/self/cgroup") ?? "");
  const unified = groups.get("");
  const v2 = unified === undefined ? [] : ancestors(ROOT, unified);
  const v1 = (controller: string): string[] => {
    const path = groups.get(controller);
    return path === undefined
      ? []
      : [`${ROOT}/${controller}`, `${ROOT}/cpu,cpuacct`].flatMap((mount) => ancestors(mount, path));
  };
  const cpus = least([
    ...v2.map((folder) => quotaV2(read, folder)),
    ...v1("cpu").map((folder) => quotaV1(read, folder)),
  ]);
  const set = read("/proc/self/status")?.match(/^Cpus_allowed_list:\s*(\S+)$/m)?.[1];
  const allowed = set === undefined ? undefined : countCpuList(set);
  const memory = least([
    ...v2.map((folder) => bytesIn(read, `${folder}/memory.max`)),
    ...v1("memory").map((folder) => bytesIn(read, `${folder}/memory.limit_in_bytes`)),
  ]);
  const pinned = allowed === undefined ? undefined : { value: allowed, source: "the CPU affinity of this process" };
  const tightest = least([cpus, pinned]);
  return {
    cpus: tightest?.value,
    memory: memory?.value,
    sources: [tightest?.source, memory?.source].filter((source) => source !== undefined),
  };
}
