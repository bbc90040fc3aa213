import { spawnSync } from "node:child_process";
import { statfsSync } from "node:fs";
import { formatBytes } from "../../base/bytes.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import { textOf } from "../machine.ts";
import { type Check, type Finding, findings, fixHere } from "./finding.ts";

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
    } catch (error) {
      if (codeOf(error) !== "ENOENT")
        return failure(`${folder} cannot be looked at: ${messageOf(error)}`, "name a folder that this user may use");
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
