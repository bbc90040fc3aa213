import { lstat, statfs } from "node:fs/promises";
import type { Clock, Timer } from "../../base/clock.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { describeForecast, describeUsage, due, maxAllowedAge, roughDuration, type Scheduled } from "./plan.ts";
import { removalProblem, removeFolders } from "./removal.ts";

export interface CollectorOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Nothing outside it is ever deleted. */
  readonly workDir: string;
  /** `--gc_delay`, milliseconds. */
  readonly delay: number;
  /** `--gc_disk_headroom`, 0 to 1. */
  readonly headroom: number;
  /** `--disk_watch_interval`, milliseconds. */
  readonly interval: number;
  /** Only says what it would delete. */
  readonly dryRun?: boolean;
  /** A folder is gone: its sandbox is no longer served. */
  readonly removed?: (path: string) => void;
  /** 0 to 1; the disk of the work_dir unless a test says otherwise. */
  readonly usage?: () => Promise<number>;
  readonly remove?: (paths: readonly string[]) => Promise<ReadonlyMap<string, string>>;
}

/** Figures for /metrics/snapshot. */
export interface CollectorFigures {
  readonly path_removals_succeeded: number;
  readonly path_removals_failed: number;
  readonly path_removals_pending: number;
  /** slave/executor_directory_max_allowed_age_secs */
  readonly max_allowed_age_secs: number;
}

interface Entry extends Scheduled {
  /** Set while it is being deleted; resolves when that is over. */
  removing: Promise<void> | undefined;
}

/** Folders that one rm(1) deletes; one runs at a time, so that tasks keep the disk. */
const BATCH = 64;

/** The part of the disk that is in use, root's reserve counted as free, as Mesos does. */
export async function diskUsageOf(folder: string): Promise<number> {
  const { blocks, bfree } = await statfs(folder);
  return blocks === 0 ? 0 : (blocks - bfree) / blocks;
}

/** Deletes the folders of what has ended: after the delay, or sooner when the disk fills. */
export class GarbageCollector {
  readonly #options: CollectorOptions;
  readonly #entries = new Map<string, Entry>();
  #timer: Timer | undefined;
  #work: Promise<void> = Promise.resolve();
  #allowedAge: number;
  #succeeded = 0;
  #failed = 0;
  #isClosed = false;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#allowedAge = maxAllowedAge(options.delay, options.headroom, 0);
    this.#next();
  }

  get figures(): CollectorFigures {
    return {
      path_removals_succeeded: this.#succeeded,
      path_removals_failed: this.#failed,
      path_removals_pending: this.#entries.size,
      max_allowed_age_secs: this.#allowedAge / 1000,
    };
  }

  /** What would be deleted now, and what next. */
  get forecast(): string {
    return describeForecast(this.#entries.values(), this.#options.clock.now(), this.#options.delay, this.#allowedAge);
  }

  /** Deletes `path` `delay` milliseconds from now, or when the disk needs it. A second call sets a new time. */
  schedule(path: string, delay = this.#options.delay): void {
    const present = this.#entries.get(path);
    if (present?.removing !== undefined) return;
    this.#options.log.info(`Scheduling '${path}' for gc ${roughDuration(Math.max(0, delay))} in the future`);
    this.#entries.set(path, { path, removeAt: this.#options.clock.now() + Math.max(0, delay), removing: undefined });
  }

  /** Schedules by the age of the folder itself: the delay counts from its last change. A missing folder is fine. */
  async scheduleByAge(path: string): Promise<void> {
    try {
      const { mtimeMs } = await lstat(path);
      this.schedule(path, this.#options.delay - (this.#options.clock.now() - mtimeMs));
    } catch (error) {
      if (codeOf(error) !== "ENOENT") this.#options.log.error(`Scheduling '${path}' for gc: ${messageOf(error)}`);
    }
  }

  /** Takes the path back. Resolves when it is certain not to be deleted any more: true when it had been scheduled. */
  async unschedule(path: string): Promise<boolean> {
    const entry = this.#entries.get(path);
    if (entry === undefined) return false;
    if (entry.removing !== undefined) await entry.removing;
    else {
      this.#options.log.info(`Unscheduling '${path}' from gc`);
      this.#entries.delete(path);
    }
    return true;
  }

  /** Looks at the disk and deletes what is due. Resolves when that is done. */
  async collect(): Promise<void> {
    const { clock, log, delay, headroom, workDir, usage = () => diskUsageOf(workDir), dryRun } = this.#options;
    try {
      const used = await usage();
      this.#allowedAge = maxAllowedAge(delay, headroom, used);
      log.verbose(1, describeUsage(used, this.#allowedAge));
      if (this.#entries.size > 0) log.verbose(1, this.forecast);
    } catch (error) {
      log.error(`Looking at the disk of '${workDir}': ${messageOf(error)}`);
    }
    const waiting = [...this.#entries.values()].filter(({ removing }) => removing === undefined);
    const going = due(waiting, clock.now(), delay, this.#allowedAge) as Entry[];
    if (dryRun === true) {
      for (const { path } of going) log.info(`Would delete '${path}' (dry run)`);
      return;
    }
    for (let start = 0; start < going.length; start += BATCH) this.#begin(going.slice(start, start + BATCH));
    await this.#work;
  }

  /** Stops looking; resolves when no deletion is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#work;
  }

  #begin(batch: readonly Entry[]): void {
    const done = this.#work.then(() => this.#removeBatch(batch));
    this.#work = done;
    for (const entry of batch) entry.removing = done;
  }

  async #removeBatch(batch: readonly Entry[]): Promise<void> {
    const { log, workDir, remove = removeFolders, removed } = this.#options;
    const allowed: Entry[] = [];
    for (const entry of batch) {
      const problem = this.#isClosed ? "the agent is stopping" : await removalProblem(workDir, entry.path);
      if (problem === undefined) allowed.push(entry);
      else this.#gaveUp(entry, problem);
    }
    if (allowed.length === 0) return;
    for (const { path } of allowed) log.info(`Deleting ${path}`);
    let left: ReadonlyMap<string, string>;
    try {
      left = await remove(allowed.map(({ path }) => path));
    } catch (error) {
      left = new Map(allowed.map(({ path }) => [path, messageOf(error)]));
    }
    for (const entry of allowed) {
      const why = left.get(entry.path);
      if (why !== undefined) {
        this.#gaveUp(entry, why);
        continue;
      }
      this.#succeeded++;
      this.#entries.delete(entry.path);
      log.info(`Deleted '${entry.path}'`);
      removed?.(entry.path);
    }
  }

  /** It is tried again after the next start, when recovery schedules everything anew. */
  #gaveUp(entry: Entry, why: string): void {
    this.#failed++;
    this.#entries.delete(entry.path);
    this.#options.log.error(`Failed to delete '${entry.path}': ${why}`);
  }

  #next(): void {
    if (this.#isClosed) return;
    const { clock, interval } = this.#options;
    this.#timer = clock.after(interval, () => void this.collect().finally(() => this.#next()));
  }
}
