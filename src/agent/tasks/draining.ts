import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { SerialQueue } from "../../base/serial-queue.ts";
import type { DrainConfig } from "../../mesos/gen/mesos/v1/mesos_pb.ts";

export interface DrainingOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Writes the order down, or (undefined) removes it. */
  readonly checkpoint: (config: DrainConfig | undefined) => Promise<void>;
  /** Whether a framework or an operation is left. */
  readonly busy: () => boolean;
  /** Kills every task that is not ended. */
  readonly kill: (config: DrainConfig) => void;
}

/**
 * A drain (mesos-wire §3.17): the operator wants the agent empty. While it lasts launches are refused and kills say why;
 * it is over when neither frameworks nor operations are left. It goes on after a restart.
 */
export class Draining {
  readonly #options: DrainingOptions;
  readonly #writes = new SerialQueue();
  #config: DrainConfig | undefined;
  #since = 0;

  constructor(options: DrainingOptions) {
    this.#options = options;
  }

  get config(): DrainConfig | undefined {
    return this.#config;
  }

  /** Milliseconds since the epoch. */
  get since(): number {
    return this.#since;
  }

  /**
   * The master's order; a repeated one replaces the first. An agent on which nothing is left is drained already. Resolves
   * when the tasks were asked to end.
   */
  async begin(config: DrainConfig): Promise<void> {
    const { log, clock, busy, kill } = this.#options;
    if (!busy()) {
      log.info("Asked to drain: nothing runs here, it is done");
      return;
    }
    log.warn(`Draining${this.#config === undefined ? "" : " by a new order"}: killing all tasks, refusing new ones`);
    this.#config = config;
    this.#since = clock.now();
    await this.#write(config);
    // Everything may have ended meanwhile, or another order have come.
    if (this.#config === config) kill(config);
  }

  /** Takes up an order from before a restart; call it before anything is recovered: recovered ends are part of it. */
  restore(config: DrainConfig | undefined): void {
    this.#config = config;
    this.#since = this.#options.clock.now();
  }

  /** Goes on with what restore() took up, when everything is recovered: the kills may not have gone out. */
  async replay(): Promise<void> {
    const config = this.#config;
    if (config === undefined) return;
    this.#options.log.warn("Going on with the drain from before the restart");
    if (this.#options.busy()) this.#options.kill(config);
    await this.check();
  }

  /** Something ended: was it the last? Resolves when that is written down. */
  async check(): Promise<void> {
    if (this.#config === undefined || this.#options.busy()) return;
    this.#options.log.info("Drained: nothing runs here any more");
    this.#config = undefined;
    await this.#write(undefined);
  }

  async #write(config: DrainConfig | undefined): Promise<void> {
    try {
      await this.#writes.add(() => this.#options.checkpoint(config));
    } catch (error) {
      this.#options.log.error(`Cannot checkpoint the drain: ${messageOf(error)}; a restart of the agent may forget it`);
    }
  }
}
