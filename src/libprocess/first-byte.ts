import type { Socket } from "node:net";

/** What the first bytes of a connection are, as libprocess' accepting side tells them apart when it allows downgrade. */
export type FirstBytes = "tls" | "plain" | "undecided";

/** Bytes that settle the question in every case. */
const ENOUGH = 6;

/** An SSLv2-framed or a TLS ClientHello, or anything else. `undecided` only while more bytes could still make it TLS. */
export function classify(bytes: Uint8Array): FirstBytes {
  const [first = 0, second = 0, third = 0] = bytes;
  if (bytes.length === 0) return "undecided";
  if ((first & 0x80) !== 0) return bytes.length < 3 ? "undecided" : third === 1 ? "tls" : "plain";
  if (first !== 0x16 || (bytes.length > 1 && second !== 3)) return "plain";
  return bytes.length < ENOUGH ? "undecided" : bytes[5] === 1 ? "tls" : "plain";
}

/**
 * Waits, for ever, until `socket` has sent enough to decide, then puts the bytes back and calls `then` with the paused
 * socket. A link that never speaks is the normal case and stays here, at the cost of a socket. Ends the socket when the
 * peer closes first.
 */
export function onFirstBytes(
  socket: Socket,
  enough: (bytes: Uint8Array) => boolean,
  then: (bytes: Buffer) => void,
): void {
  let seen: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    if (enough(seen)) settle();
  };
  const onEnd = (): void => {
    stop();
    socket.end();
  };
  const stop = (): void => {
    socket.off("data", onData);
    socket.off("end", onEnd);
  };
  const settle = (): void => {
    stop();
    socket.pause();
    socket.unshift(seen);
    then(seen);
  };
  socket.on("data", onData);
  socket.on("end", onEnd);
}
