import { sleep } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { cgroups } from "./cgroups.ts";
import { dockerSocket, namespaces, workDirIdentity } from "./docker.ts";
import type { Check, Finding, Patient } from "./finding.ts";
import { certificates, logstash } from "./logstash.ts";
import { clockCheck, disk, limits, supervisord } from "./machine.ts";
import { address, master } from "./network.ts";
import { runtimeFolder } from "./runtime-folder.ts";
import { shipping } from "./shipping.ts";

/** Every check, in the order of the report. */
const checks: Readonly<Record<string, Check>> = {
  docker: dockerSocket,
  work_dir: workDirIdentity,
  runtime_dir: runtimeFolder,
  cgroups,
  namespaces,
  address,
  master,
  logstash,
  certificates,
  shipping,
  disk,
  clock: clockCheck,
  ulimits: limits,
  supervisord,
};

/** Milliseconds after which a check counts as failed. */
const DEADLINE = 15_000;

/** Runs all checks at once; the findings are in the table's order. */
export async function examine(patient: Patient): Promise<Finding[]> {
  const each = Object.entries(checks).map(async ([check, run]): Promise<readonly Finding[]> => {
    const controller = new AbortController();
    const late = sleep(patient.clock, DEADLINE, controller.signal).then(
      () => [
        {
          check,
          status: "failure" as const,
          detail: `no result within ${DEADLINE / 1000} s`,
          fix: "is a disk, the resolver or a daemon that it asks stuck? Run doctor again",
        },
      ],
      () => [],
    );
    try {
      return await Promise.race([run(patient), late]);
    } catch (error) {
      return [
        {
          check,
          status: "failure",
          detail: `the check itself failed: ${messageOf(error)}`,
          fix: "a defect of doctor unless this names something of yours: please report it",
        },
      ];
    } finally {
      controller.abort();
    }
  });
  return (await Promise.all(each)).flat();
}

/** One line a finding, the fix below it. */
export function report(found: readonly Finding[]): string {
  const width = Math.max(...found.map(({ check }) => check.length));
  return found
    .flatMap(({ check, status, detail, fix }) => [
      `${status.padEnd(7)}  ${check.padEnd(width)}  ${detail}`,
      ...(fix === undefined || status === "ok" ? [] : [`${" ".repeat(9 + width + 2)}Fix: ${fix}`]),
    ])
    .join("\n");
}
