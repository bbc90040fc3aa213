import { type Batch, cutRuns } from "../model/batch.ts";

interface Entry {
  readonly batch: Batch;
  /** Events acknowledged from the first on, without a gap. */
  prefix: number;
  /** Acknowledged ranges beyond a gap: pieces of a batch may go to different servers. */
  ranges: [number, number][];
  /** Events whose position has been applied. */
  applied: number;
}

/**
 * Batches in the order of reading, and what of them is acknowledged. Positions move only over what is acknowledged
 * without a gap from the oldest batch on, whichever connection was faster.
 */
export class Ledger {
  readonly #entries: Entry[] = [];
  #outstanding = 0;

  /** Events added and not applied. */
  get outstanding(): number {
    return this.#outstanding;
  }

  get batches(): number {
    return this.#entries.length;
  }

  /** Bytes of compressed windows that are kept for sending again. */
  get bytes(): number {
    return this.#entries.reduce((sum, { batch }) => sum + batch.wire.length + batch.ends.byteLength, 0);
  }

  add(batch: Batch): void {
    this.#entries.push({ batch, prefix: 0, ranges: [], applied: 0 });
    this.#outstanding += batch.events;
  }

  /** Events `[first, until)` of `batch` are acknowledged. */
  acknowledge(batch: Batch, first: number, until: number): void {
    const entry = this.#entries.find((candidate) => candidate.batch === batch);
    if (entry === undefined) return;
    entry.ranges.push([first, until]);
    entry.ranges.sort((a, b) => a[0] - b[0]);
    while (entry.ranges[0] !== undefined && entry.ranges[0][0] <= entry.prefix) {
      entry.prefix = Math.max(entry.prefix, entry.ranges[0][1]);
      entry.ranges.shift();
    }
  }

  /** Moves the sources' acknowledged positions as far as they may; returns the number of events newly covered. */
  apply(now: number): number {
    let events = 0;
    for (let entry = this.#entries[0]; entry !== undefined; entry = this.#entries[0]) {
      const { batch, prefix, applied } = entry;
      if (prefix > applied || batch.events === 0) {
        const runs = applied === 0 && prefix === batch.events ? batch.runs : cutRuns(batch, applied, prefix);
        for (const { source, end, tail } of runs) {
          source.acked = end;
          source.ackedTail = tail;
          source.touched = now;
        }
        events += prefix - applied;
        entry.applied = prefix;
      }
      if (entry.applied < batch.events) break;
      this.#entries.shift();
    }
    this.#outstanding -= events;
    return events;
  }
}
