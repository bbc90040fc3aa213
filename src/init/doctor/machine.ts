import { spawnSync } from "node:child_process";
import { existsSync, statfsSync } from "node:fs";
import { formatBytes } from "../../base/bytes.ts";
import { textOf } from "../machine.ts";
import { type Check, type Finding, findings, fixHere } from "./finding.ts";

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
    const can = isRoot && writable("/sys/fs/cgroup");
    const detail = `cgroup v2 (${textOf("/sys/fs/cgroup/cgroup.controllers").trim()}), ${can ? "writable" : "read-only"}; ${isolated}`;
    return [
      can || !wanted
        ? ok(detail)
        : warning(
            detail,
            fixHere(
              patient,
              "run with --privileged, or with /sys/fs/cgroup mounted rw",
              "run as root, with /sys/fs/cgroup mounted rw",
            ),
          ),
    ];
  }
  const missing = SUBSYSTEMS.filter((name) => !existsSync(`/sys/fs/cgroup/${name}`));
  if (missing.length === SUBSYSTEMS.length)
    return [
      warning(
        `no cgroups at /sys/fs/cgroup; ${isolated}`,
        fixHere(patient, "mount them: -v /sys:/sys:ro", "mount them"),
      ),
    ];
  const readOnly = SUBSYSTEMS.filter((name) => !missing.includes(name) && !writable(`/sys/fs/cgroup/${name}`));
  const parts = [
    "cgroup v1",
    ...(missing.length > 0 ? [`without ${missing.join(", ")}`] : []),
    ...(readOnly.length > 0 ? [`${readOnly.join(", ")} read-only`] : []),
  ];
  const detail = `${parts.join(", ")}; ${isolated}`;
  const fix = fixHere(patient, "run with --privileged", "run as root, with them mounted rw");
  return [missing.length + readOnly.length === 0 || !wanted ? ok(detail) : warning(detail, fix)];
};

const LITTLE = 1024 * 1024 * 1024;

/** Room where the agent writes. */
export const disk: Check = async ({ setting, hasServices }) => {
  const { ok, warning, failure } = findings("disk");
  const folders = [setting("MESOS_WORK_DIR"), setting("MESOS_LOG_DIR")].filter((each) => each !== undefined);
  return folders.map((folder): Finding => {
    try {
      const { bavail, blocks, bsize } = statfsSync(folder);
      const free = bavail * bsize;
      const share = Math.round((100 * bavail) / blocks);
      const detail = `${folder}: ${formatBytes(Math.floor(free / 2 ** 20) * 2 ** 20)} free (${share} %)`;
      if (free < LITTLE / 10) return failure(detail, "free some, or use another disk");
      return free < LITTLE || share < 10 ? warning(detail, "free some, or use another disk") : ok(detail);
    } catch {
      return warning(
        `${folder} does not exist yet`,
        hasServices ? "init makes it at start" : "the agent makes it at start",
      );
    }
  });
};

const FILES = 4096;

/** Limits that a node with many tasks runs into. */
export const limits: Check = async (patient) => {
  const { ok, warning } = findings("ulimits");
  const soft = (name: string): number => {
    const text = new RegExp(`^${name}\\s+(\\S+)`, "m").exec(textOf("/proc/self/limits"))?.[1] ?? "unlimited";
    return text === "unlimited" ? Number.POSITIVE_INFINITY : Number(text);
  };
  const files = soft("Max open files");
  return [
    files < FILES
      ? warning(
          `${files} open files`,
          fixHere(patient, `run with --ulimit nofile=${FILES * 16}:${FILES * 16}`, `ulimit -n ${FILES * 16}`),
        )
      : ok(`${files} open files, ${soft("Max processes")} processes`),
  ];
};

/** What skel's module was written for. */
const TESTED = "4.2.5";

export const supervisord: Check = async ({ hasServices }) => {
  if (!hasServices) return [];
  const { ok, warning, failure } = findings("supervisord");
  const { status, stdout } = spawnSync("supervisord", ["--version"], { encoding: "utf8", timeout: 10_000 });
  if (status !== 0) return [failure("supervisord cannot be run", "apt-get install supervisor")];
  const version = stdout.trim();
  return [
    version === TESTED
      ? ok(`supervisord ${version}`)
      : warning(
          `supervisord ${version}; tested with ${TESTED}`,
          "it runs, but may stop more slowly and not name its lines",
        ),
  ];
};

/** A clock from before this was written breaks certificates and every timestamp. */
const BUILT = Date.parse("2026-01-01T00:00:00Z");

export const clockCheck: Check = async ({ clock }) => {
  const { ok, failure } = findings("clock");
  const now = new Date(clock.now()).toISOString();
  return [clock.now() < BUILT ? failure(`the clock says ${now}`, "set it, and run an NTP client") : ok(now)];
};
