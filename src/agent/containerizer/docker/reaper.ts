import type { Clock, Timer } from "../../../base/clock.ts";
import { messageOf } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import type { Engine } from "../../../docker/engine.ts";

/** A removal that failed is tried again after so long. */
const RETRY = 60_000;
/** Removals at once: hundreds are due when an agent comes back, and dockerd has locked itself up over dozens in one moment. */
const AT_ONCE = 4;

/** Removes dead containers of ours, `delay` milliseconds after their end (`--docker_remove_delay`). */
export class Reaper {
  readonly #engine: Pick<Engine, "remove">;
  readonly #delay: number;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #timers = new Map<string, Timer>();
  /** Whose time has come, and who waits for others' removal. */
  #due: string[] = [];
  #removing = 0;
  #isClosed = false;

  constructor(engine: Pick<Engine, "remove">, delay: number, clock: Clock, log: Logger) {
    this.#engine = engine;
    this.#delay = delay;
    this.#clock = clock;
    this.#log = log;
  }

  /** Dead containers that wait for their removal. */
  get count(): number {
    return this.#timers.size;
  }

  /** `endedAt`: milliseconds since the epoch; undefined counts from now. `atOnce`: without the delay (`--rm`). */
  add(engineId: string, endedAt: number | undefined, atOnce = false): void {
    // A recovery that goes on in the background tells of dead ones even when the agent has left.
    if (this.#isClosed || this.#timers.has(engineId)) return;
    const due = (endedAt ?? this.#clock.now()) + (atOnce ? 0 : this.#delay);
    this.#arm(engineId, due - this.#clock.now());
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#due = [];
  }

  #arm(engineId: string, wait: number): void {
    const timer = this.#clock.after(Math.max(0, wait), () => {
      this.#due.push(engineId);
      this.#next();
    });
    this.#timers.set(engineId, timer);
  }

  #next(): void {
    while (this.#removing < AT_ONCE) {
      const engineId = this.#due.shift();
      if (engineId === undefined) return;
      this.#removing++;
      void this.#remove(engineId).finally(() => {
        this.#removing--;
        this.#next();
      });
    }
  }

  async #remove(engineId: string): Promise<void> {
    try {
      await this.#engine.remove(engineId);
      this.#log.info(`Removed dead container ${engineId.slice(0, 12)}`);
      this.#timers.delete(engineId);
    } catch (error) {
      this.#log.warn(`Cannot remove dead container ${engineId.slice(0, 12)} yet: ${messageOf(error)}`);
      if (this.#timers.has(engineId)) this.#arm(engineId, RETRY);
    }
  }
}
