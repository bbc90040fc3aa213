import type { Barrier } from "../../base/barrier.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { Signal } from "../../base/signal.ts";
import {
  type SlaveRegisteredMessage,
  type SlaveReregisteredMessage,
  UpdateSlaveMessageSchema,
} from "../../mesos/gen/mesos/internal/messages_pb.ts";
import type { MasterInfo } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { CheckpointStore } from "../checkpoint/store.ts";
import type { Identity } from "../model/identity.ts";
import type { MasterChannel } from "../model/master-channel.ts";
import type { Paths } from "../model/paths.ts";
import type { Operations } from "../operations/operations.ts";
import { updateAgentMessage } from "../operations/resource-changes.ts";
import type { StatusUpdates } from "../status-updates/streams.ts";
import type { Frameworks } from "../tasks/frameworks.ts";
import { advertises } from "./capabilities.ts";
import type { LeadingMaster } from "./leading-master.ts";
import type { RegistrationEvents } from "./registration.ts";

export interface MasterLinkOptions {
  readonly log: Logger;
  readonly identity: Identity;
  readonly master: MasterChannel;
  readonly leading: LeadingMaster;
  readonly gate: Barrier;
  readonly store: CheckpointStore;
  readonly paths: Paths;
  readonly updates: StatusUpdates;
  readonly operations: Operations;
  readonly frameworks: Frameworks;
  /** The agent cannot go on. */
  readonly ended: (exitCode: 0 | 1, why: string) => void;
}

/** What follows from having a master, or from having lost it. */
export class MasterLink implements RegistrationEvents {
  readonly #options: MasterLinkOptions;
  /** The master says why it wants this agent to end. */
  readonly shutdownAsked = new Signal<string>();

  constructor(options: MasterLinkOptions) {
    this.#options = options;
  }

  detected(master: MasterInfo | undefined): void {
    this.#options.leading.detected(master);
  }

  /** The id is written down before anything depends on it. */
  registered(id: string, _message: SlaveRegisteredMessage, duplicate: boolean): void {
    const { identity, store, gate, log, ended, paths } = this.#options;
    if (duplicate && identity.knownId === id) {
      this.#announce();
      return;
    }
    identity.adopt(id);
    const written = store.agent(identity.info).then(
      () => {
        log.info(`Registered with the master; given agent ID ${id}`);
        this.#running();
      },
      (error: unknown) => {
        ended(1, `cannot write the agent's id to ${paths.meta.agentInfo(id)}: ${messageOf(error)}`);
      },
    );
    gate.hold(written);
  }

  reregistered(message: SlaveReregisteredMessage, duplicate: boolean): void {
    if (duplicate) this.#announce();
    else this.#running();
    this.#options.frameworks.reconcile(message.reconciliations);
  }

  disconnected(): void {
    const { identity, leading, updates, operations } = this.#options;
    if (identity.phase === "RUNNING") identity.move("DISCONNECTED");
    leading.lost();
    updates.pause();
    operations.pause();
  }

  shutdown(message: string): void {
    this.shutdownAsked.raise(message);
  }

  refused(_refusal: unknown, why: string): void {
    this.#options.ended(1, why);
  }

  #running(): void {
    const { identity, leading, updates, operations } = this.#options;
    if (identity.phase === "TERMINATING") return;
    identity.move("RUNNING");
    leading.reached();
    this.#announce();
    operations.resume();
    updates.resume();
  }

  /** After every word of the master that it has this agent. */
  #announce(): void {
    const { master, identity, operations } = this.#options;
    if (advertises("RESOURCE_PROVIDER"))
      master.send(UpdateSlaveMessageSchema, updateAgentMessage(identity, operations));
  }
}
