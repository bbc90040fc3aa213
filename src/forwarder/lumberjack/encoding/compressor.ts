import { constants, createDeflate, type Deflate } from "node:zlib";
import { SerialQueue } from "../../../base/serial-queue.ts";

/** Bytes that zlib hands out at once: a compressed bulk fits mostly. */
const OUTPUT_BYTES = 131_072;

/**
 * One zlib state that is used again and again: making one for every bulk costs a quarter of a megabyte of fresh memory
 * each time. Works in Node's thread pool, one bulk after the other.
 */
export class Compressor {
  readonly #deflate: Deflate;
  readonly #queue = new SerialQueue();
  #parts: Buffer[] = [];
  #failed: (error: Error) => void = () => undefined;

  constructor(level: number) {
    // Every write is a whole stream, so a bulk goes to another thread once, and not a second time for its end. Twice the
    // memory for matches (a quarter of a megabyte) saves a tenth of the time at the usual level.
    this.#deflate = createDeflate({ level, chunkSize: OUTPUT_BYTES, flush: constants.Z_FINISH, memLevel: 9 });
    this.#deflate.on("data", (part: Buffer) => this.#parts.push(part));
    this.#deflate.on("error", (error) => this.#failed(error));
  }

  /** Bulks that wait or are being compressed. */
  get busy(): number {
    return this.#queue.length;
  }

  /** The parts of a whole zlib stream with the content of `raw`, which must not change meanwhile. */
  compress(raw: Uint8Array): Promise<Buffer[]> {
    return this.#queue.add(
      () =>
        new Promise<Buffer[]>((resolve, reject) => {
          this.#failed = reject;
          this.#deflate.write(raw, (error) => {
            if (error != null) return reject(error);
            const parts = this.#parts;
            this.#parts = [];
            this.#deflate.reset();
            resolve(parts);
          });
        }),
    );
  }

  close(): void {
    this.#deflate.destroy();
  }
}
