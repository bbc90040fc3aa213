import { UserError } from "../../../base/errors.ts";
import type { HostConfig } from "../../../docker/create-request.ts";
import type { RunParameter } from "../../../docker/run-options/run-options.ts";

/** An option of `docker run` that a task may not have, or not with every value, because what it sets is the agent's. */
interface Owned {
  /** Whether this value is refused; undefined: every one is. */
  readonly when?: (value: string) => boolean;
  readonly why: string;
}

const LABELS = "org.apache.mesos.";

/** Options of a task that would take over what the agent owns, or what another container does. */
const OWNED: Readonly<Record<string, Owned>> = {
  name: { why: "the agent names its containers; the name is in the task's environment as MESOS_CONTAINER_NAME" },
  label: {
    when: (value) => value.startsWith(LABELS),
    why: `labels that begin with ${LABELS} are how the agent finds its containers again`,
  },
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

/** What can be shared with another container, by the request's field: its value then begins with `container:`. */
const SHARED = {
  NetworkMode: "the network of another container is not this task's, and goes away with it",
  PidMode: "the processes of another container are not this task's",
  IpcMode: "the memory of another container is not this task's",
} as const satisfies Partial<Record<keyof HostConfig, string>>;

/**
 * Throws a UserError for a request that would have the container share what is another's, however that was asked for: by a
 * parameter, by its long form (`network name=…`), or as the name of a network of the task's.
 */
export function refuseShared(host: HostConfig): void {
  for (const field of ["NetworkMode", "PidMode", "IpcMode"] as const) {
    const value = host[field];
    if (value?.startsWith("container:")) throw new UserError(`'${value}' (${field}) is refused: ${SHARED[field]}`);
  }
}
