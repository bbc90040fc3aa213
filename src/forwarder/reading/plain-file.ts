import { messageOf } from "../../base/errors.ts";
import {
  FINGERPRINT_BYTES,
  fingerprintOf,
  headMatches,
  holdsContent,
  readAt,
  tailAt,
  writtenLength,
} from "../model/content.ts";
import type { OpenFile } from "../model/open-file.ts";
import type { Encoding } from "../model/settings.ts";
import { type Fingerprint, type Source, TAIL_BYTES } from "../model/source.ts";
import { holeEnd, holeIn } from "./holes.ts";
import {
  advance,
  cutPiece,
  type LineEnd,
  lastLineEnd,
  lineEndOf,
  markLength,
  type Reader,
  type Reading,
} from "./reader.ts";
import { lineAfterImported } from "./takeover.ts";

export interface PlainOptions {
  /** Shared by all files: one is read at a time. */
  readonly buffer: Buffer;
  readonly encoding: Encoding;
  readonly maximumLine: number;
}

/**
 * Reads a file by its open descriptor, so renaming and deleting do not matter. Holds no lines: what has no end yet is
 * read again. Each read begins with the bytes before the position, which must be those read last time: truncation and
 * replacement between two reads show there.
 */
export class PlainFile implements Reader {
  readonly source: Source;
  readonly #file: OpenFile;
  readonly #options: PlainOptions;
  readonly #lineEnd: LineEnd;
  /** A UTF-16 character is two bytes, and holes are passed in whole characters. */
  readonly #width: number;
  #before: Buffer;
  /** A line longer than the shared buffer is collected here. */
  #large: Buffer | undefined;

  private constructor(source: Source, file: OpenFile, options: PlainOptions) {
    this.source = source;
    this.#file = file;
    this.#options = options;
    this.#lineEnd = lineEndOf(options.encoding);
    this.#width = this.#lineEnd === "byte" ? 1 : 2;
    this.#before = tailAt(file.fd, source.read);
  }

  /** Begins at the position of `source`; `replaced` when its file holds other content by now. */
  static of(source: Source, file: OpenFile, options: PlainOptions): PlainFile | "replaced" {
    if (file.facts().size < source.read || !holdsContent(file.fd, source)) return "replaced";
    const reader = new PlainFile(source, file, options);
    return reader.#extendFingerprint(readAt(file.fd, 0, FINGERPRINT_BYTES), source.fingerprint) ? reader : "replaced";
  }

  async next(finish: boolean): Promise<Reading> {
    const { source } = this;
    try {
      if (source.imported) await this.#takeOver();
      const buffer = this.#large ?? this.#options.buffer;
      // Near its beginning a file is read from there, so that the bytes taken and those that prove whose they are were
      // seen at one moment: between two reads the file may be copied, truncated and written anew.
      // While the bytes are on their way the file may grow, and its fingerprint with it.
      const { fingerprint } = source;
      const from = source.read <= FINGERPRINT_BYTES ? 0 : source.read - this.#before.length;
      const bytesRead = await this.#file.read(buffer, from);
      if (this.#left) return { kind: "moved" };
      const known = source.read - from;
      if (bytesRead < known || this.#before.compare(buffer, known - this.#before.length, known) !== 0)
        return { kind: "replaced" };
      if (
        from === 0 &&
        !this.#extendFingerprint(buffer.subarray(0, Math.min(bytesRead, FINGERPRINT_BYTES)), fingerprint)
      )
        return { kind: "replaced" };
      return await this.#judge(buffer.subarray(known, bytesRead), bytesRead === buffer.length, finish);
    } catch (error) {
      return { kind: "failed", reason: messageOf(error) };
    }
  }

  /** The source goes on in another file, or in none. */
  get #left(): boolean {
    return this.source.file !== this.#file;
  }

  async #judge(bytes: Buffer, full: boolean, finish: boolean): Promise<Reading> {
    const base = this.source.read;
    if (bytes.length === 0) {
      this.#large = undefined;
      if (this.#file.facts().size < base) return { kind: "replaced" };
      return { kind: "end", rest: 0 };
    }
    if (base === 0) {
      const mark = markLength(bytes, this.#options.encoding);
      if (mark === "short" && !finish) return { kind: "end", rest: bytes.length };
      if (mark !== "short" && mark > 0) return { kind: "hole", until: mark, bytes, base };
    }
    const hole = holeIn(bytes, base, this.#width);
    if (hole === 0) return await this.#pass(base, base);
    return await this.#lines(hole === -1 ? bytes : bytes.subarray(0, hole), { full, finish, cut: hole !== -1 });
  }

  /** `cut`: a hole begins after `bytes`. */
  async #lines(
    bytes: Buffer,
    { full, finish, cut }: { full: boolean; finish: boolean; cut: boolean },
  ): Promise<Reading> {
    const { maximumLine } = this.#options;
    const base = this.source.read;
    const last = lastLineEnd(bytes, base, this.#lineEnd);
    if (last !== -1) return { kind: "lines", bytes, base, last, whole: !full && !cut && last === bytes.length - 1 };
    if (bytes.length >= maximumLine) return { kind: "piece", bytes: cutPiece(bytes, maximumLine), base };
    if (cut) {
      // A line that ends in a hole is whole if something comes after the hole; else the hole is room for its rest.
      const beyond = await this.#pass(base + bytes.length, base);
      if (beyond.kind === "hole" || (beyond.kind === "end" && finish)) return { kind: "piece", bytes, base };
      return beyond.kind === "end" ? { kind: "end", rest: bytes.length } : beyond;
    }
    if (full) {
      const most = maximumLine + FINGERPRINT_BYTES + TAIL_BYTES;
      this.#large = Buffer.allocUnsafeSlow(Math.min((bytes.length + FINGERPRINT_BYTES) * 4, most));
      return { kind: "again" };
    }
    return finish && writtenLength(bytes) > 0 ? { kind: "piece", bytes, base } : { kind: "end", rest: bytes.length };
  }

  /** Passes over the NULs from `from` on, where nothing between `base` and `from` is a line. */
  async #pass(from: number, base: number): Promise<Reading> {
    const { source } = this;
    const { at, kind } = await holeEnd(this.#file, Math.max(from, source.blankTo));
    if (this.#left) return { kind: "moved" };
    if (this.#file.facts().size < at) return { kind: "replaced" };
    if (kind !== "text") {
      source.blankTo = at;
      return kind === "end" ? { kind: "end", rest: 0 } : { kind: "again" };
    }
    const until = at - (at % this.#width);
    const before = Math.min(TAIL_BYTES, until - base);
    return { kind: "hole", until, bytes: readAt(this.#file.fd, until - before, before), base: until - before };
  }

  took(position: number, bytes: Buffer, base: number): void {
    const end = position - base;
    const fresh = bytes.subarray(Math.max(0, end - TAIL_BYTES), end);
    const older = this.#before.subarray(Math.max(0, this.#before.length - (TAIL_BYTES - fresh.length)));
    // Memory of its own: a piece of Node's pool would keep 8 kB alive for each open file.
    const before = Buffer.allocUnsafeSlow(older.length + fresh.length);
    before.set(older);
    before.set(fresh, older.length);
    this.#before = before;
    if (position === base) return;
    advance(this.source, position, this.#before);
    // Where one line was long, the next ones are: a buffer for each would be a megabyte of garbage a line.
    if (end <= this.#options.buffer.length) this.#large = undefined;
  }

  close(): void {}

  async #takeOver(): Promise<void> {
    const { source } = this;
    const position = await lineAfterImported(this.#file, source.read);
    this.#before = tailAt(this.#file.fd, position);
    advance(source, position, this.#before);
    source.acked = source.read;
    source.ackedTail = source.readTail;
    source.imported = false;
  }

  /** While the file is small, its fingerprint grows with it. False when `head` begins another content than `known`. */
  #extendFingerprint(head: Buffer, known: Fingerprint): boolean {
    const { source } = this;
    if (!headMatches(known, head)) return false;
    if (source.fingerprint !== known && !this.#isAsSeen(head)) {
      // Truncated and written anew while these bytes were on their way, and looked at since: what is taken is what it was.
      if (source.read > 0) return false;
      Object.assign(source, { fingerprint: fingerprintOf(head), size: head.length, sizeTail: undefined, changed: "" });
    } else if (writtenLength(head) > source.fingerprint.length) source.fingerprint = fingerprintOf(head);
    return true;
  }

  /** Whether `head` begins the content that was looked at while it was being read. */
  #isAsSeen(head: Buffer): boolean {
    const { fingerprint } = this.source;
    if (fingerprint.length <= head.length) return headMatches(fingerprint, head);
    const length = writtenLength(head);
    return readAt(this.#file.fd, 0, length).equals(head.subarray(0, length));
  }
}
