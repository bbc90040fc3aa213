import type { Batch } from "./batch.ts";
import type { SinkEvent } from "./sink.ts";
import type { Source, Tail } from "./source.ts";

/** Makes the bytes that go out: what is collected knows neither frames nor compression. */
export interface Encoder {
  /** Every buffer is being filled or sealed: no window can be opened before one is sealed. */
  readonly full: boolean;
  /** Begins a window of at most `limit` events. `readAt`: monotonic milliseconds of its first event. */
  open(limit: number, readAt: number): OpenWindow;
  /** Gives back what is held, when nothing is sealed any more. */
  close(): void;
}

/** A window while events are added to it. */
export interface OpenWindow {
  /** Events that it takes. */
  readonly limit: number;
  readonly events: number;
  /** Nothing to send and no position to record. */
  readonly empty: boolean;
  /**
   * Takes lines of `bytes` from index `from` while there is room, none beyond the line end at index `last`; `base` is
   * the position of `bytes[0]`. Returns the index after the last byte taken: less than `last + 1` means that it is full.
   */
  lines(source: Source, bytes: Buffer, base: number, from: number, last: number): number;
  /** Takes one event; false: no room, take it into the next window. */
  event(source: Source, event: SinkEvent): boolean;
  /** Records that everything of `source` before `end` is in this window, or was left out on purpose. */
  mark(source: Source, end: number, tail: Tail | undefined): void;
  /** Ends the window, which must not be used afterwards. */
  seal(): Promise<Batch>;
}
