import { create } from "@bufbuild/protobuf";
import { type UpdateSlaveMessage, UpdateSlaveMessageSchema } from "../../mesos/gen/mesos/internal/messages_pb.ts";
import type { CheckpointedState } from "../model/checkpointed-state.ts";
import type { Identity } from "../model/identity.ts";
import type { Reservations } from "../reservations/reservations.ts";
import type { Operations } from "./operations.ts";

/** What the agent holds, and the operations that change it. */
export interface ResourceChanges {
  readonly reservations: Reservations;
  readonly operations: Operations;
}

/** Takes up reservations and volumes, with a change that a crash interrupted. Throws a UserError when they do not fit. */
export async function recoverResources(changes: ResourceChanges, state: CheckpointedState): Promise<void> {
  changes.operations.load(state.operations);
  await changes.reservations.recover(state.resources, state.resourcesTarget);
}

/** What a RESOURCE_PROVIDER agent says after every (re)registration (mesos-wire §3.12). Empty lists are there, not unset. */
export const updateAgentMessage = (identity: Identity, operations: Operations): UpdateSlaveMessage =>
  create(UpdateSlaveMessageSchema, {
    agentId: { value: identity.id },
    updateOversubscribedResources: false,
    operations: { operations: operations.announced() },
    resourceProviders: { providers: [] },
    resourceVersionUuid: { value: identity.resourceVersion },
  });
