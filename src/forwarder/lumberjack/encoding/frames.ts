import type { Version } from "../../model/settings.ts";

/**
 * The Lumberjack frames, as bytes. Integers are big-endian; a frame is a version byte (ASCII 1 or 2), a type byte and a
 * payload.
 */
export const VERSION_1 = 0x31;
export const VERSION_2 = 0x32;
const WINDOW = 0x57; // W: u32 events that follow
const COMPRESSED = 0x43; // C: u32 length, zlib data holding whole frames
export const DATA = 0x44; // D: u32 sequence, u32 pairs, then per pair u32 length and bytes of key and value
export const JSON_DATA = 0x4a; // J: u32 sequence, u32 length, a JSON object
export const ACK = 0x41; // A: u32 sequence, everything up to it is taken

/** Bytes of a frame with one integer: W, A, and the head of C. */
export const SHORT_FRAME = 6;
/** Bytes before the compressed data of a window: its W frame and the head of its C frame. */
export const WINDOW_HEAD = 2 * SHORT_FRAME;

export const versionByte = (version: Version): number => (version === 1 ? VERSION_1 : VERSION_2);

/** Writes one short frame at `at`; returns the position after it. */
function writeShortFrame(out: Uint8Array, at: number, version: Version, type: number, value: number): number {
  out[at] = versionByte(version);
  out[at + 1] = type;
  writeUint32(out, at + 2, value);
  return at + SHORT_FRAME;
}

export function writeUint32(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 24;
  out[at + 1] = (value >>> 16) & 0xff;
  out[at + 2] = (value >>> 8) & 0xff;
  out[at + 3] = value & 0xff;
}

/** A window as it goes over the wire: W, then C around the compressed `parts`, in one buffer. */
export function frameWindow(version: Version, events: number, parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const wire = Buffer.allocUnsafeSlow(WINDOW_HEAD + length);
  let at = writeShortFrame(wire, 0, version, WINDOW, events);
  at = writeShortFrame(wire, at, version, COMPRESSED, length);
  for (const part of parts) {
    wire.set(part, at);
    at += part.length;
  }
  return wire;
}
