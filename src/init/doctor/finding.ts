import type { Clock } from "../../base/clock.ts";
import type { Engine } from "../../docker/engine.ts";

export interface Finding {
  /** The check's name, as in the table. */
  readonly check: string;
  readonly status: "ok" | "warning" | "failure";
  readonly detail: string;
  /** What to do about it. */
  readonly fix?: string;
}

/** What the checks may use. */
export interface Patient {
  /** A setting as the services see it; undefined when unset. */
  readonly setting: (name: string) => string | undefined;
  readonly clock: Clock;
  readonly engine: Engine;
  /** The Docker container that this runs in. */
  readonly containerId: string | undefined;
  readonly isRoot: boolean;
  readonly root: string;
}

export type Check = (patient: Patient) => Promise<readonly Finding[]>;

/** Makers of findings for one check. */
export function findings(check: string) {
  const make =
    (status: Finding["status"]) =>
    (detail: string, fix?: string): Finding => ({ check, status, detail, ...(fix === undefined ? {} : { fix }) });
  return { ok: make("ok"), warning: make("warning"), failure: make("failure") };
}

/** The containerizers that are asked for. */
export const containerizersOf = (patient: Patient): string[] =>
  (patient.setting("MESOS_CONTAINERIZERS") ?? "docker,mesos").split(",").map((name) => name.trim());
