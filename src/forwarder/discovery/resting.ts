import type { FileFacts } from "../model/content.ts";
import { isSettled, type Source } from "../model/source.ts";
import type { Listing } from "./listing.ts";

/** Which files need no look in a scan: they lie where they lay, and the kernel would have told of a change. */
export class Resting {
  readonly #listing: Listing;
  /** Files that were written to without a word of the kernel. */
  readonly #untold = new WeakSet<Source>();
  /** Files that have other names: what is written by those is not told of. */
  readonly #linked = new WeakSet<Source>();

  constructor(listing: Listing) {
    this.#listing = listing;
  }

  /** Whether `source`, which lies at `path`, the file number `index` of all, rests in this scan. */
  isAtRest(source: Source, path: string, index: number): boolean {
    if ((source.stage !== "at-end" && source.stage !== "found") || !isSettled(source)) return false;
    return !this.#untold.has(source) && !this.#linked.has(source) && this.#listing.rests(path, index);
  }

  /** A scan has looked at it. `before`: the size and the change time that were seen last. */
  looked(source: Source, { links }: FileFacts, before: Pick<Source, "size" | "changed">): void {
    if (links > 1) this.#linked.add(source);
    else this.#linked.delete(source);
    if (source.size !== before.size || source.changed !== before.changed) this.#untold.add(source);
  }

  /** The kernel has told of a change. */
  told(source: Source): void {
    this.#untold.delete(source);
  }
}
