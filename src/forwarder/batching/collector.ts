import type { Clock, Timer } from "../../base/clock.ts";
import type { Batch } from "../model/batch.ts";
import type { Encoder, OpenWindow } from "../model/encoder.ts";
import { type EventSink, type SinkEvent, Stopped } from "../model/sink.ts";
import type { Source, Tail } from "../model/source.ts";

export interface CollectorOptions {
  readonly clock: Clock;
  readonly encoder: Encoder;
  /** Milliseconds after its first event that an incomplete bulk is sent. */
  readonly flushTime: number;
  /**
   * Events that the next bulk may hold; 0: none now, ask again when `retry` is called. `sealing`: events on the way;
   * `bulks`: those that are not handed on yet.
   */
  room(sealing: number, bulks: number): number;
  /** A bulk is ready. Called in the order of reading, the next when this one has resolved. */
  sealed(batch: Batch): Promise<void>;
}

/** Collects events into bulks and hands them on compressed, in order, while the next is being filled. */
export class Collector implements EventSink {
  readonly #options: CollectorOptions;
  #bulk: OpenWindow | undefined;
  #timer: Timer | undefined;
  #chain: Promise<void> = Promise.resolve();
  #sealing = 0;
  /** Bulks that were collected and are not handed on. */
  #bulks = 0;
  #waiting: (() => void)[] = [];
  #stopped = false;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  /** Events collected and not handed on. */
  get events(): number {
    return this.#sealing + (this.#bulk?.events ?? 0);
  }

  get isFull(): boolean {
    return this.#bulk === undefined && !this.#stopped && this.#limit() === 0;
  }

  /** Events that a bulk may hold which is opened now; 0: none can be. */
  #limit(): number {
    const { encoder, room } = this.#options;
    return encoder.full ? 0 : room(this.#sealing, this.#bulks);
  }

  async lines(source: Source, bytes: Buffer, base: number, last: number): Promise<number> {
    let from = 0;
    do {
      const bulk = this.#bulk ?? (await this.#open());
      const before = bulk.events;
      from = bulk.lines(source, bytes, base, from, last);
      if (from <= last || bulk.events >= bulk.limit) this.flush();
      if (bulk.events === before && from <= last && before === 0)
        throw new RangeError("a line does not fit into a bulk");
    } while (from <= last && (from === 0 || !this.isFull));
    return from;
  }

  async event(source: Source, event: SinkEvent): Promise<void> {
    for (;;) {
      const bulk = this.#bulk ?? (await this.#open());
      const taken = bulk.event(source, event);
      if (!taken || bulk.events >= bulk.limit) this.flush();
      if (taken) return;
    }
  }

  async passed(source: Source, end: number, tail: Tail | undefined): Promise<void> {
    const bulk = this.#bulk ?? (await this.#open());
    bulk.mark(source, end, tail);
  }

  /** Sends what there is. Resolves when everything collected so far has been handed on. */
  flush(): Promise<void> {
    const bulk = this.#bulk;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#bulk = undefined;
    if (bulk === undefined || bulk.empty) return this.#chain;
    this.#sealing += bulk.events;
    this.#bulks++;
    const batch = bulk.seal();
    void batch.then(() => this.retry());
    this.#chain = this.#chain.then(async () => {
      const sealed = await batch;
      this.#sealing -= sealed.events;
      if (!this.#stopped) await this.#options.sealed(sealed);
      this.#bulks--;
      this.retry();
    });
    return this.#chain;
  }

  /** There may be room again. */
  retry(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }

  /** Takes nothing more; what is collected is dropped (its positions are not recorded). */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#bulk = undefined;
    void this.#chain.then(() => this.#options.encoder.close());
    this.retry();
  }

  async #open(): Promise<OpenWindow> {
    for (;;) {
      if (this.#stopped) throw new Stopped();
      const { clock, encoder, flushTime } = this.#options;
      const limit = this.#limit();
      if (this.#bulk !== undefined) return this.#bulk;
      if (limit > 0) {
        const bulk = encoder.open(limit, clock.monotonic());
        this.#bulk = bulk;
        this.#timer = clock.after(flushTime, () => {
          this.#timer = undefined;
          void this.flush();
        });
        return bulk;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}
