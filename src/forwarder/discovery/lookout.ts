import { type Clock, every, type Timer } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Source } from "../model/source.ts";
import { joined } from "./glob.ts";
import type { Prospector } from "./prospector.ts";
import { Watcher } from "./watcher.ts";

/** Changes of names are looked at this many milliseconds after the first: rotation makes several. */
const SETTLE = 50;
/** A file that is written all the time is looked at at this pace, in milliseconds, so that a read is worth its cost. */
const PACE = 15;
/** The kernel keeps 16,384 of what happens, and drops more without saying so: after so many, nothing is taken for told. */
const MANY = 4096;
/** Changed files that are looked at without a break. */
const MOST_AT_ONCE = 256;

export interface LookoutOptions {
  readonly prospector: Pick<Prospector, "scan" | "folders" | "source" | "noticed" | "glimpse">;
  /** Milliseconds between scans when nothing is noticed. */
  readonly scanInterval: number;
  /** Files that the program writes itself: they change all the time. */
  readonly isOwn: (path: string) => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/** When the prospector looks: at once where the kernel tells of a change, and at intervals for what it does not tell. */
export class Lookout {
  readonly #options: LookoutOptions;
  readonly #watcher: Watcher;
  readonly #due = new Set<Source>();
  #interval: Timer | undefined;
  #rescan: Timer | undefined;
  #pace: Timer | undefined;
  /** Milliseconds that the last scan took: the next one waits as long, so that scanning is never all there is. */
  #scanTime = 0;
  #watching = false;
  /** What was noticed since the last scan began. */
  #events = 0;
  #scanning = false;
  /** Another scan was asked for while one was under way. */
  #again = false;
  #stopped = false;

  constructor(options: LookoutOptions) {
    this.#options = options;
    this.#watcher = new Watcher(options.log, (folder, name, structure) => this.#noticed(folder, name, structure));
  }

  /** Looks at everything for the first time; with `watch` also from now on. */
  async start(watch: boolean): Promise<void> {
    const { clock, scanInterval } = this.#options;
    this.#watching = watch;
    await this.scan(true);
    this.#interval = every(clock, scanInterval, () => this.#scanSoon());
  }

  /** Looks at everything once more. Does not reject. */
  async scan(first = false): Promise<void> {
    const { prospector, clock, log } = this.#options;
    this.#rescan?.cancel();
    this.#rescan = undefined;
    this.#scanning = true;
    const begun = clock.monotonic();
    const isTold = this.#watching && this.#events < MANY;
    this.#events = 0;
    try {
      // Watched before its files are looked at: what comes meanwhile is noticed, and opened.
      await prospector.scan(first, {
        include: (folders) => void (this.#watching && this.#watcher.include(folders)),
        watches: (folder) => isTold && this.#watcher.watches(folder),
      });
    } catch (error) {
      log.error(`looking for files: ${messageOf(error)}`);
    }
    this.#scanTime = clock.monotonic() - begun;
    this.#scanning = false;
    if (this.#again) this.#scanSoon();
    // What came between listing a folder and watching it is found by another scan.
    if (this.#watching && this.#watcher.follow(prospector.folders)) this.#scanSoon();
  }

  /** Nothing is noticed any more. */
  stop(): void {
    this.#watching = false;
    this.#stopped = true;
    this.#interval?.cancel();
    this.#rescan?.cancel();
    this.#pace?.cancel();
    this.#watcher.close();
  }

  /** One scan, however often it is asked for, and not before the one that is under way has ended. */
  #scanSoon(): void {
    this.#again = this.#scanning;
    if (this.#scanning || this.#stopped) return;
    this.#rescan ??= this.#options.clock.after(Math.max(SETTLE, this.#scanTime), () => void this.scan());
  }

  #noticed(folder: string, name: string | undefined, structure: boolean): void {
    const { prospector, isOwn } = this.#options;
    this.#events++;
    const path = name === undefined ? undefined : joined(folder, name);
    if (path !== undefined && isOwn(path)) return;
    const source = path === undefined ? undefined : prospector.source(path);
    if (source === undefined || structure) {
      if (path !== undefined) prospector.glimpse(path);
      this.#scanSoon();
    }
    if (source === undefined) return;
    // A file that is not open may be deleted in a moment.
    if (source.file === undefined) return prospector.noticed(source);
    this.#due.add(source);
    this.#lookSoon();
  }

  /** Looks at what has changed, some files at a time: a whole folder may have changed at once. */
  #lookSoon(): void {
    const { prospector, clock } = this.#options;
    this.#pace ??= clock.after(PACE, () => {
      this.#pace = undefined;
      for (const source of [...this.#due].slice(0, MOST_AT_ONCE)) {
        this.#due.delete(source);
        prospector.noticed(source);
      }
      if (this.#due.size > 0) this.#lookSoon();
    });
  }
}
