import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";

/** What was missed is said once in so many milliseconds. */
const SILENCE = 60_000;

type Names = Pick<ReadonlySet<string>, "has">;

/**
 * Files that were there and gone again before they could be opened: the kernel tells their names, and no more. What was in
 * them cannot be shipped; it can be said and counted.
 */
export class Missed {
  readonly #clock: Clock;
  readonly #log: Logger;
  /** Names that were noticed when nothing was there to open, or no descriptor was free. */
  #noticed = new Set<string>();
  /** Names that were opened when they were noticed. */
  #opened = new Set<string>();
  /** What was found and opened up to the last two scans: the end of a file may be noticed later than it was not found. */
  #seen: readonly Names[] = [];
  #first: string | undefined;
  /** `total` when it was said last. */
  #said = 0;
  #saidAt = Number.NEGATIVE_INFINITY;
  total = 0;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  notice(path: string, isOpen: boolean): void {
    (isOpen ? this.#opened : this.#noticed).add(path);
  }

  /** A scan found `paths`. `wasFollowed`: whether what lay at a path last is known. */
  scanned(paths: Names, wasFollowed: (path: string) => boolean): void {
    const seen = [paths, this.#opened, ...this.#seen];
    for (const path of this.#noticed) {
      if (seen.some((names) => names.has(path)) || wasFollowed(path)) continue;
      this.total++;
      this.#first ??= path;
    }
    this.#noticed.clear();
    this.#seen = seen.slice(0, 4);
    this.#opened = new Set();
    this.#say();
  }

  #say(): void {
    if (this.#first === undefined || this.#clock.monotonic() - this.#saidAt < SILENCE) return;
    const count = this.total - this.#said;
    const those = count > 1 ? ` and ${count - 1} other files were` : " was";
    this.#log.error(`'${this.#first}'${those} gone before being opened: what was written there is not shipped`);
    this.#first = undefined;
    this.#said = this.total;
    this.#saidAt = this.#clock.monotonic();
  }
}
