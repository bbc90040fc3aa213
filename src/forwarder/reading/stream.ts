import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { messageOf } from "../../base/errors.ts";
import { type Source, TAIL_BYTES } from "../model/source.ts";
import { advance, cutPiece, type LineEnd, lastLineEnd, type Reader, type Reading } from "./reader.ts";

export interface StreamOptions {
  readonly lineEnd: LineEnd;
  readonly maximumLine: number;
  /** More has come, or the end: only for a stream that must not be waited for. */
  readonly wake?: () => void;
}

/** Reads what cannot be read again at a position: standard input, and archives from their beginning. */
export class StreamReader implements Reader {
  readonly #source: Source;
  readonly #options: StreamOptions;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #destroy: () => void;
  /** Bytes that were read and not taken; `#base` is the position of the first. */
  #held: Buffer = Buffer.alloc(0);
  #base: number;
  #skip: number;
  #ended = false;
  #failure: string | undefined;
  #arriving: Promise<void> | undefined;

  /** `skip`: bytes at the beginning of the stream that were taken in an earlier run. */
  constructor(source: Source, stream: Readable, skip: number, options: StreamOptions) {
    this.#source = source;
    this.#options = options;
    this.#skip = skip;
    this.#base = source.read;
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    this.#destroy = () => stream.destroy();
  }

  async next(): Promise<Reading> {
    for (;;) {
      const reading = this.#judge();
      if (reading !== undefined) return reading;
      const arrival = this.#arrive();
      // Standard input may be silent for hours: say so, and wake the pipeline when it is not.
      if (this.#options.wake !== undefined) {
        void arrival.then(this.#options.wake);
        return { kind: "end", rest: this.#held.length };
      }
      await arrival;
    }
  }

  #judge(): Reading | undefined {
    const { lineEnd, maximumLine } = this.#options;
    const [bytes, base] = [this.#held, this.#base];
    const last = bytes.length === 0 ? -1 : lastLineEnd(bytes, base, lineEnd);
    if (last !== -1) return { kind: "lines", bytes, base, last };
    if (bytes.length >= maximumLine) return { kind: "piece", bytes: cutPiece(bytes, maximumLine), base };
    if (this.#failure !== undefined) return { kind: "failed", reason: this.#failure };
    if (!this.#ended) return undefined;
    if (bytes.length > 0) return { kind: "piece", bytes, base };
    return { kind: "finished" };
  }

  #arrive(): Promise<void> {
    this.#arriving ??= this.#chunks
      .next()
      .then(
        ({ value, done }) => {
          if (done) this.#ended = true;
          else this.#hold(value);
        },
        (error: unknown) => {
          this.#failure = messageOf(error);
        },
      )
      .finally(() => {
        this.#arriving = undefined;
      });
    return this.#arriving;
  }

  #hold(chunk: Buffer): void {
    const dropped = Math.min(this.#skip, chunk.length);
    this.#skip -= dropped;
    const rest = chunk.subarray(dropped);
    this.#held = this.#held.length === 0 ? rest : Buffer.concat([this.#held, rest]);
  }

  took(position: number, bytes: Buffer, base: number): void {
    const end = position - base;
    advance(this.#source, position, Buffer.from(bytes.subarray(Math.max(0, end - TAIL_BYTES), end)));
    this.#held = this.#held.subarray(position - this.#base);
    this.#base = position;
  }

  close(): void {
    this.#destroy();
  }
}

/** The content of a gzip archive from `source.read` on. */
export function readArchive(source: Source, path: string, options: StreamOptions): StreamReader {
  const input = createReadStream(path);
  const gunzip = createGunzip({ chunkSize: 65_536 });
  input.on("error", (error) => gunzip.destroy(error));
  return new StreamReader(source, input.pipe(gunzip), source.read, options);
}
