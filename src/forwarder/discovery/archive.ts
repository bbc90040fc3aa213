import { FINGERPRINT_BYTES } from "../model/content.ts";
import type { OpenFile } from "../model/open-file.ts";
import { TAIL_BYTES } from "../model/source.ts";
import { unpacked } from "../reading/stream.ts";

/** What a gzip archive holds, as far as it takes to compare it with what was read. */
export interface ArchiveFacts {
  readonly head: Buffer;
  /** Bytes when decompressed. */
  readonly size: number;
  /** Per asked position: the bytes before it; absent when the content ends earlier. */
  readonly before: ReadonlyMap<number, Buffer>;
}

/** The first bytes of an archive's content: empty for one that is broken from its beginning. */
export async function archiveHead(file: OpenFile): Promise<Buffer> {
  const head: Buffer[] = [];
  let size = 0;
  const stream = unpacked(file);
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      head.push(chunk.subarray(0, FINGERPRINT_BYTES - size));
      size += head.at(-1)?.length ?? 0;
      if (size >= FINGERPRINT_BYTES) break;
    }
  } catch {
    return Buffer.alloc(0);
  } finally {
    stream.destroy();
  }
  return Buffer.concat(head);
}

/**
 * Decompresses an archive once, keeping its head and what lies before each of `positions`. Undefined when it is not
 * (yet) a whole gzip file. A few hundred bytes of memory a position.
 */
export async function inspectArchive(file: OpenFile, positions: readonly number[]): Promise<ArchiveFacts | undefined> {
  const head: Buffer[] = [];
  const before = new Map<number, Buffer>();
  let [size, headSize] = [0, 0];
  let last: Buffer = Buffer.alloc(0);
  const stream = unpacked(file);
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (headSize < FINGERPRINT_BYTES) {
        head.push(Buffer.from(chunk.subarray(0, FINGERPRINT_BYTES - headSize)));
        headSize += Math.min(chunk.length, FINGERPRINT_BYTES - headSize);
      }
      const joined = Buffer.concat([last, chunk]);
      const base = size - last.length;
      size += chunk.length;
      for (const position of positions) {
        if (position > size || position <= base || before.has(position)) continue;
        before.set(position, Buffer.from(joined.subarray(Math.max(0, position - base - TAIL_BYTES), position - base)));
      }
      last = Buffer.from(joined.subarray(-TAIL_BYTES));
    }
  } catch {
    return undefined;
  } finally {
    stream.destroy();
  }
  return { head: Buffer.concat(head), size, before };
}
