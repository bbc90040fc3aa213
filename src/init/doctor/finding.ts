import type { Clock } from "../../base/clock.ts";
import type { Engine } from "../../docker/engine.ts";
import type { MachineFacts } from "../machine.ts";

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
  readonly facts: MachineFacts;
  /** The services beside the agent are here: the image, or `npm start`; not where the agent alone is installed. */
  readonly hasServices: boolean;
  /** The forwarder's rendered configuration. */
  readonly forwarderFiles: readonly { readonly path: string; readonly text: string }[];
}

/** What to do, in the words of the place: Docker's command line, or plain ones. */
export const fixHere = ({ facts }: Patient, inContainer: string, outside: string): string =>
  facts.isContainer ? inContainer : outside;

export type Check = (patient: Patient) => Promise<readonly Finding[]>;

/** Makers of findings for one check: what is not well comes with its fix, that of the error where it has one. */
export function findings(check: string) {
  const make =
    (status: Finding["status"]) =>
    (detail: string, fix: string): Finding => {
      const [words = "", own] = detail.split("\n  Fix: ", 2);
      return { check, status, detail: words, fix: own ?? fix };
    };
  return {
    ok: (detail: string): Finding => ({ check, status: "ok", detail }),
    warning: make("warning"),
    failure: make("failure"),
  };
}

/** The containerizers that are asked for. */
export const containerizersOf = (patient: Patient): string[] =>
  (patient.setting("MESOS_CONTAINERIZERS") ?? "docker,mesos").split(",").map((name) => name.trim());
