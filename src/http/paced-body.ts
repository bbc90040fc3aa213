import { Pace } from "../base/pace.ts";

/** The body of an answer, piece by piece: after each piece something else may come in between. A piece is whole characters. */
export type Pieces = Generator<string | Uint8Array, void, void>;

/** Pieces in one turn of the event loop, and milliseconds, whoever asks: a task of /state is a piece of some ten microseconds. */
const MOST_IN_A_TURN = 256;
const LONGEST_TURN = 8;

/** What all who make long answers share. */
const answerPace = new Pace(MOST_IN_A_TURN, { milliseconds: LONGEST_TURN });

/** Characters that are made bytes at once. Bytes lie outside of the engine's heap: as text, a long answer would be copied by its collector, and kept until the next large collection. */
const CHUNK = 65_536;

/** The bytes of all pieces. */
export async function bodyOf(pieces: Pieces, pace: Pace = answerPace): Promise<Buffer> {
  return await pace.run(gathered(pieces));
}

function* gathered(pieces: Pieces): Generator<void, Buffer, void> {
  const chunks: Uint8Array[] = [];
  let text = "";
  const close = (): void => {
    if (text !== "") chunks.push(Buffer.from(text));
    text = "";
  };
  for (const piece of pieces) {
    if (typeof piece === "string") {
      text += piece;
      if (text.length >= CHUNK) close();
    } else {
      close();
      chunks.push(piece);
    }
    yield;
  }
  close();
  return Buffer.concat(chunks);
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
