import type { RunTaskMessage } from "../../mesos/gen/mesos/internal/messages_pb.ts";
import type { Resource } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { Identity } from "../model/identity.ts";
import type { Reservations } from "../reservations/reservations.ts";

/** What a launch claims of the agent's resources, held against what they are. */
export class ResourceFacts {
  readonly #identity: Identity;
  readonly #reservations: Reservations;

  constructor(identity: Identity, reservations: Reservations) {
    this.#identity = identity;
    this.#reservations = reservations;
  }

  /** The master computed the offer from another version of the agent's resources (1.5+). */
  areStale(versions: RunTaskMessage["resourceVersionUuids"]): boolean {
    return versions.some(
      ({ resourceProviderId, uuid }) =>
        resourceProviderId === undefined &&
        Buffer.compare(uuid?.value ?? new Uint8Array(), this.#identity.resourceVersion) !== 0,
    );
  }

  /** Whether every reservation and volume among them is one that is written down here. */
  areKnown(resources: readonly Resource[]): boolean {
    return this.#reservations.knows(resources);
  }
}
