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
   * Applies one acknowledged sequence. Returns the flight that it is about, with `complete` when it has landed;
   * undefined for 0 or what was known. Throws a ProtocolError when it acknowledges what was not sent.
   */
  acknowledge(sequence: number, now: number): { flight: Flight; complete: boolean } | undefined {
    if (sequence === 0) return undefined;
    const flight = this.#flights[0];
    if (flight === undefined) throw new ProtocolError(`acknowledgement ${sequence}, but nothing is in flight`);
    if (sequence > flight.batch.events)
      throw new ProtocolError(`acknowledgement ${sequence} of a window of ${flight.batch.events}`);
    if (sequence <= flight.acked) return undefined;
    flight.acked = sequence;
    if (sequence < flight.batch.events) return { flight, complete: false };
    this.#flights.shift();
    const next = this.#flights[0];
    if (next !== undefined) next.frontSince = now;
    return { flight, complete: true };
  }

  /** Takes out everything, oldest first, to be sent elsewhere. */
  abandon(): Flight[] {
    return this.#flights.splice(0);
  }
}
