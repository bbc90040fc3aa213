import { isUtf8 } from "node:buffer";
import { crc32 } from "node:zlib";
import type { Run } from "../../model/batch.ts";
import type { JsonMember } from "../../model/json-members.ts";
import type { Version } from "../../model/settings.ts";
import { type Source, TAIL_BYTES, type Tail } from "../../model/source.ts";
import { writeUint32 } from "./frames.ts";
import { objectPayload } from "./object.ts";
import { FRAME_HEAD, type Template } from "./template.ts";
import { ESCAPED_MAXIMUM, needsEscape, writeDecimal, writeEscaped } from "./text.ts";

const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** Digits of the offset, and the key of the line around them, in either version. */
const OVERHEAD = 64;

const messageKey = new Uint8Array(Buffer.from(',"message":"'));

/** What `appendLines` was given and how far it came. */
export interface Lines {
  readonly source: Source;
  readonly template: Template;
  readonly chunk: Buffer;
  /** Position of `chunk[0]` in the source. */
  readonly base: number;
  /** The chunk up to its last newline is valid UTF-8. */
  readonly utf8: boolean;
}

/** CRC-32 of the last bytes before `end` in `chunk`. */
function tailOf(chunk: Uint8Array, end: number): Tail | undefined {
  const length = Math.min(TAIL_BYTES, end);
  if (length === 0) return undefined;
  return { length, crc: crc32(chunk.subarray(end - length, end)) };
}

/**
 * The events of one window while they are collected, encoded as they come in: lines go from the bytes read to the
 * bytes that are compressed in one pass, without a string or an object per line.
 */
export class Bulk {
  readonly version: Version;
  /** Events that it takes. */
  readonly limit: number;
  readonly ends: Float64Array;
  readonly runs: Run[] = [];
  readonly readAt: number;
  events = 0;
  /** Bytes of frames in `out`. */
  length = 0;
  out: Uint8Array;

  constructor(version: Version, limit: number, out: Uint8Array, readAt: number) {
    this.version = version;
    this.limit = limit;
    this.out = out;
    this.readAt = readAt;
    this.ends = new Float64Array(limit);
  }

  /** Nothing to send and no position to record. */
  get empty(): boolean {
    return this.runs.length === 0;
  }

  /**
   * Takes lines of `lines.chunk` from index `from` while there is room, none beyond index `last`, where the last newline
   * lies. Returns the index after the last byte taken: less than `last + 1` means that the bulk is full.
   */
  appendLines(lines: Lines, from: number, last: number): number {
    const end =
      this.version === 1
        ? this.#appendV1(lines, from, last)
        : lines.utf8
          ? this.#appendV2(lines, from, last)
          : this.#appendInvalid(lines, from, last);
    if (end > from) this.mark(lines.source, lines.base + end, tailOf(lines.chunk, end));
    return end;
  }

  /** Records that everything of `source` before `end` is in this bulk, or was left out on purpose. */
  mark(source: Source, end: number, tail: Tail | undefined): void {
    const run = this.runs.at(-1);
    if (run === undefined || run.source !== source) this.runs.push({ source, until: this.events, end, tail });
    else {
      run.until = this.events;
      run.end = end;
      run.tail = tail;
    }
  }

  /** Room for one more frame of `bytes`; an empty bulk makes room. */
  #fits(bytes: number): boolean {
    if (this.events >= this.limit) return false;
    if (this.length + bytes <= this.out.length) return true;
    if (this.events > 0) return false;
    this.out = new Uint8Array(bytes);
    return true;
  }

  #appendV1({ template, chunk, base }: Lines, from: number, last: number): number {
    const head = template.bytes;
    const fixed = head.length + OVERHEAD;
    let index = from;
    while (index <= last) {
      // Exact only near the end of the buffer: elsewhere the rest of the chunk fits whatever its lines are.
      if (this.events >= this.limit) break;
      if (this.length + fixed + last - index >= this.out.length) {
        const newline = chunk.indexOf(NEWLINE, index);
        if (!this.#fits(fixed + newline - index)) break;
      }
      const out = this.out;
      const frame = this.length;
      out.set(head, frame);
      writeUint32(out, frame + 2, this.events + 1);
      const digits = frame + head.length;
      let at = writeDecimal(out, digits + 4, base + index);
      writeUint32(out, digits, at - digits - 4);
      out[at] = 0;
      out[at + 1] = 0;
      out[at + 2] = 0;
      out[at + 3] = 4;
      out[at + 4] = 0x6c;
      out[at + 5] = 0x69;
      out[at + 6] = 0x6e;
      out[at + 7] = 0x65;
      at += 12;
      const text = at;
      let byte = chunk[index++] as number;
      while (byte !== NEWLINE) {
        out[at++] = byte;
        byte = chunk[index++] as number;
      }
      if (at > text && out[at - 1] === RETURN) at--;
      writeUint32(out, text - 4, at - text);
      this.length = at;
      this.ends[this.events++] = base + index;
    }
    return index;
  }

  #appendV2({ template, chunk, base }: Lines, from: number, last: number): number {
    const head = template.bytes;
    const fixed = head.length + OVERHEAD;
    let index = from;
    while (index <= last) {
      if (this.events >= this.limit) break;
      if (this.length + fixed + last - index >= this.out.length) {
        const newline = chunk.indexOf(NEWLINE, index);
        if (!this.#fits(fixed + newline - index)) break;
      }
      const out = this.out;
      const frame = this.length;
      let at = this.#openV2(template, base + index);
      const start = index;
      let byte = chunk[index++] as number;
      while (needsEscape[byte] === 0) {
        out[at++] = byte;
        byte = chunk[index++] as number;
      }
      if (byte !== NEWLINE) {
        const newline = byte === RETURN && chunk[index] === NEWLINE ? index : chunk.indexOf(NEWLINE, index);
        const text = newline > start && chunk[newline - 1] === RETURN ? newline - 1 : newline;
        if (at + (text - index + 1) * ESCAPED_MAXIMUM + OVERHEAD > this.out.length) {
          if (!this.#fits(fixed + (text - start) * ESCAPED_MAXIMUM)) {
            index = start;
            break;
          }
          // The bulk was empty and has a larger buffer now: begin the line again.
          at = this.#openV2(template, base + start);
          index = start + 1;
        }
        at = writeEscaped(this.out, at, chunk, index - 1, text);
        index = newline + 1;
      }
      this.#closeV2(frame, at, base + index);
    }
    return index;
  }

  /** Version 2 is JSON, which must be UTF-8: bytes that are not become U+FFFD, line by line. */
  #appendInvalid({ source, template, chunk, base }: Lines, from: number, last: number): number {
    let index = from;
    while (index <= last) {
      const newline = chunk.indexOf(NEWLINE, index);
      const text = newline > index && chunk[newline - 1] === RETURN ? newline - 1 : newline;
      const line = chunk.subarray(index, text);
      if (!this.append(source, template, base + index, base + newline + 1, line)) break;
      index = newline + 1;
    }
    return index;
  }

  #openV2(template: Template, offset: number): number {
    const { out, length } = this;
    out.set(template.bytes, length);
    writeUint32(out, length + 2, this.events + 1);
    const at = writeDecimal(out, length + template.bytes.length, offset);
    out.set(messageKey, at);
    return at + messageKey.length;
  }

  #closeV2(frame: number, end: number, position: number): void {
    const { out } = this;
    out[end] = 0x22;
    out[end + 1] = 0x7d;
    writeUint32(out, frame + 6, end + 2 - frame - FRAME_HEAD);
    this.length = end + 2;
    this.ends[this.events++] = position;
  }

  /**
   * One event made by hand (joined, decoded, filtered lines): `text` begins at `offset`, the source is taken up to
   * `end`. `extra` holds members of its own, which win over ours. False: no room, take it into the next bulk.
   */
  append(
    source: Source,
    template: Template,
    offset: number,
    end: number,
    text: Uint8Array,
    extra?: readonly JsonMember[],
  ): boolean {
    const done =
      extra !== undefined
        ? this.#appendObject(template, offset, text, extra, end)
        : this.version === 1
          ? this.#appendPairs(template, offset, text, end)
          : this.#appendJson(template, offset, text, end);
    if (done) this.mark(source, end, undefined);
    return done;
  }

  #appendPairs(template: Template, offset: number, text: Uint8Array, end: number): boolean {
    if (!this.#fits(template.bytes.length + OVERHEAD + text.length)) return false;
    const { out, length } = this;
    out.set(template.bytes, length);
    writeUint32(out, length + 2, this.events + 1);
    const digits = length + template.bytes.length;
    let at = writeDecimal(out, digits + 4, offset);
    writeUint32(out, digits, at - digits - 4);
    out.set([0, 0, 0, 4, 0x6c, 0x69, 0x6e, 0x65], at);
    writeUint32(out, at + 8, text.length);
    at += 12;
    out.set(text, at);
    this.length = at + text.length;
    this.ends[this.events++] = end;
    return true;
  }

  #appendJson(template: Template, offset: number, text: Uint8Array, end: number): boolean {
    const valid = isUtf8(text) ? text : Buffer.from(Buffer.from(text).toString("utf8"));
    if (!this.#fits(template.bytes.length + OVERHEAD + valid.length * ESCAPED_MAXIMUM)) return false;
    const frame = this.length;
    const at = writeEscaped(this.out, this.#openV2(template, offset), valid, 0, valid.length);
    this.#closeV2(frame, at, end);
    return true;
  }

  #appendObject(
    template: Template,
    offset: number,
    text: Uint8Array,
    extra: readonly JsonMember[],
    end: number,
  ): boolean {
    const time = Buffer.from(template.bytes.subarray(FRAME_HEAD + 15, FRAME_HEAD + 39)).toString("latin1");
    const line = Buffer.from(text).toString("utf8");
    const { bytes, pairs } = objectPayload(this.version, template.constants, { time, offset, line }, extra);
    if (!this.#fits(FRAME_HEAD + bytes.length)) return false;
    const { out, length } = this;
    out.set(template.bytes.subarray(0, 2), length);
    writeUint32(out, length + 2, this.events + 1);
    writeUint32(out, length + 6, this.version === 1 ? pairs : bytes.length);
    out.set(bytes, length + FRAME_HEAD);
    this.length = length + FRAME_HEAD + bytes.length;
    this.ends[this.events++] = end;
    return true;
  }
}
