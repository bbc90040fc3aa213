import { UserError } from "../../../base/errors.ts";
import type { RunParameter } from "../../../docker/run-options/run-options.ts";

/** An option of `docker run` that a task may not have, or not with every value, because what it sets is the agent's. */
interface Owned {
  /** Whether this value is refused; undefined: every one is. */
  readonly when?: (value: string) => boolean;
  readonly why: string;
}

const ofAnother = (value: string): boolean => value.startsWith("container:");
const LABELS = "org.apache.mesos.";

/** Options of a task that would take over what the agent owns, or what another container does. */
const OWNED: Readonly<Record<string, Owned>> = {
  name: { why: "the agent names its containers; the name is in the task's environment as MESOS_CONTAINER_NAME" },
  label: {
    when: (value) => value.startsWith(LABELS),
    why: `labels that begin with ${LABELS} are how the agent finds its containers again`,
  },
  net: { when: ofAnother, why: "the network of another container is not this task's, and goes away with it" },
  network: { when: ofAnother, why: "the network of another container is not this task's, and goes away with it" },
  pid: { when: ofAnother, why: "the processes of another container are not this task's" },
  ipc: { when: ofAnother, why: "the memory of another container is not this task's" },
  "volumes-from": { why: "the volumes of another container are not this task's; name the volume itself" },
};

/** Throws a UserError that names the option which takes over what is not the task's. */
export function refuseOwned(parameters: readonly RunParameter[]): void {
  for (const { key, value } of parameters) {
    const owned = Object.hasOwn(OWNED, key) ? OWNED[key] : undefined;
    if (owned !== undefined && (owned.when?.(value) ?? true))
      throw new UserError(`docker parameter '${key}' with the value '${value}' is refused: ${owned.why}`);
  }
}
