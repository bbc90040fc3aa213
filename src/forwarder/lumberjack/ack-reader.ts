import { ACK, SHORT_FRAME, VERSION_1, VERSION_2 } from "./encoding/frames.ts";

/** How a TLS server begins to refuse what is no TLS: an alert record of version 3.x. */
const TLS_ALERT = 0x15;
const TLS_MAJOR = 0x03;

/** What came over the wire is not Lumberjack. */
export class ProtocolError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ProtocolError";
  }
}

/** Cuts what a receiver sends into acknowledgements, however TCP has split it. Holds at most 5 bytes. */
export class AckReader {
  #rest: Buffer = Buffer.alloc(0);

  /**
   * The sequences acknowledged in `chunk`, 0 for a sign of life. Either version byte is taken, because the Beats input
   * writes `2A` to a version 1 writer. Throws a ProtocolError at the first byte that cannot be part of an ack.
   */
  push(chunk: Buffer): number[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const sequences: number[] = [];
    let at = 0;
    for (; at + SHORT_FRAME <= bytes.length; at += SHORT_FRAME) {
      this.#check(bytes, at);
      sequences.push(bytes.readUInt32BE(at + 2));
    }
    this.#rest = Buffer.from(bytes.subarray(at));
    if (this.#rest.length > 0) this.#check(this.#rest, 0);
    return sequences;
  }

  #check(bytes: Buffer, at: number): void {
    const [version, type] = [bytes[at], bytes[at + 1]];
    if ((version !== VERSION_1 && version !== VERSION_2) || (type !== undefined && type !== ACK)) {
      const seen = bytes.subarray(at, at + 2).toString("hex");
      if (version === TLS_ALERT && type === TLS_MAJOR)
        throw new ProtocolError("it speaks TLS, and we do not (see 'ssl enabled')");
      throw new ProtocolError(`expected an acknowledgement, received bytes 0x${seen}: is this a Lumberjack receiver?`);
    }
  }
}
