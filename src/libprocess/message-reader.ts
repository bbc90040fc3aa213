import type { Socket } from "node:net";

/** A message in the one form in which real senders of every era write it. */
export interface WholeMessage {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Where the next one begins. */
  readonly next: number;
}

/** Headers of real senders. Whatever has another is left to the HTTP parser. */
const HEADERS: ReadonlySet<string> = new Set([
  "user-agent",
  "libprocess-from",
  "connection",
  "host",
  "transfer-encoding",
]);
const BEGINNING = Buffer.from("POST /", "latin1");
const END_OF_HEAD = Buffer.from("\r\n\r\n", "latin1");
const END_OF_LINE = Buffer.from("\r\n", "latin1");
const LAST_CHUNK = Buffer.from("\r\n0\r\n\r\n", "latin1");
const REQUEST_LINE = /^POST (\/[\x21-\x7e]*) HTTP\/1\.1$/;
/** Bytes of a message that is not whole yet; for a larger one the HTTP parser's bounds are the right ones. */
const MOST_HELD = 64 * 1024;
/** Hexadecimal digits of a chunk's size that is held. */
const MOST_DIGITS = 5;
const NOTHING: Buffer = Buffer.alloc(0);

function headersOf(lines: readonly string[]): Record<string, string> | undefined {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (colon < 0 || !HEADERS.has(name) || name in headers || !/^[\x20-\x7e]*$/.test(value)) return undefined;
    headers[name] = value;
  }
  return headers;
}

/** Where a body begins and ends that is one chunk; "more" while that may still be seen. */
function chunkAt(bytes: Buffer, at: number): { from: number; to: number } | "more" | "other" {
  const end = bytes.subarray(at, at + MOST_DIGITS + END_OF_LINE.length).indexOf(END_OF_LINE);
  if (end < 0) return bytes.length - at < MOST_DIGITS + END_OF_LINE.length ? "more" : "other";
  const digits = bytes.toString("latin1", at, at + end);
  if (!/^[0-9a-fA-F]+$/.test(digits)) return "other";
  const from = at + end + END_OF_LINE.length;
  const to = from + Number.parseInt(digits, 16);
  // A body of no chunk but the last is written by nobody.
  if (to === from || to - from > MOST_HELD) return "other";
  if (bytes.length < to + LAST_CHUNK.length) return "more";
  return bytes.compare(LAST_CHUNK, 0, LAST_CHUNK.length, to, to + LAST_CHUNK.length) === 0 ? { from, to } : "other";
}

/**
 * The message that begins at `at`. "more": it is not whole, as far as one can see; "other": it is something else, or a message
 * in a form that only an HTTP parser understands.
 */
export function messageAt(bytes: Buffer, at: number): WholeMessage | "more" | "other" {
  const seen = Math.min(BEGINNING.length, bytes.length - at);
  if (bytes.compare(BEGINNING, 0, seen, at, at + seen) !== 0) return "other";
  const end = bytes.indexOf(END_OF_HEAD, at);
  if (end < 0) return "more";
  const [line = "", ...lines] = bytes.toString("latin1", at, end).split("\r\n");
  const url = REQUEST_LINE.exec(line)?.[1];
  const headers = headersOf(lines);
  if (url === undefined || headers === undefined) return "other";
  // Who wants to close, or upgrade, is answered by others.
  if ((headers["connection"] ?? "keep-alive").toLowerCase() !== "keep-alive") return "other";
  const from = end + END_OF_HEAD.length;
  const encoding = headers["transfer-encoding"];
  if (encoding === undefined) return { url, headers, body: NOTHING, next: from };
  if (encoding.toLowerCase() !== "chunked") return "other";
  const chunk = chunkAt(bytes, from);
  if (chunk === "more" || chunk === "other") return chunk;
  return { url, headers, body: bytes.subarray(chunk.from, chunk.to), next: chunk.to + LAST_CHUNK.length };
}

/** Whom a connection's messages are for. */
export interface MessageTaker {
  /** False: this one is for the HTTP parser, with everything behind it. Its body is only valid during the call. */
  take(message: WholeMessage): boolean;
  /** Whether the sender is one who is heard: for him the first part of a message is kept until the rest comes. */
  isKnown(): boolean;
  /** The paused socket goes to the HTTP parser, with what is not taken put back. */
  handOver(): void;
}

/** Messages of one connection in a turn of the event loop. */
const MOST_IN_A_TURN = 128;
/** Answers that wait at most. */
const MOST_ANSWERS = 1_000;
const ACCEPTED = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";

/**
 * Reads a connection as long as it carries nothing but messages as real senders write them, which is what links carry for months:
 * an HTTP parser with a request and a response for each is a tenth of what a launch costs. Anything else, and all that follows
 * it, goes to that parser.
 *
 *   reading ──▶ handed over
 *
 * Answers go out, in one write, once a turn of the event loop has brought no more bytes: see `answerWhenQuiet`.
 */
export class MessageReader {
  readonly #socket: Socket;
  readonly #taker: MessageTaker;
  /** The first part of a message. */
  #rest = NOTHING;
  #owed = 0;
  #isLooking = false;
  #inTurn = 0;
  /** Nothing is read in the rest of this turn. */
  #isHeld = false;

  /** Reads from `socket`, which is paused. */
  constructor(socket: Socket, taker: MessageTaker) {
    this.#socket = socket;
    this.#taker = taker;
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    process.nextTick(() => socket.resume());
  }

  readonly #onData = (chunk: Buffer): void => {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = NOTHING;
    this.#read(bytes);
  };

  readonly #onEnd = (): void => {
    this.answer();
    this.#socket.end();
  };

  #read(bytes: Buffer): void {
    const taker = this.#taker;
    let at = 0;
    while (at < bytes.length && !this.#isHeld) {
      const found = messageAt(bytes, at);
      if (found === "more" && taker.isKnown() && bytes.length - at <= MOST_HELD) {
        this.#rest = bytes.subarray(at);
        break;
      }
      if (found === "more" || found === "other" || !taker.take(found)) {
        this.#handOver(bytes.subarray(at));
        return;
      }
      at = found.next;
      this.#owed++;
      this.#count();
    }
    // Put back, so that the end of the stream stays behind it.
    if (this.#isHeld && at < bytes.length) this.#socket.unshift(bytes.subarray(at));
    this.#answerWhenQuiet();
  }

  /** See countRequest: somebody who does not wait for answers leaves their turn to others. */
  #count(): void {
    if (++this.#inTurn === 1) setImmediate(() => this.#nextTurn());
    if (this.#inTurn < MOST_IN_A_TURN) return;
    this.#isHeld = true;
    this.#socket.pause();
  }

  #nextTurn(): void {
    this.#inTurn = 0;
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#socket.resume();
  }

  #answerWhenQuiet(): void {
    if (this.#isLooking || this.#owed === 0) return;
    this.#isLooking = true;
    const look = (before: number): void => {
      const now = this.#socket.bytesRead;
      const isQuiet = now === before && !this.#isHeld;
      if (!isQuiet && !this.#socket.destroyed && this.#owed < MOST_ANSWERS) setImmediate(() => look(now));
      else {
        this.#isLooking = false;
        this.answer();
      }
    };
    const { bytesRead } = this.#socket;
    setImmediate(() => look(bytesRead));
  }

  /** Answers what was taken. To be called before anything else is answered on the connection. */
  answer(): void {
    const text = ACCEPTED.repeat(this.#owed);
    this.#owed = 0;
    if (text !== "" && this.#socket.writable) this.#socket.write(text);
  }

  #handOver(rest: Buffer): void {
    this.#socket.off("data", this.#onData);
    this.#socket.off("end", this.#onEnd);
    this.#answerWhenQuiet();
    this.#socket.pause();
    this.#socket.unshift(rest);
    this.#taker.handOver();
  }
}
