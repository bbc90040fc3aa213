import type { Clock } from "../../base/clock.ts";
import type { OpenFile } from "../model/open-file.ts";
import type { FileGroup } from "../model/settings.ts";
import { isSettled, isUnread, type Source } from "../model/source.ts";
import { isPlain, LineEvents } from "./events.ts";
import { type LineEnd, lineEndOf, type Reader, type Reading } from "./reader.ts";

/** A deleted file is read on until it was quiet for this long, in milliseconds: its writer may not be done. */
const LAST_WORDS = 2000;

/** One source that is read, and how far its reading is. */
export interface Harvester {
  readonly source: Source;
  readonly group: FileGroup;
  readonly events: LineEvents | undefined;
  reader: Reader | undefined;
  /** What the reader reads. */
  file: OpenFile | undefined;
  /** In the queue, or to be read again when its turn ends. */
  ready: boolean;
  finished: boolean;
  /** It was read to its end before: it may be written all the time. */
  again: boolean;
  /** Bytes of a last line without an end, when it was read last. */
  rest: number;
  /** Nothing is read from here on: where the file ended when the program was told to stop. */
  until: number;
  /** Its content is lost: what was being joined goes out, and that is all. */
  abandoned: boolean;
  failure: string | undefined;
}

export function newHarvester(source: Source, group: FileGroup, clock: Clock): Harvester {
  return {
    source,
    group,
    events: isPlain(group) ? undefined : new LineEvents(group, clock),
    reader: undefined,
    file: undefined,
    ready: false,
    finished: false,
    again: false,
    rest: 0,
    until: Number.POSITIVE_INFINITY,
    abandoned: false,
    failure: undefined,
  };
}

/** The source goes on in another file than the one that is read: a copy of it; or in none. */
export const hasMoved = ({ file, source }: Harvester): boolean => file !== source.file;

/**
 * Everything of a file was taken that was known of it, and there was nothing behind when it was read. What is added later is told of, or
 * looked for.
 */
export const isAllOf = (reading: Reading, source: Source): boolean =>
  reading.kind === "lines" && reading.whole && source.read === reading.base + reading.last + 1 && !isUnread(source);

/** Its file is read to its end, and nothing of it is held: what its reader knows can be read again. */
export const isResting = ({ source, events, ready }: Harvester): boolean =>
  !ready && source.stage === "at-end" && events?.pending !== true;

/** Whether a last line without an end is to go out as it is: nothing more is waited for. `now`: monotonic milliseconds. */
export function isLineDue({ source, group }: Harvester, now: number): boolean {
  const quiet = now - source.grown;
  if (quiet >= group.lineEndWait) return true;
  return source.stage === "draining" && quiet >= LAST_WORDS && source.file?.facts().links === 0;
}

/** What becomes of an open file that nothing happens to. */
export type Rest =
  /** Nothing: it stays open. */
  | "stay"
  /** It is read again. */
  | "read"
  /** Its descriptor is given back; it is opened again when it changes. */
  | "close"
  /** It was deleted, everything is acknowledged, and nobody writes any more. */
  | "gone";

/** What is to be done with a file that is not being read. `now`: monotonic milliseconds. */
export function restOf(harvester: Harvester, now: number): Rest {
  const { source, group, events, ready, rest, failure } = harvester;
  const { file, stage } = source;
  if (ready) return "stay";
  if (events?.pending) return "read";
  if (file === undefined) return "stay";
  if (rest > 0 && isLineDue(harvester, now)) return "read";
  if (failure !== undefined && isUnread(source)) return "read";
  if (!isSettled(source)) return stage === "draining" && rest === 0 && isUnread(source) ? "read" : "stay";
  const quiet = now - source.grown;
  if (stage === "draining" && quiet >= LAST_WORDS && file.facts().links === 0) return "gone";
  if (quiet < group.closeInactive) return "stay";
  return !source.compressed && file.facts().size > Math.max(source.read, source.blankTo) ? "read" : "close";
}

/** Nothing becomes of it but by a change, of which the follower is told, or by being quiet so long that it is closed. */
export function isAsleep(harvester: Harvester): boolean {
  const { source, ready, rest, failure } = harvester;
  if (source.file === undefined) return !ready;
  return isResting(harvester) && rest === 0 && failure === undefined && isSettled(source);
}

/** The lines of `bytes`, without their ends. `end` is the position after the line and its end. */
export function* linesOf(
  bytes: Buffer,
  base: number,
  { encoding }: FileGroup,
): Generator<{ readonly line: Buffer; readonly start: number; readonly end: number }> {
  const lineEnd = lineEndOf(encoding);
  const width = lineEnd === "byte" ? 1 : 2;
  for (let from = 0; from < bytes.length; ) {
    let next = nextLineEnd(bytes, from, base, lineEnd);
    const terminated = next !== -1;
    if (!terminated) next = bytes.length;
    const line = withoutReturn(bytes.subarray(from, terminated ? next - width : next), lineEnd);
    yield { line, start: base + from, end: base + next };
    from = next;
  }
}

/** Index after the next line end from `from` on, -1 when there is none. */
function nextLineEnd(bytes: Buffer, from: number, base: number, lineEnd: LineEnd): number {
  if (lineEnd === "byte") {
    const index = bytes.indexOf(0x0a, from);
    return index === -1 ? -1 : index + 1;
  }
  const pair = lineEnd === "utf-16le" ? [0x0a, 0x00] : [0x00, 0x0a];
  for (let index = from + ((base + from) % 2); index + 1 < bytes.length; index += 2)
    if (bytes[index] === pair[0] && bytes[index + 1] === pair[1]) return index + 2;
  return -1;
}

function withoutReturn(line: Buffer, lineEnd: LineEnd): Buffer {
  if (lineEnd === "byte") return line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
  const [high, low] = lineEnd === "utf-16le" ? [line.at(-1), line.at(-2)] : [line.at(-2), line.at(-1)];
  return line.length >= 2 && high === 0x00 && low === 0x0d ? line.subarray(0, -2) : line;
}
