import { closeSync, read as readCallback } from "node:fs";
import { promisify } from "node:util";
import { messageOf } from "../../base/errors.ts";
import {
  FINGERPRINT_BYTES,
  factsOfOpen,
  fingerprintOf,
  headMatches,
  holdsContent,
  openForReading,
  readAt,
  sameFile,
  tailAt,
} from "../model/content.ts";
import { type Identity, type Source, TAIL_BYTES } from "../model/source.ts";
import { advance, cutPiece, type LineEnd, lastLineEnd, type Reader, type Reading } from "./reader.ts";

const read = promisify(readCallback);

/** A line may begin this far before an imported position, which counted line ends differently. */
const RESYNC_BYTES = 65_536;

export interface PlainOptions {
  /** Shared by all files: one is read at a time. */
  readonly buffer: Buffer;
  readonly lineEnd: LineEnd;
  readonly maximumLine: number;
}

/**
 * Follows a file by its open descriptor, so renaming and deleting do not matter. Holds no lines: what has no end yet is
 * read again. Each read begins with the bytes before the position, which must be those read last time: truncation and
 * replacement between two reads show there.
 */
export class PlainFile implements Reader {
  readonly source: Source;
  readonly #fd: number;
  /** Whose descriptor it is. */
  readonly #identity: Identity;
  readonly #options: PlainOptions;
  #before: Buffer;
  /** A line longer than the shared buffer is collected here. */
  #large: Buffer | undefined;
  /** Nothing but NULs so far, in a file that was truncated. */
  #inHole: boolean;

  private constructor(source: Source, fd: number, options: PlainOptions, before: Buffer) {
    this.source = source;
    this.#fd = fd;
    this.#identity = source.identity;
    this.#options = options;
    this.#before = before;
    this.#inHole = source.hole && source.read === 0;
  }

  /** `replaced` when the path leads to other content, `gone` when it does not lead to this file any more. */
  static open(source: Source, path: string, options: PlainOptions): PlainFile | "replaced" | "gone" {
    let fd: number;
    try {
      fd = openForReading(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return "gone";
      throw error;
    }
    try {
      const facts = factsOfOpen(fd);
      if (facts.kind !== "file" || !sameFile(source.identity, facts)) return "gone";
      if (facts.size < source.read || !holdsContent(fd, source)) return "replaced";
      const file = new PlainFile(source, fd, options, tailAt(fd, source.read));
      file.#resync();
      if (!file.#extendFingerprint(readAt(fd, 0, FINGERPRINT_BYTES))) return "replaced";
      fd = -1;
      return file;
    } finally {
      if (fd !== -1) closeSync(fd);
    }
  }

  async next(finish: boolean): Promise<Reading> {
    const { source } = this;
    const buffer = this.#large ?? this.#options.buffer;
    // Near its beginning a file is read from there, so that the bytes taken and those that prove whose they are were
    // seen at one moment: between two reads the file may be copied, truncated and written anew.
    const from = source.read <= FINGERPRINT_BYTES ? 0 : source.read - this.#before.length;
    let bytesRead: number;
    try {
      ({ bytesRead } = await read(this.#fd, buffer, 0, buffer.length, from));
    } catch (error) {
      return { kind: "failed", reason: messageOf(error) };
    }
    if (source.identity !== this.#identity) return { kind: "moved" };
    const known = source.read - from;
    if (bytesRead < known || this.#before.compare(buffer, known - this.#before.length, known) !== 0)
      return { kind: "replaced" };
    if (from === 0 && !this.#extendFingerprint(buffer.subarray(0, Math.min(bytesRead, FINGERPRINT_BYTES))))
      return { kind: "replaced" };
    return this.#judge(buffer.subarray(known, bytesRead), bytesRead === buffer.length, finish);
  }

  #judge(bytes: Buffer, full: boolean, finish: boolean): Reading {
    const { source } = this;
    const { lineEnd, maximumLine } = this.#options;
    const base = source.read;
    if (bytes.length === 0) {
      if (factsOfOpen(this.#fd).size < base) return { kind: "replaced" };
      return { kind: "end", rest: 0 };
    }
    if (this.#inHole && bytes[0] === 0) {
      const text = bytes.findIndex((byte) => byte !== 0);
      return { kind: "hole", until: base + (text === -1 ? bytes.length : text), bytes, base };
    }
    this.#inHole = false;
    const last = lastLineEnd(bytes, base, lineEnd);
    if (last !== -1) return { kind: "lines", bytes, base, last };
    if (bytes.length >= maximumLine) return { kind: "piece", bytes: cutPiece(bytes, maximumLine), base };
    if (full) {
      const most = maximumLine + FINGERPRINT_BYTES + TAIL_BYTES;
      this.#large = Buffer.allocUnsafeSlow(Math.min((bytes.length + FINGERPRINT_BYTES) * 4, most));
      return { kind: "lines", bytes, base, last: -1 };
    }
    return finish ? { kind: "piece", bytes, base } : { kind: "end", rest: bytes.length };
  }

  took(position: number, bytes: Buffer, base: number): void {
    const end = position - base;
    const fresh = bytes.subarray(Math.max(0, end - TAIL_BYTES), end);
    this.#before =
      fresh.length === TAIL_BYTES
        ? Buffer.from(fresh)
        : Buffer.concat([this.#before.subarray(-(TAIL_BYTES - fresh.length)), fresh]).subarray(-TAIL_BYTES);
    if (position === base) return;
    advance(this.source, position, this.#before);
    this.#large = undefined;
  }

  /** Names left: 0 once it is deleted. */
  get links(): number {
    return factsOfOpen(this.#fd).links;
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** A position of the old program may lie inside a line: go back to where the line begins. */
  #resync(): void {
    const { source } = this;
    if (source.readTail !== undefined || source.read === 0 || this.#options.lineEnd !== "byte") return;
    const from = Math.max(0, source.read - RESYNC_BYTES);
    const bytes = readAt(this.#fd, from, source.read - from);
    const newline = bytes.lastIndexOf(0x0a);
    if (newline === bytes.length - 1) return;
    if (newline === -1 && from > 0) return;
    source.read = from + newline + 1;
    this.#before = tailAt(this.#fd, source.read);
    advance(source, source.read, this.#before);
  }

  /** While the file is small, its fingerprint grows with it. False when `head` begins another content. */
  #extendFingerprint(head: Buffer): boolean {
    const { source } = this;
    if (!headMatches(source.fingerprint, head)) return false;
    if (head.length > source.fingerprint.length) source.fingerprint = fingerprintOf(head);
    return true;
  }
}
