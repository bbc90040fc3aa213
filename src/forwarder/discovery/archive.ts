import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { FINGERPRINT_BYTES } from "../model/content.ts";
import { TAIL_BYTES } from "../model/source.ts";

/** What a gzip archive holds, as far as it takes to compare it with what was read. */
export interface ArchiveFacts {
  readonly head: Buffer;
  /** Bytes when decompressed. */
  readonly size: number;
  /** Per asked position: the bytes before it; absent when the content ends earlier. */
  readonly before: ReadonlyMap<number, Buffer>;
}

/**
 * Decompresses an archive once, keeping its head and what lies before each of `positions`. Undefined when it is not
 * (yet) a whole gzip file. A few hundred bytes of memory a position.
 */
export async function inspectArchive(path: string, positions: readonly number[]): Promise<ArchiveFacts | undefined> {
  const head: Buffer[] = [];
  const before = new Map<number, Buffer>();
  let [size, headSize] = [0, 0];
  let last: Buffer = Buffer.alloc(0);
  const input = createReadStream(path);
  const gunzip = createGunzip();
  input.on("error", (error) => gunzip.destroy(error));
  try {
    for await (const chunk of input.pipe(gunzip) as AsyncIterable<Buffer>) {
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
    input.destroy();
    gunzip.destroy();
  }
  return { head: Buffer.concat(head), size, before };
}
