import { Backoff } from "../base/backoff.ts";
import { type Clock, sleep } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Engine, EngineEvent } from "./engine.ts";

export interface SupervisorListener {
  /** A container event, in order. */
  event(event: EngineEvent): void;
  /** The daemon answers and the event stream is open (again): what happened in between is not known. */
  healed(): void;
}

/** Milliseconds between two pings of a daemon that is well, and the wait before the next attempt at most. */
const PING_EVERY = 5_000;
const LONGEST_WAIT = 10_000;

/**
 * Watches over the daemon: an event stream that is opened again with backoff, and pings, so that a daemon that hangs,
 * restarts or dies is noticed even when nothing happens.
 *
 *   away ──stream open, ping answered──▶ well ──ping late, stream ended──▶ away
 */
export class EngineSupervisor {
  readonly #engine: Engine;
  readonly #labels: readonly string[];
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #closed = new AbortController();
  #trouble: { readonly words: string; readonly since: number } | undefined;
  #breaks = 0;
  #isKnown = false;
  #finished: Promise<void> | undefined;

  constructor(engine: Engine, labels: readonly string[], clock: Clock, log: Logger) {
    this.#engine = engine;
    this.#labels = labels;
    this.#clock = clock;
    this.#log = log;
  }

  /** What is wrong with the daemon, and for how long; undefined when it is well. */
  get trouble(): string | undefined {
    if (this.#trouble === undefined) return undefined;
    const seconds = Math.round((this.#clock.monotonic() - this.#trouble.since) / 1000);
    return `${this.#trouble.words} (for ${seconds} s)`;
  }

  /** It has answered since the start: one that does not now may be starting again. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** How often the daemon went away since the start. */
  get breaks(): number {
    return this.#breaks;
  }

  start(listener: SupervisorListener): void {
    this.#finished ??= this.#run(listener);
  }

  /** Ends at once; `finished` tells when the last call is over, which closing the engine hastens. */
  close(): void {
    this.#closed.abort();
  }

  get finished(): Promise<void> {
    return this.#finished ?? Promise.resolve();
  }

  async #run(listener: SupervisorListener): Promise<void> {
    const backoff = new Backoff({ initial: 250, maximum: LONGEST_WAIT });
    while (!this.#closed.signal.aborted) {
      try {
        await this.#watch(listener, () => backoff.reset());
      } catch (error) {
        if (this.#closed.signal.aborted) return;
        this.#note(messageOf(error));
      }
      await sleep(this.#clock, backoff.next(), this.#closed.signal).catch(() => undefined);
    }
  }

  #note(words: string): void {
    if (this.#trouble === undefined) {
      this.#breaks++;
      this.#log.warn(`Docker: ${words}; running containers go on`);
    }
    this.#trouble = { words, since: this.#trouble?.since ?? this.#clock.monotonic() };
  }

  /** One event stream from its opening to its end, with pings beside it. Always rejects. */
  async #watch(listener: SupervisorListener, onWell: () => void): Promise<never> {
    const attempt = new AbortController();
    const signal = AbortSignal.any([attempt.signal, this.#closed.signal]);
    try {
      await this.#engine.ping();
      const events = await this.#engine.events(signal, this.#labels);
      if (this.#trouble !== undefined) this.#log.info("Docker: the daemon answers again");
      this.#trouble = undefined;
      this.#isKnown = true;
      onWell();
      listener.healed();
      return await Promise.race([this.#follow(events, listener), this.#ping(signal)]);
    } finally {
      attempt.abort();
    }
  }

  async #follow(events: AsyncGenerator<EngineEvent>, listener: SupervisorListener): Promise<never> {
    for await (const event of events) listener.event(event);
    throw new Error(`the Docker daemon at ${this.#engine.endpoint} ended its event stream`);
  }

  async #ping(signal: AbortSignal): Promise<never> {
    for (;;) {
      await sleep(this.#clock, PING_EVERY, signal);
      await this.#engine.ping();
    }
  }
}
