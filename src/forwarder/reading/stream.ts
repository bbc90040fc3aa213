import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { messageOf } from "../../base/errors.ts";
import type { OpenFile } from "../model/open-file.ts";
import type { Encoding } from "../model/settings.ts";
import { type Source, TAIL_BYTES } from "../model/source.ts";
import { holeIn, writtenFrom } from "./holes.ts";
import { advance, cutPiece, lastLineEnd, lineEndOf, markLength, type Reader, type Reading } from "./reader.ts";

/** Bytes of an archive that are read, and of its content that are unpacked, at once. */
const BLOCK = 65_536;

export interface StreamOptions {
  readonly encoding: Encoding;
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
  /** Nothing but NULs so far, or since a hole began. */
  #inHole: boolean;
  #ended = false;
  #failure: string | undefined;
  #arriving: Promise<void> | undefined;

  /** `skip`: bytes at the beginning of the stream that were taken in an earlier run. */
  constructor(source: Source, stream: Readable, skip: number, options: StreamOptions) {
    this.#source = source;
    this.#options = options;
    this.#skip = skip;
    this.#base = source.read;
    this.#inHole = source.read === 0;
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
    const { encoding, maximumLine } = this.#options;
    const base = this.#base;
    const blank = this.#blank();
    if (blank > 0) return { kind: "hole", until: base + blank, bytes: this.#held, base };
    const lineEnd = lineEndOf(encoding);
    const hole = holeIn(this.#held, Math.max(base, 1), lineEnd === "byte" ? 1 : 2);
    const bytes = hole === -1 ? this.#held : this.#held.subarray(0, hole);
    const last = bytes.length === 0 ? -1 : lastLineEnd(bytes, base, lineEnd);
    if (last !== -1) return { kind: "lines", bytes, base, last, whole: false };
    if (bytes.length >= maximumLine) return { kind: "piece", bytes: cutPiece(bytes, maximumLine), base };
    if (hole > 0) return { kind: "piece", bytes, base };
    if (this.#failure !== undefined) return { kind: "failed", reason: this.#failure };
    if (!this.#ended) return undefined;
    if (bytes.length > 0) return { kind: "piece", bytes, base };
    return { kind: "finished" };
  }

  /** Bytes at the beginning of what is held that are no content: NULs of a hole, or a byte order mark. */
  #blank(): number {
    const { encoding } = this.#options;
    const width = lineEndOf(encoding) === "byte" ? 1 : 2;
    if (!this.#inHole) this.#inHole = holeIn(this.#held, Math.max(this.#base, 1), width) === 0;
    if (!this.#inHole) return 0;
    const text = writtenFrom(this.#held);
    const blank = text - ((this.#base + text) % width);
    if (text < this.#held.length) this.#inHole = false;
    if (blank > 0 || this.#base > 0) return blank;
    const mark = markLength(this.#held, encoding);
    if (mark === "short" && !this.#ended) this.#inHole = true;
    return mark === "short" ? 0 : mark;
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

/** The content of a gzip archive from `source.read` on. Its descriptor stays open, but for the time of reading is in use. */
export function readArchive(source: Source, file: OpenFile, options: StreamOptions): StreamReader {
  return new StreamReader(source, unpacked(file), source.read, options);
}

/** What a gzip archive holds, from its beginning. Its descriptor stays open for whoever holds it. */
export function unpacked(file: OpenFile): Readable {
  const leave = file.use();
  const input = Readable.from(blocks(file), { objectMode: false });
  const gunzip = createGunzip({ chunkSize: BLOCK });
  input.on("error", (error) => gunzip.destroy(error));
  gunzip.on("close", () => {
    input.destroy();
    leave();
  });
  return input.pipe(gunzip);
}

async function* blocks(file: OpenFile): AsyncGenerator<Buffer> {
  for (let at = 0; ; ) {
    const buffer = Buffer.allocUnsafe(BLOCK);
    const count = await file.read(buffer, at);
    if (count === 0) return;
    at += count;
    yield buffer.subarray(0, count);
  }
}
