import { rm } from "node:fs/promises";
import { create } from "@bufbuild/protobuf";
import { messageOf } from "../base/errors.ts";
import {
  CheckpointResourcesMessageSchema,
  UpdateOperationStatusMessageSchema,
  type UpdateSlaveMessage,
  UpdateSlaveMessageSchema,
} from "../mesos/gen/mesos/internal/messages_pb.ts";
import { Resources } from "../mesos/resources.ts";
import type { Agent } from "./agent.ts";
import type { CheckpointStore } from "./checkpoint/store.ts";
import type { CheckpointedState } from "./model/checkpointed-state.ts";
import { Operations } from "./operations/operations.ts";
import { Reservations } from "./reservations/reservations.ts";

export interface ResourceChanges {
  readonly reservations: Reservations;
  readonly operations: Operations;
}

/** Joins what the agent holds with the operations that change it: both are checkpointed together. */
export function buildResourceChanges(agent: Agent, store: CheckpointStore): ResourceChanges {
  const { options, paths } = agent;
  const { clock, log, files, info } = options;
  const reservations: Reservations = new Reservations({
    paths,
    log,
    configured: () => Resources.of(info.resources),
    checkpoint: (resources, apply) => store.resourceState(resources, operations.pending(), apply),
  });
  const operations: Operations = new Operations({
    clock,
    log: log.named("operation.cpp"),
    files,
    paths,
    agentId: () => agent.agentId ?? "",
    removeFolder: (path) => rm(path, { recursive: true, force: true }),
    change: (convert) => reservations.change(convert),
    send: (message) => agent.send(UpdateOperationStatusMessageSchema, message),
    masterVersion: () => agent.master?.version,
    failed: (why) => options.ended(1, why),
    settled: () => void agent.draining.check(),
  });
  return { reservations, operations };
}

/** Takes up reservations and volumes, with a change that a crash interrupted. Throws a UserError when they do not fit. */
export async function recoverResources(agent: Agent, state: CheckpointedState): Promise<void> {
  agent.operations.load(state.operations);
  await agent.reservations.recover(state.resources, state.resourcesTarget);
}

/** The master's complete list of reservations and volumes, as it sends it to agents without RESOURCE_PROVIDER. */
export function installCheckpointResources(agent: Agent): void {
  const { process, ended, log } = agent.options;
  process.install(CheckpointResourcesMessageSchema, (_from, { resources }) => {
    if (agent.phase === "RECOVERING" || agent.phase === "TERMINATING") {
      log.warn(`Ignoring a list of resources to checkpoint: the agent is ${agent.phase}`);
      return;
    }
    const changed = agent.reservations.replace(resources).catch((error: unknown) => {
      // The master counts on it: going on would run tasks on what is not there.
      ended(1, `cannot checkpoint resources: ${messageOf(error)}`);
    });
    agent.gate.hold(changed);
  });
}

/** What a RESOURCE_PROVIDER agent says after every (re)registration (mesos-wire §3.12). Empty lists are there, not unset. */
export const updateAgentMessage = (agent: Agent): UpdateSlaveMessage =>
  create(UpdateSlaveMessageSchema, {
    agentId: { value: agent.agentId ?? "" },
    updateOversubscribedResources: false,
    operations: { operations: agent.operations.announced() },
    resourceProviders: { providers: [] },
    resourceVersionUuid: { value: agent.resourceVersion },
  });
