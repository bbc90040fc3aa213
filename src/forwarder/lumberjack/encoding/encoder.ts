import { isUtf8 } from "node:buffer";
import type { Clock } from "../../../base/clock.ts";
import type { Batch } from "../../model/batch.ts";
import type { Encoder, OpenWindow } from "../../model/encoder.ts";
import type { Version } from "../../model/settings.ts";
import type { SinkEvent } from "../../model/sink.ts";
import type { Source, Tail } from "../../model/source.ts";
import { Bulk } from "./bulk.ts";
import { Compressor } from "./compressor.ts";
import { frameWindow } from "./frames.ts";
import { payloadsOf } from "./rewindow.ts";
import { type Constants, type Template, templateOf } from "./template.ts";

/** Bytes of frames in one bulk, unless a single event is larger. */
const BULK_BYTES = 1_048_576;
/** Bulks that are compressed at the same time. */
const COMPRESSORS = 2;
/** Buffers there are: one is filled, two are compressed. */
const BUFFERS = 3;
/** Templates that are kept, half a kilobyte each. The others are made when they are needed, for some microseconds. */
const MOST_TEMPLATES = 512;

/** How the frames of a window become what is written. */
export interface Finisher {
  /** `frames` must not be kept: its buffer is used again once this has resolved. */
  finish(version: Version, events: number, frames: Uint8Array): Promise<Buffer>;
  close(): void;
}

/** W, and C around the compressed frames: what receivers take. */
export function compressing(level: number): Finisher {
  const compressors = Array.from({ length: COMPRESSORS }, () => new Compressor(level));
  return {
    finish: async (version, events, frames) => {
      const idlest = compressors.reduce((best, one) => (one.busy < best.busy ? one : best));
      return frameWindow(version, events, await idlest.compress(frames));
    },
    close: () => {
      for (const compressor of compressors) compressor.close();
    },
  };
}

/** The JSON texts of version 2 frames, one a line: what people read. */
export const jsonLines: Finisher = {
  finish: async (_version, _events, frames) => {
    const raw = Buffer.from(frames.buffer, frames.byteOffset, frames.length);
    return Buffer.concat(payloadsOf(raw).flatMap((payload) => [payload, Buffer.from("\n")]));
  },
  close: () => undefined,
};

export interface EncoderOptions {
  readonly clock: Clock;
  readonly finisher: Finisher;
  /** What the next window is encoded for. */
  version(): Version;
  constantsOf(source: Source): Constants;
}

/** Encodes events into Lumberjack's frames, in buffers that are used again and again. */
export class FrameEncoder implements Encoder {
  readonly #options: EncoderOptions;
  /** The one that was made longest ago first. */
  readonly #templates = new Map<Source, Template>();
  readonly #spare: Uint8Array[] = [];
  /** The one that was used last. */
  #last: { readonly source: Source; readonly template: Template } | undefined;
  #inUse = 0;
  #sequence = 0;

  constructor(options: EncoderOptions) {
    this.#options = options;
  }

  get full(): boolean {
    return this.#inUse >= BUFFERS;
  }

  open(limit: number, readAt: number): OpenWindow {
    this.#inUse++;
    const version = this.#options.version();
    return new FrameWindow(
      new Bulk(version, limit, this.#spare.pop() ?? new Uint8Array(BULK_BYTES), readAt),
      (source) => this.#templateOf(source, version),
      (bulk) => this.#seal(bulk),
    );
  }

  close(): void {
    this.#options.finisher.close();
  }

  #templateOf(source: Source, version: Version): Template {
    let template = this.#last?.source === source ? this.#last.template : this.#templates.get(source);
    if (template?.version !== version) {
      template = templateOf(version, this.#options.constantsOf(source));
      // Most files of many are read once, when they are found: what is kept of those is soon garbage, and long in memory.
      if (source.acked > 0) this.#keep(source, template);
    }
    if (this.#last?.template !== template) this.#last = { source, template };
    template.setTime(this.#options.clock.now());
    return template;
  }

  #keep(source: Source, template: Template): void {
    this.#templates.set(source, template);
    const [oldest] = this.#templates.keys();
    if (oldest !== undefined && this.#templates.size > MOST_TEMPLATES) this.#templates.delete(oldest);
  }

  async #seal({ version, events, ends, runs, length, readAt, out }: Bulk): Promise<Batch> {
    const sequence = this.#sequence++;
    const wire =
      events === 0 ? Buffer.alloc(0) : await this.#options.finisher.finish(version, events, out.subarray(0, length));
    this.#inUse--;
    if (out.length === BULK_BYTES) this.#spare.push(out);
    return {
      sequence,
      version,
      events,
      wire,
      ends: events === ends.length ? ends : ends.slice(0, events),
      runs,
      raw: length,
      readAt,
    };
  }
}

class FrameWindow implements OpenWindow {
  readonly #bulk: Bulk;
  readonly #templateOf: (source: Source) => Template;
  readonly #seal: (bulk: Bulk) => Promise<Batch>;

  constructor(bulk: Bulk, templateFor: (source: Source) => Template, seal: (bulk: Bulk) => Promise<Batch>) {
    this.#bulk = bulk;
    this.#templateOf = templateFor;
    this.#seal = seal;
  }

  get limit(): number {
    return this.#bulk.limit;
  }

  get events(): number {
    return this.#bulk.events;
  }

  get empty(): boolean {
    return this.#bulk.empty;
  }

  lines(source: Source, chunk: Buffer, base: number, from: number, last: number): number {
    const utf8 = this.#bulk.version === 1 || isUtf8(chunk.subarray(from, last + 1));
    return this.#bulk.appendLines({ source, template: this.#templateOf(source), chunk, base, utf8 }, from, last);
  }

  event(source: Source, { text, start, end, extra }: SinkEvent): boolean {
    return this.#bulk.append(source, this.#templateOf(source), start, end, text, extra);
  }

  mark(source: Source, end: number, tail: Tail | undefined): void {
    this.#bulk.mark(source, end, tail);
  }

  seal(): Promise<Batch> {
    return this.#seal(this.#bulk);
  }
}
