import { EngineError } from "./errors.ts";

/** One write of a container: which stream, and the bytes. */
export interface LogFrame {
  readonly stream: "stdout" | "stderr";
  readonly data: Buffer;
}

const HEADER = 8;
/** Docker cuts lines at 16 KiB; drivers and Podman may send more. Longer frames mean that we are out of step. */
const LONGEST_FRAME = 16 * 1024 * 1024;

/**
 * Takes apart the multiplexed stream of logs and attach: a header of eight bytes (stream number, three zeroes, length
 * as big-endian) before each frame. Yields the frames that arrived together. Throws an EngineError of kind `protocol` on anything else.
 */
export async function* demultiplex(source: AsyncIterable<Uint8Array>): AsyncGenerator<LogFrame[]> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    pending = pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([pending, chunk]);
    const frames: LogFrame[] = [];
    let offset = 0;
    while (pending.length - offset >= HEADER) {
      const length = pending.readUInt32BE(offset + 4);
      const kind = pending[offset] ?? 255;
      if (kind > 3 || length > LONGEST_FRAME) {
        throw new EngineError("protocol", "the Docker daemon's log stream is not multiplexed as expected");
      }
      if (pending.length - offset < HEADER + length) break;
      const data = pending.subarray(offset + HEADER, offset + HEADER + length);
      offset += HEADER + length;
      // 3 is the daemon's own error in the stream.
      if (kind === 3) throw new EngineError("refused", data.toString("utf8"));
      frames.push({ stream: kind === 2 ? "stderr" : "stdout", data });
    }
    if (frames.length > 0) yield frames;
    pending = pending.subarray(offset);
  }
  // A cut frame at the end of a broken connection is fetched again from the last timestamp.
}

/**
 * Splits `2026-01-02T03:04:05.67Z line` into time and bytes. Nanoseconds are padded to nine digits, so that times
 * compare as text. Undefined when there is no timestamp.
 */
export function splitTimestamp(data: Buffer): { time: string; data: Buffer } | undefined {
  const space = data.indexOf(0x20);
  if (space < 20 || space > 40) return undefined;
  const time = normalizeTime(data.toString("latin1", 0, space));
  return time === undefined ? undefined : { time, data: data.subarray(space + 1) };
}

/** UTC with nine digits of a second: `2026-01-02T03:04:05.670000000Z`. Undefined when it is not RFC 3339. */
export function normalizeTime(text: string): string | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (match === null) return undefined;
  const [, seconds, fraction = "", zone] = match;
  const utc = zone === "Z" ? seconds : new Date(`${seconds}${zone}`).toISOString().slice(0, 19);
  return `${utc}.${fraction.padEnd(9, "0")}Z`;
}

/** `since` as the API wants it: seconds with nine digits, moved back by `marginSeconds`. */
export function sinceOf(time: string, marginSeconds: number): string {
  const seconds = Math.floor(Date.parse(`${time.slice(0, 19)}Z`) / 1000) - marginSeconds;
  return `${Math.max(0, seconds)}.${time.slice(20, 29)}`;
}
