import { promisify } from "node:util";
import { deflate, inflate } from "node:zlib";
import { type Batch, cutRuns } from "../../model/batch.ts";
import { memberOf, membersOf } from "../../model/json-members.ts";
import type { Version } from "../../model/settings.ts";
import { DATA, frameWindow, JSON_DATA, VERSION_2, versionByte, WINDOW_HEAD, writeUint32 } from "./frames.ts";
import { jsonPayload, type Payload, pairsPayload } from "./object.ts";
import { FRAME_HEAD } from "./template.ts";

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

function frameOf(version: Version, { bytes, pairs }: Payload): Buffer {
  const frame = Buffer.alloc(FRAME_HEAD + bytes.length);
  frame[0] = versionByte(version);
  frame[1] = version === 1 ? DATA : JSON_DATA;
  frame.writeUInt32BE(version === 1 ? pairs : bytes.length, 6);
  bytes.copy(frame, FRAME_HEAD);
  return frame;
}

/** The event of a frame in the other version: `line` is `message` there. */
function translate(frame: Buffer, to: Version): Buffer {
  if (to === 1) {
    const members = membersOf(frame.toString("utf8", FRAME_HEAD)) ?? [];
    const message = members.findLast(({ key }) => key === "message");
    const rest = members.filter(({ key }) => key !== "message" && key !== "@timestamp");
    return frameOf(1, pairsPayload(message === undefined ? rest : [...rest, { ...message, key: "line" }]));
  }
  const { line, ...rest } = pairsOf(frame);
  const members = Object.entries(line === undefined ? rest : { ...rest, message: line });
  return frameOf(2, jsonPayload(members.map(([key, value]) => memberOf(key, value))));
}

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
