import { isUtf8 } from "node:buffer";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Batch } from "../model/batch.ts";
import type { Version } from "../model/frames.ts";
import { type EventSink, type SinkEvent, Stopped } from "../model/sink.ts";
import type { Source, Tail } from "../model/source.ts";
import type { Bulk } from "./bulk.ts";
import { Sealer } from "./seal.ts";
import { type Constants, type Template, templateOf } from "./template.ts";

export interface CollectorOptions {
  readonly clock: Clock;
  readonly compressionLevel: number;
  /** Milliseconds after its first event that an incomplete bulk is sent. */
  readonly flushTime: number;
  constantsOf(source: Source): Constants;
  version(): Version;
  /** Events that the next bulk may hold; 0: none now, ask again when `retry` is called. `sealing`: events on the way. */
  room(sealing: number): number;
  /** A bulk is ready. Called in the order of reading, the next when this one has resolved. */
  sealed(batch: Batch): Promise<void>;
}

/** Collects events into bulks and hands them on compressed, in order, while the next is being filled. */
export class Collector implements EventSink {
  readonly #options: CollectorOptions;
  readonly #sealer: Sealer;
  readonly #templates = new WeakMap<Source, Template>();
  #bulk: Bulk | undefined;
  #timer: Timer | undefined;
  #chain: Promise<void> = Promise.resolve();
  #sealing = 0;
  #waiting: (() => void)[] = [];
  #stopped = false;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#sealer = new Sealer(options.compressionLevel);
  }

  /** Events collected and not handed on. */
  get events(): number {
    return this.#sealing + (this.#bulk?.events ?? 0);
  }

  async lines(source: Source, bytes: Buffer, base: number, last: number): Promise<void> {
    let from = 0;
    while (from <= last) {
      const bulk = this.#bulk ?? (await this.#open());
      const template = this.#templateOf(source, bulk.version);
      const utf8 = bulk.version === 1 || isUtf8(bytes.subarray(from, last + 1));
      const before = bulk.events;
      from = bulk.appendLines({ source, template, chunk: bytes, base, utf8 }, from, last);
      if (from <= last || bulk.events >= bulk.limit) this.flush();
      if (bulk.events === before && from <= last && before === 0)
        throw new RangeError("a line does not fit into a bulk");
    }
  }

  async event(source: Source, { text, start, end, extra }: SinkEvent): Promise<void> {
    for (;;) {
      const bulk = this.#bulk ?? (await this.#open());
      const template = this.#templateOf(source, bulk.version);
      const taken = bulk.append(source, template, start, end, text, extra);
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
    const batch = this.#sealer.seal(bulk);
    void batch.then(() => this.retry());
    this.#chain = this.#chain.then(async () => {
      const sealed = await batch;
      this.#sealing -= sealed.events;
      if (!this.#stopped) await this.#options.sealed(sealed);
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
    void this.#chain.then(() => this.#sealer.close());
    this.retry();
  }

  async #open(): Promise<Bulk> {
    for (;;) {
      if (this.#stopped) throw new Stopped();
      const limit = this.#sealer.full ? 0 : this.#options.room(this.#sealing);
      if (this.#bulk !== undefined) return this.#bulk;
      if (limit > 0) {
        const { clock, flushTime } = this.#options;
        const bulk = this.#sealer.open(this.#options.version(), limit, clock.monotonic());
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

  #templateOf(source: Source, version: Version): Template {
    let template = this.#templates.get(source);
    if (template === undefined || template.version !== version) {
      template = templateOf(version, this.#options.constantsOf(source));
      this.#templates.set(source, template);
    }
    template.setTime(this.#options.clock.now());
    return template;
  }
}
