import { tailFrom } from "../model/content.ts";
import type { Encoding } from "../model/settings.ts";
import type { Source } from "../model/source.ts";

/** Bytes of a source from where it is read on. */
interface Chunk {
  readonly kind: "lines";
  readonly bytes: Buffer;
  /** Position of the first byte in the source. */
  readonly base: number;
  /** Index of the last line end: everything up to it is whole lines. */
  readonly last: number;
  /** There was nothing behind it: the file ends with that line. */
  readonly whole: boolean;
}

export type Reading =
  | Chunk
  /** A line without an end: the last of the source, or a piece of one that is longer than the bound. */
  | { readonly kind: "piece"; readonly bytes: Buffer; readonly base: number }
  /** Bytes that are no content: a hole, or a byte order mark. */
  | { readonly kind: "hole"; readonly until: number; readonly bytes: Buffer; readonly base: number }
  /** Nothing (more) for now. `rest`: bytes of a line that has no end yet. */
  | { readonly kind: "end"; readonly rest: number }
  /** Not judged yet: to be asked again when others have had their turn. */
  | { readonly kind: "again" }
  /** The source was found to go on in another file while this one was read: to be read there. */
  | { readonly kind: "moved" }
  /** Other content than what was read. */
  | { readonly kind: "replaced" }
  /** Nothing will ever come any more. */
  | { readonly kind: "finished" }
  | { readonly kind: "failed"; readonly reason: string };

/** Reads one source from `source.read` on. After each reading the caller says how much it took. */
export interface Reader {
  /** `finish`: hand out the last line even if it has no end. */
  next(finish: boolean): Promise<Reading>;
  /** The source was taken up to `position`, which lies in or after `bytes`, the last reading. */
  took(position: number, bytes: Buffer, base: number): void;
  close(): void;
}

/** Where lines end: a byte, or a byte pair at even distance from the beginning (UTF-16). */
export type LineEnd = "byte" | "utf-16le" | "utf-16be";

export const lineEndOf = (encoding: Encoding): LineEnd =>
  encoding === "utf-16le" || encoding === "utf-16be" ? encoding : "byte";

/** What a file may begin with to say how it is written: no part of its first line. */
const marks: Readonly<Record<Encoding, Buffer>> = {
  "utf-8": Buffer.from([0xef, 0xbb, 0xbf]),
  latin1: Buffer.alloc(0),
  "utf-16le": Buffer.from([0xff, 0xfe]),
  "utf-16be": Buffer.from([0xfe, 0xff]),
};

/** Bytes of the byte order mark that a content begins with; `short` when what there is may become one. */
export function markLength(head: Buffer, encoding: Encoding): number | "short" {
  const mark = marks[encoding];
  if (head.subarray(0, mark.length).equals(mark)) return mark.length;
  return head.length < mark.length && head.equals(mark.subarray(0, head.length)) ? "short" : 0;
}

/** Index of the last byte of the last line end in `bytes`, -1 when there is none. */
export function lastLineEnd(bytes: Buffer, base: number, lineEnd: LineEnd): number {
  if (lineEnd === "byte") return bytes.lastIndexOf(0x0a);
  const end = lineEnd === "utf-16le" ? [0x0a, 0x00] : [0x00, 0x0a];
  for (let index = bytes.length - 2 - ((bytes.length + base) % 2); index >= 0; index -= 2)
    if (bytes[index] === end[0] && bytes[index + 1] === end[1]) return index + 1;
  return -1;
}

/** `bytes` cut at `most`, not inside a UTF-8 character. */
export function cutPiece(bytes: Buffer, most: number): Buffer {
  if (bytes.length <= most) return bytes;
  let end = most;
  while (end > most - 4 && end > 1 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

/** Moves a source on, keeping what lies before the position: at most 64 bytes. */
export function advance(source: Source, position: number, before: Buffer): void {
  source.read = position;
  source.readTail = tailFrom(before);
}
