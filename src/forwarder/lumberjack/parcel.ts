import type { Batch } from "../model/batch.ts";

/** A window on its way: all of a batch, or the events from `first` on after it was cut anew. */
export interface Parcel {
  readonly batch: Batch;
  /** The batch that the pipeline handed over. */
  readonly origin: Batch;
  /** Index in `origin` of the first event of `batch`. */
  readonly first: number;
  /** Events of `batch` that are acknowledged already and must not be sent again. */
  readonly skip: number;
}
