import { promisify } from "node:util";
import { deflate } from "node:zlib";
import type { Batch } from "../model/batch.ts";
import type { Version } from "../model/frames.ts";
import { frameWindow } from "../model/frames.ts";
import { Bulk } from "./bulk.ts";

const compress = promisify(deflate);

/** Bytes of frames in one bulk, unless a single event is larger. */
export const BULK_BYTES = 1_048_576;
/** Buffers that wait for their next use; more are left to the garbage collector. */
const SPARE = 2;

/** Makes bulks from reused buffers and turns full ones into batches; compression runs in Node's thread pool. */
export class Sealer {
  readonly #level: number;
  readonly #spare: Uint8Array[] = [];
  /** Compressed size over raw size, as it was lately: sizes zlib's output buffer, so that one call suffices. */
  #ratio = 0.3;
  #sequence = 0;

  constructor(level: number) {
    this.#level = level;
  }

  open(version: Version, limit: number, readAt: number): Bulk {
    return new Bulk(version, limit, this.#spare.pop() ?? new Uint8Array(BULK_BYTES), readAt);
  }

  /** Ends a bulk. The bulk must not be used afterwards. */
  async seal(bulk: Bulk): Promise<Batch> {
    const { version, events, ends, runs, length, readAt } = bulk;
    const sequence = this.#sequence++;
    let wire: Buffer = Buffer.alloc(0);
    if (events > 0) {
      const raw = bulk.out.subarray(0, length);
      const chunkSize = Math.max(4096, Math.ceil(length * Math.min(1.1, this.#ratio * 1.25) + 256));
      const compressed = await compress(raw, { level: this.#level, chunkSize });
      this.#ratio = compressed.length / length;
      wire = frameWindow(version, events, compressed);
    }
    if (bulk.out.length === BULK_BYTES && this.#spare.length < SPARE) this.#spare.push(bulk.out);
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
