import { lstat, statfs } from "node:fs/promises";
import type { Clock, Timer } from "../../base/clock.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { LeftMounts } from "./left-mounts.ts";
import { describeForecast, describeUsage, horizon, maxAllowedAge, roughDuration } from "./plan.ts";
import { apart, removalProblem, removeFolders } from "./removal.ts";
import { Schedule } from "./schedule.ts";

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
  readonly remove?: typeof removeFolders;
}

/** Figures for /metrics/snapshot. */
export interface CollectorFigures {
  readonly path_removals_succeeded: number;
  readonly path_removals_failed: number;
  readonly path_removals_pending: number;
  /** slave/executor_directory_max_allowed_age_secs */
  readonly max_allowed_age_secs: number;
}

/**
 * Folders that are deleted together: so many that looking for mounts in them costs little, so few that who takes a path
 * back does not wait for long.
 */
const BATCH = 256;
/** Folders whose age is looked at at once. */
const LOOKS_AT_ONCE = 16;

/** The part of the disk that is in use, root's reserve counted as free, as Mesos does. */
export async function diskUsageOf(folder: string): Promise<number> {
  const { blocks, bfree } = await statfs(folder);
  return blocks === 0 ? 0 : (blocks - bfree) / blocks;
}

/** Deletes the folders of what has ended: after the delay, or sooner when the disk fills. */
export class GarbageCollector {
  readonly #options: CollectorOptions;
  readonly #schedule = new Schedule();
  /** Those that are being deleted; each resolves when that is over. */
  readonly #removing = new Map<string, Promise<void>>();
  #timer: Timer | undefined;
  #round: Promise<void> = Promise.resolve();
  #allowedAge: number;
  #succeeded = 0;
  #failed = 0;
  readonly #stop = new AbortController();
  readonly #leftMounts: LeftMounts;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#leftMounts = new LeftMounts(options.log, options.workDir);
    this.#allowedAge = maxAllowedAge(options.delay, options.headroom, 0);
    this.#next();
  }

  get figures(): CollectorFigures {
    return {
      path_removals_succeeded: this.#succeeded,
      path_removals_failed: this.#failed,
      path_removals_pending: this.#schedule.size + this.#removing.size,
      max_allowed_age_secs: this.#allowedAge / 1000,
    };
  }

  /** What would be deleted now, and what next. */
  get forecast(): string {
    return describeForecast(this.#schedule, this.#options.clock.now(), this.#horizon());
  }

  /** Deletes `path` `delay` milliseconds from now, or when the disk needs it. A second call sets a new time. */
  schedule(path: string, delay = this.#options.delay): void {
    if (this.#removing.has(path)) return;
    this.#options.log.info(`Scheduling '${path}' for gc ${roughDuration(Math.max(0, delay))} in the future`);
    this.#schedule.set(path, this.#options.clock.now() + Math.max(0, delay));
  }

  /**
   * Schedules by the age of each folder itself: the delay counts from its last change. A missing folder is fine. A few
   * at a time: an agent that comes back may find 100,000.
   */
  async scheduleByAge(paths: Iterable<string>): Promise<void> {
    const rest = paths[Symbol.iterator]();
    const work = async (): Promise<void> => {
      for (let next = rest.next(); next.done !== true; next = rest.next()) await this.#scheduleByAge(next.value);
    };
    await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, work));
  }

  async #scheduleByAge(path: string): Promise<void> {
    try {
      const { mtimeMs } = await lstat(path);
      this.schedule(path, this.#options.delay - (this.#options.clock.now() - mtimeMs));
    } catch (error) {
      if (codeOf(error) !== "ENOENT") this.#options.log.error(`Scheduling '${path}' for gc: ${messageOf(error)}`);
    }
  }

  /** Takes the path back. Resolves when it is certain not to be deleted any more: true when it had been scheduled. */
  async unschedule(path: string): Promise<boolean> {
    const removing = this.#removing.get(path);
    if (removing !== undefined) {
      await removing;
      return true;
    }
    if (!this.#schedule.delete(path)) return false;
    this.#options.log.info(`Unscheduling '${path}' from gc`);
    return true;
  }

  /** Looks at the disk and deletes what is due. Resolves when that is done. */
  collect(): Promise<void> {
    this.#round = this.#round.then(() => this.#collect());
    return this.#round;
  }

  /** Stops looking and deleting; resolves when no deletion is under way. */
  async close(): Promise<void> {
    this.#stop.abort(new Error("the agent stops"));
    this.#timer?.cancel();
    await this.#round;
  }

  #horizon(): number {
    return horizon(this.#options.clock.now(), this.#options.delay, this.#allowedAge);
  }

  async #collect(): Promise<void> {
    await this.#look();
    const until = this.#horizon();
    // What ends meanwhile is for the next round, which looks at the disk again.
    let left = this.#schedule.forecast(until).due;
    if (this.#options.dryRun === true) return this.#talk(until);
    while (left > 0 && !this.#stop.signal.aborted) {
      const batch = this.#schedule.take(until, Math.min(left, BATCH)).map(({ path }) => path);
      if (batch.length === 0) return;
      left -= batch.length;
      const removing = this.#removeBatch(batch).finally(() => {
        for (const path of batch) this.#removing.delete(path);
      });
      for (const path of batch) this.#removing.set(path, removing);
      await removing;
    }
  }

  async #look(): Promise<void> {
    const { log, delay, headroom, workDir, usage = () => diskUsageOf(workDir) } = this.#options;
    try {
      const used = await usage();
      this.#allowedAge = maxAllowedAge(delay, headroom, used);
      log.verbose(1, describeUsage(used, this.#allowedAge));
      if (this.#schedule.size > 0) log.verbose(1, this.forecast);
    } catch (error) {
      log.error(`Looking at the disk of '${workDir}': ${messageOf(error)}`);
    }
    try {
      await this.#leftMounts.look(() => this.#schedule.paths());
    } catch (error) {
      log.error(`Looking for what is mounted in sandboxes: ${messageOf(error)}`);
    }
  }

  /** A dry run. It takes a breath after each batch: it may have much to say. */
  async #talk(until: number): Promise<void> {
    let told = 0;
    for (const { path } of [...this.#schedule.dueAt(until)]) {
      this.#options.log.info(`Would delete '${path}' (dry run)`);
      if (++told % BATCH === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Never rejects. What lies in another one of them goes with it, and is looked for itself only when that could not. */
  async #removeBatch(batch: readonly string[]): Promise<void> {
    const { outermost, inner } = apart(batch);
    const left = await this.#removeApart(outermost);
    const gone: string[] = [];
    const rest: string[] = [];
    for (const [path, outer] of inner) (left.has(outer) ? rest : gone).push(path);
    for (const path of gone) this.#options.log.info(`Deleting ${path}`);
    for (const path of gone) this.#gone(path);
    if (rest.length > 0) await this.#removeBatch(rest);
  }

  /** Folders none of which lies in another. Resolves with those that are still there. */
  async #removeApart(paths: readonly string[]): Promise<ReadonlySet<string>> {
    const { clock, log, workDir, remove = removeFolders } = this.#options;
    const ways = new Map<string, Promise<string | undefined>>();
    const problems = await Promise.all(paths.map((path) => removalProblem(workDir, path, ways)));
    const why = new Map<string, string>();
    const allowed = paths.filter((path, index) => {
      const problem = problems[index];
      if (problem !== undefined) why.set(path, problem);
      return problem === undefined;
    });
    for (const path of allowed) log.info(`Deleting ${path}`);
    try {
      const limits = { signal: this.#stop.signal, now: () => clock.monotonic() };
      if (allowed.length > 0) for (const [path, reason] of await remove(allowed, log, limits)) why.set(path, reason);
    } catch (error) {
      for (const path of allowed) why.set(path, messageOf(error));
    }
    for (const path of paths) {
      const reason = why.get(path);
      if (reason === undefined) this.#gone(path);
      else this.#gaveUp(path, reason);
    }
    return new Set(why.keys());
  }

  #gone(path: string): void {
    this.#succeeded++;
    this.#options.log.info(`Deleted '${path}'`);
    this.#options.removed?.(path);
  }

  /** It is tried again after the next start, when recovery schedules everything anew. */
  #gaveUp(path: string, why: string): void {
    this.#failed++;
    this.#options.log.error(`Failed to delete '${path}': ${why}`);
  }

  #next(): void {
    if (this.#stop.signal.aborted) return;
    const { clock, interval } = this.#options;
    this.#timer = clock.after(interval, () => void this.collect().finally(() => this.#next()));
  }
}
