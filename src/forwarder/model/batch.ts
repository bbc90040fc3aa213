import type { Version } from "./settings.ts";
import type { Source, Tail } from "./source.ts";

/** Consecutive events of a batch that come from one source. */
export interface Run {
  readonly source: Source;
  /** Index of the first event after this run. */
  until: number;
  /** Position in the source after the last event of the run. */
  end: number;
  tail: Tail | undefined;
}

/** One Lumberjack window: encoded, compressed, with what it takes to record its acknowledgement. */
export interface Batch {
  /** Counts up in the order of reading. */
  readonly sequence: number;
  readonly version: Version;
  readonly events: number;
  /** What goes out, ready to be written: W and C frames, or the lines of a tap. */
  readonly wire: Buffer;
  /** Per event: the position in its source after it. */
  readonly ends: Float64Array;
  readonly runs: readonly Run[];
  /** Bytes of the frames before compression. */
  readonly raw: number;
  /** Monotonic milliseconds when its first event was read. */
  readonly readAt: number;
}

/** The runs of events `[from, until)`, counted from 0. A run cut in two ends where its last event here ends. */
export function cutRuns(batch: Pick<Batch, "runs" | "ends" | "events">, from: number, until: number): Run[] {
  const cut: Run[] = [];
  let first = 0;
  for (const run of batch.runs) {
    const [begin, end] = [Math.max(first, from), Math.min(run.until, until)];
    first = run.until;
    // A run without events only moves a position: it goes with the events before it, or begins the window.
    const bare = run.until <= until && run.until >= from && begin >= run.until && (run.until > from || from === 0);
    if (begin >= end && !bare) continue;
    if (run.until <= until) cut.push({ ...run, until: run.until - from });
    else cut.push({ source: run.source, until: end - from, end: batch.ends[end - 1] ?? run.end, tail: undefined });
  }
  return cut;
}
