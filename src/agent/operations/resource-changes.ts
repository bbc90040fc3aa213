import { rm } from "node:fs/promises";
import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Gate } from "../../base/gate.ts";
import type { Logger } from "../../base/log.ts";
import type { Process } from "../../libprocess/process.ts";
import {
  CheckpointResourcesMessageSchema,
  UpdateOperationStatusMessageSchema,
  type UpdateSlaveMessage,
  UpdateSlaveMessageSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import type { AgentInfo, MasterInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import { Resources } from "../../mesos/resources.ts";
import type { CheckpointStore } from "../checkpoint/store.ts";
import type { CheckpointedState } from "../model/checkpointed-state.ts";
import type { CheckpointFiles } from "../model/files.ts";
import type { Paths } from "../model/paths.ts";
import { Reservations } from "../reservations/reservations.ts";
import type { AgentPhase } from "../tasks/context.ts";
import { Operations } from "./operations.ts";

export interface ResourceChanges {
  readonly reservations: Reservations;
  readonly operations: Operations;
}

/** Whose resources change. */
export interface Owner {
  readonly options: {
    readonly clock: Clock;
    readonly log: Logger;
    readonly files: CheckpointFiles;
    readonly info: AgentInfo;
    readonly ended: (exitCode: 0 | 1, why: string) => void;
  };
  readonly paths: Paths;
  readonly agentId: string | undefined;
  readonly master: MasterInfo | undefined;
  readonly draining: { check(): Promise<void> };
  send<D extends DescMessage>(schema: D, message: MessageShape<D>): void;
}

/** Joins what the agent holds with the operations that change it: both are checkpointed together. */
export function buildResourceChanges(agent: Owner, store: CheckpointStore): ResourceChanges {
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
export async function recoverResources(agent: ResourceChanges, state: CheckpointedState): Promise<void> {
  agent.operations.load(state.operations);
  await agent.reservations.recover(state.resources, state.resourcesTarget);
}

/** Who takes the master's list, and may not go on without it. */
export interface ListTaker {
  readonly options: {
    readonly process: Process;
    readonly log: Logger;
    readonly ended: (exitCode: 0 | 1, why: string) => void;
  };
  readonly phase: AgentPhase;
  readonly reservations: Reservations;
  readonly gate: Gate;
}

/** The master's complete list of reservations and volumes, as it sends it to agents without RESOURCE_PROVIDER. */
export function installCheckpointResources(agent: ListTaker): void {
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
export const updateAgentMessage = (agent: {
  readonly agentId: string | undefined;
  readonly operations: Operations;
  readonly resourceVersion: Uint8Array<ArrayBuffer>;
}): UpdateSlaveMessage =>
  create(UpdateSlaveMessageSchema, {
    agentId: { value: agent.agentId ?? "" },
    updateOversubscribedResources: false,
    operations: { operations: agent.operations.announced() },
    resourceProviders: { providers: [] },
    resourceVersionUuid: { value: agent.resourceVersion },
  });
