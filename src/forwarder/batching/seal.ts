import type { Batch } from "../model/batch.ts";
import { frameWindow, type Version } from "../model/frames.ts";
import { Bulk } from "./bulk.ts";
import { Compressor } from "./compressor.ts";

/** Bytes of frames in one bulk, unless a single event is larger. */
export const BULK_BYTES = 1_048_576;
/** Bulks that are compressed at the same time. */
const COMPRESSORS = 2;
/** Buffers there are: one is filled, two are compressed. */
const BUFFERS = 3;

/** Makes bulks from reused buffers and turns full ones into batches. */
export class Sealer {
  readonly #compressors: Compressor[];
  readonly #spare: Uint8Array[] = [];
  #inUse = 0;
  #sequence = 0;

  constructor(level: number) {
    this.#compressors = Array.from({ length: COMPRESSORS }, () => new Compressor(level));
  }

  /** All buffers are being filled or compressed: no bulk can be opened before one is sealed. */
  get full(): boolean {
    return this.#inUse >= BUFFERS;
  }

  open(version: Version, limit: number, readAt: number): Bulk {
    this.#inUse++;
    return new Bulk(version, limit, this.#spare.pop() ?? new Uint8Array(BULK_BYTES), readAt);
  }

  /** Ends a bulk. The bulk must not be used afterwards. */
  async seal(bulk: Bulk): Promise<Batch> {
    const { version, events, ends, runs, length, readAt } = bulk;
    const sequence = this.#sequence++;
    const compressor = this.#compressors.reduce((idlest, one) => (one.busy < idlest.busy ? one : idlest));
    const wire =
      events === 0
        ? Buffer.alloc(0)
        : frameWindow(version, events, await compressor.compress(bulk.out.subarray(0, length)));
    this.#inUse--;
    if (bulk.out.length === BULK_BYTES) this.#spare.push(bulk.out);
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

  close(): void {
    for (const compressor of this.#compressors) compressor.close();
  }
}
