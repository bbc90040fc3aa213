import type { X509Certificate } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { UPID } from "./upid.ts";

/** Who is at the other end of a connection, as far as the connection itself tells. */
export interface Peer {
  /** The address that the connection comes from. */
  readonly address: string;
  /** The certificate that it showed, found good; undefined: none was shown, or none is asked for. */
  readonly certificate: X509Certificate | undefined;
}

export interface InboundMessage {
  /** Undefined when the sender could not be read; such a message is delivered all the same. */
  readonly from: UPID | undefined;
  readonly peer: Peer;
  /** The id of the process it is for. */
  readonly to: string;
  readonly name: string;
  readonly body: Uint8Array;
}

/** A message's place in the order of its connection. */
export interface Slot {
  ready: InboundMessage | "dropped" | undefined;
  release: () => void;
}

/** What is under way on one connection. */
export interface Connection {
  readonly socket: Socket;
  /** What was accepted: the socket itself, or the one below its encryption. */
  readonly raw: Socket;
  readonly peer: Peer;
  /** It carries messages of somebody who is heard: it is never given up to make room. */
  isKept: boolean;
  /** Messages in the order they came; delivered from the front as soon as they are complete. */
  readonly messages: Slot[];
  /** HTTP requests that wait for the one before them. */
  readonly requests: (() => void)[];
  busy: boolean;
  /** Answers what was taken before the HTTP parser had the connection. */
  answerFirst: () => void;
  /** Answers to messages, which wait until no more bytes come. */
  readonly answers: ServerResponse[];
  /** Requests that came in this turn of the event loop. */
  inTurn: number;
  /** Nothing is read in the rest of this turn. */
  isHeld: boolean;
  /** More may have come by now, had it been read. */
  wasHeld: boolean;
}

/** Answers that wait on one connection at most. */
const MOST_ANSWERS = 1_000;
/** Requests of one connection in a turn of the event loop, but for those that came in the same piece as the last one. */
const MOST_IN_A_TURN = 128;
/** Answers of one connection in a turn. */
const ANSWERS_IN_A_TURN = 256;

/** A connection on which nothing is under way. */
export const connectionOf = (socket: Socket, raw: Socket = socket, certificate?: X509Certificate): Connection => ({
  socket,
  raw,
  isKept: false,
  peer: { address: socket.remoteAddress?.replace(/^::ffff:/, "") ?? "", certificate },
  messages: [],
  requests: [],
  busy: false,
  answerFirst: () => undefined,
  answers: [],
  inTurn: 0,
  isHeld: false,
  wasHeld: false,
});

/**
 * Counts a request, and reads on in the next turn when there were many: the system would hand over 2 MB at once, 16,000
 * pings of somebody who does not wait for answers, before anybody else has a turn.
 */
export function countRequest(connection: Connection): void {
  const { socket } = connection;
  if (++connection.inTurn === 1)
    setImmediate(() => {
      connection.inTurn = 0;
      if (!connection.isHeld) return;
      connection.isHeld = false;
      socket.resume();
    });
  if (connection.inTurn < MOST_IN_A_TURN || connection.isHeld) return;
  connection.isHeld = true;
  connection.wasHeld = true;
  socket.pause();
}

/** Whoever reads the body of a request resumes its connection: one that is held is paused again. */
export function keepHeld(connection: Connection): void {
  const { socket } = connection;
  socket.on("resume", () => {
    if (connection.isHeld) socket.pause();
  });
}

/**
 * Answers once a turn of the event loop has brought no more bytes. A peer without a link closes its socket behind the
 * last message; an answer to an earlier one would meet a reset, and the reset would take along what is not read yet.
 */
export function answerWhenQuiet(connection: Connection, response: ServerResponse): void {
  const { answers, socket } = connection;
  if (answers.push(response) > 1) return;
  const look = (before: number): void => {
    const now = socket.bytesRead;
    const isQuiet = now === before && !connection.wasHeld;
    connection.wasHeld = connection.isHeld;
    if (isQuiet || socket.destroyed || answers.length >= MOST_ANSWERS) {
      connection.answerFirst();
      for (const answer of answers.splice(0, ANSWERS_IN_A_TURN)) answer.end();
    }
    if (answers.length > 0) setImmediate(() => look(now));
  };
  const { bytesRead } = socket;
  setImmediate(() => look(bytesRead));
}

/** Bytes of a message that nobody takes, which are read all the same: the messages behind it on the connection count. */
const MOST_UNREAD = 1024 ** 2;

/** Answers with a status and throws the body away unread; the connection ends when it is large. */
export function refuse(at: Connection, request: IncomingMessage, response: ServerResponse, status: number): void {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MOST_UNREAD) at.socket.destroy();
  });
  response.statusCode = status;
  answerWhenQuiet(at, response);
}
