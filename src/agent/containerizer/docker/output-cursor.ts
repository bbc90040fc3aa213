import * as z from "zod";
import { sinceOf } from "../../../docker/log-frames.ts";

/** How far one stream's log has been written into its sandbox file. */
const streamSchema = z.object({
  /** Time of the last entry written, nine digits of a second; undefined: none yet. */
  time: z.string().optional(),
  /** Bytes of entries of exactly that time that were written: cut lines share one time. */
  bytesAtTime: z.number(),
  /** Bytes written since the container's start. */
  total: z.number(),
  /** The sandbox file at that moment; what it has more was written after this cursor was kept. */
  inode: z.number(),
  size: z.number(),
});

export const cursorSchema = z.object({
  stdout: streamSchema,
  stderr: streamSchema,
  /**
   * True: the log must be read from its start and `total` bytes left out, because times cannot be relied on (a terminal
   * has none; the clock went backwards).
   */
  replay: z.boolean(),
  /** Everything was written: the container had ended. */
  complete: z.boolean(),
});

export type OutputCursor = z.infer<typeof cursorSchema>;
export type StreamCursor = z.infer<typeof streamSchema>;
export type StreamName = "stdout" | "stderr";

/** Entries of the two streams can lie in the log a little out of order; so far back is read again and left out. */
const MARGIN_SECONDS = 10;

/** `since` for the next read: undefined reads from the start. */
export function cursorSince(cursor: OutputCursor): string | undefined {
  if (cursor.replay) return undefined;
  const latest = [cursor.stdout.time, cursor.stderr.time]
    .filter((time) => time !== undefined)
    .sort()
    .at(-1);
  return latest === undefined ? undefined : sinceOf(latest, MARGIN_SECONDS);
}

/**
 * Leaves out of one read of a log what has been written before: entries up to the cursor's time, then `extra` bytes that
 * the file had beyond the cursor (the process ended between writing and keeping the cursor). Advances the cursor.
 */
export class StreamFilter {
  readonly #stream: StreamCursor;
  readonly #cursor: OutputCursor;
  readonly #from: string | undefined;
  /** Bytes of entries of exactly the cursor's time that are to be left out. */
  #atTime: number;
  /** Bytes of a replay that the cursor counts already. */
  #counted: number;
  /** Bytes beyond the cursor that the file has already. */
  #extra: number;
  #fresh = false;

  constructor(cursor: OutputCursor, name: StreamName, extra: number) {
    this.#cursor = cursor;
    this.#stream = cursor[name];
    this.#from = cursor.replay ? undefined : this.#stream.time;
    this.#atTime = cursor.replay ? 0 : this.#stream.bytesAtTime;
    this.#counted = cursor.replay ? this.#stream.total : 0;
    this.#extra = extra;
  }

  /** Bytes beyond the cursor that the file has and that have not been met yet in this read. */
  get outstanding(): number {
    return this.#extra;
  }

  /** The bytes of an entry that are still to be written; empty when there are none. */
  take(time: string | undefined, data: Buffer): Buffer {
    let rest = data;
    if (time !== undefined && this.#from !== undefined && !this.#fresh) {
      if (time < this.#from) return data.subarray(data.length);
      if (time === this.#from) {
        const known = Math.min(this.#atTime, rest.length);
        this.#atTime -= known;
        rest = rest.subarray(known);
      }
    }
    const counted = Math.min(this.#counted, rest.length);
    this.#counted -= counted;
    rest = rest.subarray(counted);
    if (rest.length === 0) return rest;
    this.#fresh = true;
    this.#advance(time, rest.length);
    const written = Math.min(this.#extra, rest.length);
    this.#extra -= written;
    this.#stream.size += written;
    return rest.subarray(written);
  }

  #advance(time: string | undefined, bytes: number): void {
    const stream = this.#stream;
    stream.total += bytes;
    if (time === undefined) return;
    if (stream.time !== undefined && time < stream.time) this.#cursor.replay = true;
    stream.bytesAtTime = time === stream.time ? stream.bytesAtTime + bytes : bytes;
    stream.time = time;
  }
}
