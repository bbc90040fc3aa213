/**
 * Mesos' record files: a 4-byte length in host byte order (little endian on every host that Mesos runs on), then the
 * message; repeated files are a plain concatenation (mesos-agent-behaviour §3.2).
 */

/** No single checkpointed message is near this; a longer length means garbage. */
const LONGEST_RECORD = 64 * 1024 * 1024;

export function encodeRecord(message: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(4 + message.length);
  record.writeUInt32LE(message.length, 0);
  record.set(message, 4);
  return record;
}

export interface RecordsRead {
  readonly records: readonly Buffer[];
  /** Bytes up to the end of the last whole record. */
  readonly goodLength: number;
  /** Why reading stopped before the end of the data; undefined when all of it was records. */
  readonly rest: "truncated" | "corrupt" | undefined;
}

/** Splits the content of a record file. A crash while appending leaves a truncated last record: that is normal. */
export function readRecords(data: Buffer): RecordsRead {
  const records: Buffer[] = [];
  let position = 0;
  while (position < data.length) {
    if (data.length - position < 4) return { records, goodLength: position, rest: "truncated" };
    const length = data.readUInt32LE(position);
    if (length > LONGEST_RECORD) return { records, goodLength: position, rest: "corrupt" };
    if (data.length - position - 4 < length) return { records, goodLength: position, rest: "truncated" };
    records.push(data.subarray(position + 4, position + 4 + length));
    position += 4 + length;
  }
  return { records, goodLength: position, rest: undefined };
}
