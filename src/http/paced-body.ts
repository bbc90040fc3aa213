import { Pace } from "../base/pace.ts";

/** The body of an answer, piece by piece: after each piece something else may come in between. A piece is whole characters. */
export type Pieces = Generator<string | Uint8Array, void, void>;

/** Pieces in one turn of the event loop, and milliseconds, whoever asks: a task of /state is a piece of some ten microseconds. */
const MOST_IN_A_TURN = 256;
const LONGEST_TURN = 8;

/** What all who make long answers share. */
export const answerPace = new Pace(MOST_IN_A_TURN, { milliseconds: LONGEST_TURN });

/** Characters that are made bytes at once. Bytes lie outside of the engine's heap: as text, a long answer would be copied by its collector, and kept until the next large collection. */
const CHUNK = 65_536;

/** The bytes of text and bytes, as they come. */
export class BodyBytes {
  readonly #chunks: Uint8Array[] = [];
  #text = "";

  add(piece: string | Uint8Array): void {
    if (typeof piece === "string") {
      this.#text += piece;
      if (this.#text.length >= CHUNK) this.#close();
    } else {
      this.#close();
      this.#chunks.push(piece);
    }
  }

  all(): Buffer {
    this.#close();
    return Buffer.concat(this.#chunks);
  }

  #close(): void {
    if (this.#text !== "") this.#chunks.push(Buffer.from(this.#text));
    this.#text = "";
  }
}

/** The bytes of all pieces. */
export async function bodyOf(pieces: Pieces, pace: Pace = answerPace): Promise<Buffer> {
  return await pace.run(gathered(pieces));
}

function* gathered(pieces: Pieces): Generator<void, Buffer, void> {
  const bytes = new BodyBytes();
  for (const piece of pieces) {
    bytes.add(piece);
    yield;
  }
  return bytes.all();
}

/** A JSON array of `records`, each a piece. They were chosen when they are handed over. */
export function* arrayOf<T>(records: Iterable<T>, show: (record: T) => string): Pieces {
  let separator = "[";
  for (const record of records) {
    yield separator + show(record);
    separator = ",";
  }
  yield separator === "[" ? "[]" : "]";
}
