/** RecordIO, the framing of Mesos' streams: decimal byte length, a newline, the record, nothing after it. */

/** One framed record. */
export function encodeRecord(record: Uint8Array | string): Buffer<ArrayBuffer> {
  const body = typeof record === "string" ? Buffer.from(record) : record;
  return Buffer.concat([Buffer.from(`${body.length}\n`), body]);
}

/** Digits that a length may have; 64-bit. */
const LONGEST_LENGTH = 20;

/** A stream that is no RecordIO, or a record beyond the bound. The stream cannot be read any further. */
export class RecordError extends Error {
  override readonly name = "RecordError";
}

/** Cuts a stream into records as bytes arrive, keeping at most one unfinished record. */
export class RecordDecoder {
  readonly #maximum: number;
  #length = "";
  /** Bytes of the current record still to come; undefined while reading a length. */
  #wanted: number | undefined;
  #parts: Uint8Array[] = [];

  /** @param maximum bytes of the largest record that is accepted. */
  constructor(maximum = 64 * 1024 * 1024) {
    this.#maximum = maximum;
  }

  /** The records that `chunk` completes. Throws a RecordError. */
  push(chunk: Uint8Array): Uint8Array[] {
    const records: Uint8Array[] = [];
    let position = 0;
    while (position < chunk.length) {
      if (this.#wanted === undefined) {
        position = this.#readLength(chunk, position);
        if (this.#wanted === 0) records.push(this.#take());
        continue;
      }
      const part = chunk.subarray(position, position + this.#wanted);
      this.#parts.push(part);
      this.#wanted -= part.length;
      position += part.length;
      if (this.#wanted === 0) records.push(this.#take());
    }
    return records;
  }

  /** Whether the stream ended between two records. */
  get complete(): boolean {
    return this.#wanted === undefined && this.#length === "";
  }

  #readLength(chunk: Uint8Array, start: number): number {
    let position = start;
    for (; position < chunk.length; position++) {
      const byte = chunk[position] ?? 0;
      if (byte === 0x0a) {
        const length = Number(this.#length);
        if (this.#length === "") throw new RecordError("a record has no length");
        if (length > this.#maximum)
          throw new RecordError(`a record of ${this.#length} bytes exceeds the bound of ${this.#maximum}`);
        this.#length = "";
        this.#wanted = length;
        return position + 1;
      }
      if (byte < 0x30 || byte > 0x39 || this.#length.length >= LONGEST_LENGTH)
        throw new RecordError("a record's length is not a decimal number");
      this.#length += String.fromCharCode(byte);
    }
    return position;
  }

  #take(): Uint8Array {
    const record = this.#parts.length === 1 ? (this.#parts[0] as Uint8Array) : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#wanted = undefined;
    return record;
  }
}
