import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Process } from "../libprocess/process.ts";
import { keepPrivate } from "./checkpoint/private.ts";
import { readState } from "./checkpoint/state.ts";
import type { CheckpointStore } from "./checkpoint/store.ts";
import type { AgentFlags } from "./flags/table.ts";
import { comesBackAsNew } from "./master/after-shutdown.ts";
import type { Registration } from "./master/registration.ts";
import type { Metrics } from "./metrics/registry.ts";
import type { Containerizer } from "./model/container.ts";
import type { Identity } from "./model/identity.ts";
import type { MasterChannel } from "./model/master-channel.ts";
import type { Paths } from "./model/paths.ts";
import type { Operations } from "./operations/operations.ts";
import type { Recovery } from "./recovery/recover.ts";
import type { StatusUpdates } from "./status-updates/streams.ts";
import type { Draining } from "./tasks/draining.ts";
import type { Frameworks } from "./tasks/frameworks.ts";

/** The agent's parts, made in `node.ts`. */
export interface AgentOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly flags: AgentFlags;
  readonly process: Process;
  readonly identity: Identity;
  readonly master: MasterChannel;
  readonly registration: Registration;
  readonly frameworks: Frameworks;
  readonly draining: Draining;
  readonly updates: StatusUpdates;
  readonly operations: Operations;
  readonly recovery: Recovery;
  readonly store: CheckpointStore;
  readonly paths: Paths;
  readonly containerizers: readonly Containerizer[];
  readonly metrics: Metrics;
  /** The kernel's boot id: another one means that the machine was rebooted. */
  readonly bootId: string;
  /** The agent is done: 0 after a shutdown that was asked for, 1 when it cannot go on. */
  readonly ended: (exitCode: 0 | 1, why: string) => void;
}

/** The Mesos agent, from its start to its end. */
export class Agent {
  readonly #options: AgentOptions;
  #recoverySeconds: number | undefined;
  /** The id ends with this process. */
  #isLastOfItsId = false;

  constructor(options: AgentOptions) {
    this.#options = options;
  }

  /** undefined until recovery is done. */
  get recoverySeconds(): number | undefined {
    return this.#recoverySeconds;
  }

  /** Recovers, then looks for a master. Throws a UserError when it cannot go on from what it finds. */
  async start(): Promise<void> {
    const { log, flags, paths, metrics, bootId, recovery, store, clock, identity, registration } = this.#options;
    await keepPrivate(paths);
    log.info(`Recovering state from '${paths.meta.root()}'`);
    const state = readState({ paths, log, strict: flags.strict });
    metrics.count("slave/recovery_errors", state.errors);
    await recovery.run(state, bootId);
    this.#recoverySeconds = Math.max(0, clock.now() - identity.startedAt) / 1000;
    log.info("Finished recovery");
    await store.bootId(bootId);
    if (flags.recover === "cleanup") {
      this.shutdown("--recover=cleanup ends what an earlier agent left");
      return;
    }
    // A shutdown may have been asked for while it recovered.
    if (identity.phase === "RECOVERING") identity.move("DISCONNECTED");
    registration.start();
  }

  /** Ends everything that runs here, then the agent. There is no way back. */
  shutdown(why: string, { unregister = false } = {}): void {
    const { log, identity, master, registration, updates, operations, frameworks } = this.#options;
    if (identity.phase === "TERMINATING") return;
    log.warn(`Shutting down: ${why}`);
    this.#isLastOfItsId = comesBackAsNew(master.version, why);
    registration.terminate({ unregister });
    identity.move("TERMINATING");
    updates.pause();
    operations.pause();
    frameworks.shutdownAll();
  }

  /** Something that runs here, or an operation, was the last of its kind. */
  settled(): void {
    const { identity, draining, ended } = this.#options;
    if (identity.phase !== "TERMINATING") {
      void draining.check();
      return;
    }
    if (this.#isLastOfItsId && identity.knownId !== undefined) this.#forgetId(identity.knownId);
    ended(0, "nothing runs here any more");
  }

  #forgetId(id: string): void {
    const { log, store, paths } = this.#options;
    try {
      store.forgetAgent();
      log.info(`This master takes ${id} back no more: the next start registers as a new agent`);
    } catch (error) {
      log.error(`Cannot remove ${paths.meta.latestAgent()}: ${messageOf(error)}; remove it before the next start`);
    }
  }

  /** Lets go: tasks run on, whoever starts next finds them. Resolves when what was promised is on disk. */
  async close(): Promise<void> {
    const { frameworks, registration, updates, operations, containerizers, process } = this.#options;
    frameworks.close();
    await registration.close();
    await updates.close();
    await operations.close();
    for (const containerizer of containerizers) await containerizer.close();
    await process.close();
  }
}
