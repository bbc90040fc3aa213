import { existsSync, realpathSync } from "node:fs";
import { textOf } from "../machine.ts";
import { type Check, findings, fixHere } from "./finding.ts";

const SUBSYSTEMS = ["cpu", "cpuacct", "memory", "freezer"];

/** Which control groups there are, and whether tasks can be limited by them. */
export const cgroups: Check = async (patient) => {
  const { isRoot, setting } = patient;
  const { ok, warning } = findings("cgroups");
  const isolation = setting("MESOS_ISOLATION");
  const wanted = isolation?.includes("cgroups") ?? false;
  const unified = existsSync("/sys/fs/cgroup/cgroup.controllers");
  const mounts = textOf("/proc/mounts")
    .split("\n")
    .map((line) => line.split(" "));
  const writable = (path: string): boolean =>
    mounts.some(
      ([, at, type, options]) => at === path && type?.startsWith("cgroup") && options?.split(",")[0] === "rw",
    );
  const isolated = `isolation: ${isolation ?? "none of cpu and memory by cgroups (MESOS_ISOLATION is not set)"}`;
  if (unified) {
    const own = ownGroup(textOf("/proc/self/cgroup"));
    const place: UnifiedPlace = {
      offered: wordsOf("/sys/fs/cgroup/cgroup.controllers"),
      isTop: !existsSync("/sys/fs/cgroup/cgroup.type"),
      canWrite: isRoot && writable("/sys/fs/cgroup"),
      own,
      delegated: isRoot ? [] : wordsOf(`/sys/fs/cgroup${own}/cgroup.controllers`),
      wanted: controllersOf(isolation ?? ""),
    };
    const { works, detail, fix } = unifiedVerdict(place);
    const whole = `${detail}; ${isolated}`;
    return [works || !wanted ? ok(whole) : warning(whole, fixHere(patient, fix, fix))];
  }
  const verdict = splitVerdict(stateOfEach(writable), isolation ?? "");
  if (verdict === undefined)
    return [
      warning(
        `no cgroups at /sys/fs/cgroup; ${isolated}`,
        fixHere(patient, "mount them: -v /sys:/sys:ro", "mount them"),
      ),
    ];
  const detail = `${verdict.detail}; ${isolated}`;
  const fix = fixHere(patient, "run with --privileged", "run as root, with them mounted rw");
  return [verdict.works || !wanted ? ok(detail) : warning(detail, fix)];
};

type SubsystemState = "writable" | "read-only" | "missing";

/** What there is of each subsystem. `cpu` may be a link to `cpu,cpuacct`, which is what is mounted. */
function stateOfEach(writable: (path: string) => boolean): (name: string) => SubsystemState {
  return (name) => {
    const path = realpathOf(`/sys/fs/cgroup/${name}`);
    if (path === undefined) return "missing";
    return writable(path) ? "writable" : "read-only";
  };
}

function realpathOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** Whether what --isolation asks for can be held on cgroup v1; undefined: there are no cgroups at all. */
export function splitVerdict(state: (name: string) => SubsystemState, isolation: string) {
  const asked = controllersOf(isolation)
    .map((name) => (name === "io" ? "blkio" : name))
    .filter((name) => !SUBSYSTEMS.includes(name));
  const names = [...SUBSYSTEMS, ...asked];
  const missing = names.filter((name) => state(name) === "missing");
  if (missing.length === names.length) return undefined;
  const readOnly = names.filter((name) => state(name) === "read-only");
  const parts = [
    "cgroup v1",
    ...(missing.length > 0 ? [`without ${missing.join(", ")}`] : []),
    ...(readOnly.length > 0 ? [`${readOnly.join(", ")} read-only`] : []),
  ];
  return { works: missing.length + readOnly.length === 0, detail: parts.join(", ") };
}

const wordsOf = (path: string): string[] =>
  textOf(path)
    .split(/\s+/)
    .filter((word) => word !== "");

/** The v2 group of the text of /proc/self/cgroup; what the agent itself moved into is a leaf of it. */
export const ownGroup = (text: string): string =>
  (/^0::(\/.*)$/m.exec(text)?.[1] ?? "/").replace(/\/agent$/, "").replace(/\/$/, "");

/** The controllers that the isolators of --isolation need. */
export function controllersOf(isolation: string): string[] {
  const named = isolation.split(",").map((name) => name.trim());
  const all = named.includes("cgroups");
  return [
    ...(all || named.includes("cgroups/cpu") ? ["cpu"] : []),
    ...(all || named.includes("cgroups/mem") ? ["memory"] : []),
    ...(named.includes("cgroups/pids") ? ["pids"] : []),
    ...(named.includes("cgroups/blkio") || named.includes("cgroups/io") ? ["io"] : []),
  ];
}

/** Where this stands in a v2 hierarchy. */
export interface UnifiedPlace {
  /** What the mount offers. */
  readonly offered: readonly string[];
  /** The mount is the machine's top group: no cgroup namespace. */
  readonly isTop: boolean;
  /** Root, with the mount writable. */
  readonly canWrite: boolean;
  /** The group this is in, below the mount; empty for its top. */
  readonly own: string;
  /** What that group has, for who may write only there. */
  readonly delegated: readonly string[];
  readonly wanted: readonly string[];
}

/** What of `wanted` will be held on cgroup v2, and what makes up for the rest. */
export function unifiedVerdict({ offered, isTop, canWrite, own, delegated, wanted }: UnifiedPlace) {
  const had = canWrite ? offered : delegated;
  const lacking = wanted.filter((controller) => !had.includes(controller));
  const scope = isTop ? "the machine's" : "in a cgroup namespace of its own";
  const access = canWrite ? "writable" : delegated.length > 0 ? `delegated in ${own}` : "read-only";
  const will = wanted.filter((controller) => !lacking.includes(controller));
  const parts = [
    `cgroup v2 (${offered.join(" ")}), ${scope}, ${access}`,
    ...(will.length > 0 ? [`will be held: ${will.join(", ")}`] : []),
    ...(lacking.length > 0 ? [`will not be held: ${lacking.join(", ")}`] : []),
  ];
  const fix = canWrite
    ? `let the group above hand down ${lacking.join(", ")} (systemd: Delegate=yes)`
    : own === "" || delegated.length === 0
      ? "run as root with /sys/fs/cgroup mounted rw (docker run --privileged)"
      : `run as root, or delegate ${lacking.join(", ")} (systemd: Delegate=yes) and set MESOS_CGROUPS_ROOT=${own.slice(1)}/mesos`;
  return { works: lacking.length === 0, detail: parts.join(", "), fix };
}
