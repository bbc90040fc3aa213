import type { JsonMember } from "./json-members.ts";
import type { Source, Tail } from "./source.ts";

/** Where readings go. Each method resolves when there is room for more: that is the backpressure on the files. */
export interface EventSink {
  /**
   * Takes whole lines of `bytes`, up to the line end at index `last`; `base` is the position of `bytes[0]`. Resolves with
   * the index after the last line that it took: all, or what there was room for, at least one. The bytes are copied
   * before it resolves.
   */
  lines(source: Source, bytes: Buffer, base: number, last: number): Promise<number>;
  /** The next event would have to wait: it is the turn of another file. */
  readonly isFull: boolean;
  /** Takes one event; the members in `extra` win over the usual ones. */
  event(source: Source, event: SinkEvent): Promise<void>;
  /** Everything before `end` has been taken or was left out on purpose. */
  passed(source: Source, end: number, tail: Tail | undefined): Promise<void>;
}

export interface SinkEvent {
  readonly text: Buffer;
  readonly start: number;
  readonly end: number;
  readonly extra: readonly JsonMember[] | undefined;
}

/** Thrown by a sink that takes nothing more because the program stops. */
export class Stopped extends Error {
  constructor() {
    super("stopped");
    this.name = "Stopped";
  }
}
