import { closeSync, openSync } from "node:fs";
import { connect, type Socket } from "node:net";
import type { WindowSize } from "../../model/session.ts";

/** Bytes of one frame that are typed; the shim takes 1 MB. */
const LARGEST_PIECE = 256 * 1024;

/**
 * A connection with the shim that holds a container's terminal (terminal-parts.ts), to hear what is said or to type. `folder`: the
 * container's runtime folder. Rejects when there is none, or it is over.
 */
export async function connectTerminal(folder: string, what: "output" | "input"): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  // By its folder's descriptor: an address of a socket has at most 107 bytes.
  const descriptor = openSync(folder, "r");
  try {
    const socket = connect(`/proc/self/fd/${descriptor}/terminal`);
    socket.once("connect", () => resolve(socket));
    socket.once("error", reject);
    await promise;
    // Whoever reads it hears of what comes later.
    socket.on("error", () => undefined);
    socket.write(what === "output" ? "O" : "I");
    return socket;
  } finally {
    closeSync(descriptor);
  }
}

function frameOf(verb: string, rest: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(rest.length + 1);
  head.write(verb, 4, "latin1");
  return Buffer.concat([head, rest]);
}

/** What is typed, as frames. */
export function typedFrames(data: Uint8Array): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < data.length; at += LARGEST_PIECE)
    pieces.push(frameOf("D", data.subarray(at, at + LARGEST_PIECE)));
  return Buffer.concat(pieces);
}

/** A terminal's size, as a frame: at most 65535 of each. */
export function sizeFrame({ rows, columns }: WindowSize): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt16BE(Math.min(rows, 0xffff), 0);
  size.writeUInt16BE(Math.min(columns, 0xffff), 2);
  return frameOf("W", size);
}
