import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { SerialQueue } from "../../base/serial-queue.ts";
import type { DrainConfig } from "../../mesos/gen/mesos/v1/mesos_pb.ts";
import type { CheckpointStore } from "../checkpoint/store.ts";
import type { Identity } from "../model/identity.ts";

/** The order to drain that holds now: launches and statuses ask it. */
export class DrainOrder {
  config: DrainConfig | undefined;
  /** Milliseconds since the epoch. */
  since = 0;
}

export interface DrainingOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly order: DrainOrder;
  readonly identity: Pick<Identity, "id">;
  readonly store: Pick<CheckpointStore, "drain">;
  readonly registry: { readonly active: { readonly size: number } };
  readonly operations: { readonly count: number };
  /** Kills every task that is not ended. */
  readonly frameworks: { drain(config: DrainConfig): void };
}

/**
 * A drain (mesos-wire §3.17): the operator wants the agent empty. While it lasts launches are refused and kills say why;
 * it is over when neither frameworks nor operations are left. It goes on after a restart.
 */
export class Draining {
  readonly #options: DrainingOptions;
  readonly #writes = new SerialQueue();

  constructor(options: DrainingOptions) {
    this.#options = options;
  }

  /** Whether a framework or an operation is left. */
  get #isBusy(): boolean {
    const { registry, operations } = this.#options;
    return registry.active.size > 0 || operations.count > 0;
  }

  /**
   * The master's order; a repeated one replaces the first. An agent on which nothing is left is drained already. Resolves
   * when the tasks were asked to end.
   */
  async begin(config: DrainConfig): Promise<void> {
    const { log, clock, order, frameworks } = this.#options;
    if (!this.#isBusy) {
      log.info("Asked to drain: nothing runs here, it is done");
      return;
    }
    log.warn(`Draining${order.config === undefined ? "" : " by a new order"}: killing all tasks, refusing new ones`);
    order.config = config;
    order.since = clock.now();
    await this.#write(config);
    // Everything may have ended meanwhile, or another order have come.
    if (order.config === config) frameworks.drain(config);
  }

  /** Takes up an order from before a restart; call it before anything is recovered: recovered ends are part of it. */
  restore(config: DrainConfig | undefined): void {
    const { order, clock } = this.#options;
    order.config = config;
    order.since = clock.now();
  }

  /** Goes on with what restore() took up, when everything is recovered: the kills may not have gone out. */
  async replay(): Promise<void> {
    const { order, log, frameworks } = this.#options;
    const { config } = order;
    if (config === undefined) return;
    log.warn("Going on with the drain from before the restart");
    if (this.#isBusy) frameworks.drain(config);
    await this.check();
  }

  /** Something ended: was it the last? Resolves when that is written down. */
  async check(): Promise<void> {
    const { order, log } = this.#options;
    if (order.config === undefined || this.#isBusy) return;
    log.info("Drained: nothing runs here any more");
    order.config = undefined;
    await this.#write(undefined);
  }

  async #write(config: DrainConfig | undefined): Promise<void> {
    const { store, identity } = this.#options;
    try {
      await this.#writes.add(() => store.drain(identity.id, config));
    } catch (error) {
      this.#options.log.error(`Cannot checkpoint the drain: ${messageOf(error)}; a restart of the agent may forget it`);
    }
  }
}
