import type { Batch } from "../model/batch.ts";
import { ProtocolError } from "./ack-reader.ts";

/** A window that was written and is not wholly acknowledged. */
export interface Flight {
  readonly batch: Batch;
  acked: number;
  /** Monotonic milliseconds when it was written. */
  readonly sentAt: number;
  /** When it became the oldest of its connection: waiting is counted from there. */
  frontSince: number;
}

/**
 * The windows in flight on one connection, oldest first. Sequences restart at 1 in every window, so an acknowledgement
 * always speaks of the oldest.
 */
export class InFlight {
  readonly #flights: Flight[] = [];
  /** Windows of which an acknowledgement may speak: those that were written before it came. */
  #answerable = 0;
  #unfinished = 0;
  /** Events of the window that landed last. */
  #landed = 0;

  get length(): number {
    return this.#flights.length;
  }

  get front(): Flight | undefined {
    return this.#flights[0];
  }

  sent(batch: Batch, now: number): void {
    this.#flights.push({ batch, acked: 0, sentAt: now, frontSince: now });
  }

  /**
   * Something was received. Of the windows in flight the newest `unfinished` are not wholly written; those that are sent
   * while it is looked at cannot be what it speaks of.
   */
  heard(unfinished = 0): void {
    this.#unfinished = unfinished;
    this.#answerable = this.#flights.length - unfinished;
  }

  /**
   * Applies one acknowledged sequence of what was heard. Returns the flight that it is about, with `complete` when it has
   * landed; undefined for 0 or what was known. Throws a ProtocolError, and has applied nothing, when it acknowledges what was
   * not sent, or ends in the middle of a window while that is not to be trusted (`inPart`).
   */
  acknowledge(sequence: number, now: number, inPart = true): { flight: Flight; complete: boolean } | undefined {
    if (sequence === 0) return undefined;
    const flight = this.#flights[0];
    // What landed is said again.
    if (this.#answerable === 0 && this.#unfinished === 0 && sequence === this.#landed) return undefined;
    if (flight === undefined) throw new ProtocolError(`acknowledgement ${sequence}, but nothing is in flight`);
    if (this.#answerable === 0)
      throw new ProtocolError(`acknowledgement ${sequence} of a window that was not written yet`);
    if (sequence > flight.batch.events)
      throw new ProtocolError(`acknowledgement ${sequence} of a window of ${flight.batch.events}`);
    if (sequence <= flight.acked) return undefined;
    if (sequence < flight.batch.events && !inPart)
      throw new ProtocolError(`acknowledgement ${sequence} in the middle of a window of ${flight.batch.events}`);
    flight.acked = sequence;
    if (sequence < flight.batch.events) return { flight, complete: false };
    this.#flights.shift();
    this.#answerable--;
    this.#landed = sequence;
    const next = this.#flights[0];
    if (next !== undefined) next.frontSince = now;
    return { flight, complete: true };
  }

  /** Takes out everything, oldest first, to be sent elsewhere. */
  abandon(): Flight[] {
    this.#landed = 0;
    return this.#flights.splice(0);
  }
}
