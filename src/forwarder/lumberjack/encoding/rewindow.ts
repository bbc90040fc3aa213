import { promisify } from "node:util";
import { deflate, inflate } from "node:zlib";
import { type Batch, cutRuns } from "../../model/batch.ts";
import type { Version } from "../../model/settings.ts";
import { frameWindow, JSON_DATA, VERSION_2, versionByte, WINDOW_HEAD, writeUint32 } from "./frames.ts";

const compress = promisify(deflate);
const decompress = promisify(inflate);

/** The frames of a decompressed window, whole. Trusts its input: we made it. */
export function* framesOf(raw: Buffer): Generator<Buffer> {
  let at = 0;
  while (at < raw.length) {
    const start = at;
    at += 6;
    if (raw[start] === VERSION_2) at += 4 + raw.readUInt32BE(at);
    else {
      const pairs = raw.readUInt32BE(at);
      at += 4;
      for (let item = 0; item < pairs * 2; item++) at += 4 + raw.readUInt32BE(at);
    }
    yield raw.subarray(start, at);
  }
}

/** The pairs of a version 1 frame. */
export function pairsOf(frame: Buffer): Record<string, string> {
  const pairs: Record<string, string> = {};
  let at = 10;
  const text = (): string => {
    const length = frame.readUInt32BE(at);
    at += 4 + length;
    return frame.toString("utf8", at - length, at);
  };
  while (at < frame.length) {
    const key = text();
    pairs[key] = text();
  }
  return pairs;
}

function frameOf(version: Version, object: Record<string, unknown>): Buffer {
  if (version === 2) {
    const { line, ...rest } = object;
    const json = Buffer.from(JSON.stringify(line === undefined ? rest : { ...rest, message: line }));
    const frame = Buffer.alloc(10 + json.length);
    frame[0] = versionByte(2);
    frame[1] = JSON_DATA;
    frame.writeUInt32BE(json.length, 6);
    json.copy(frame, 10);
    return frame;
  }
  const { message, "@timestamp": _, ...rest } = object;
  const entries = Object.entries(message === undefined ? rest : { ...rest, line: message });
  const parts = entries.flatMap(([key, value]) =>
    [key, typeof value === "string" ? value : JSON.stringify(value)].flatMap((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(Buffer.byteLength(text));
      return [length, Buffer.from(text)];
    }),
  );
  const head = Buffer.alloc(10);
  head[0] = versionByte(1);
  head[1] = 0x44;
  head.writeUInt32BE(entries.length, 6);
  return Buffer.concat([head, ...parts]);
}

const translate = (frame: Buffer, to: Version): Buffer =>
  frameOf(to, frame[0] === VERSION_2 ? JSON.parse(frame.toString("utf8", 10)) : pairsOf(frame));

/**
 * The events of `batch` from index `from` on, in windows of at most `size` events of the given version, sequences
 * restarting at 1. The slow path: after a partial acknowledgement, for a receiver with a smaller window or another
 * version.
 */
export async function rewindow(
  batch: Batch,
  from: number,
  size: number,
  version: Version,
  level: number,
): Promise<Batch[]> {
  const frames = [...framesOf(await decompress(batch.wire.subarray(WINDOW_HEAD)))];
  const windows: Batch[] = [];
  for (let start = from; start < batch.events; start += size) {
    const until = Math.min(start + size, batch.events);
    const part = frames.slice(start, until).map((frame, index) => {
      const copy = batch.version === version ? Buffer.from(frame) : translate(frame, version);
      writeUint32(copy, 2, index + 1);
      return copy;
    });
    const raw = Buffer.concat(part);
    windows.push({
      sequence: batch.sequence,
      version,
      events: until - start,
      wire: frameWindow(version, until - start, [await compress(raw, { level })]),
      ends: batch.ends.slice(start, until),
      runs: cutRuns(batch, start, until),
      raw: raw.length,
      readAt: batch.readAt,
    });
  }
  return windows;
}

/** The JSON texts of version 2 frames, as bytes. */
export const payloadsOf = (raw: Buffer): Buffer[] => [...framesOf(raw)].map((frame) => frame.subarray(10));
