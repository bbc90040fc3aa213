import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import { Glob, Tree } from "./discovery/glob.ts";
import { Lookout } from "./discovery/lookout.ts";
import { lanesOf } from "./discovery/overlap.ts";
import { Prospector } from "./discovery/prospector.ts";
import { barredFolder } from "./discovery/survey.ts";
import { factsAt } from "./model/content.ts";
import type { FileGroup, Settings } from "./model/settings.ts";
import type { Source } from "./model/source.ts";
import type { Descriptors } from "./reading/descriptors.ts";

export interface LanesOptions {
  readonly settings: Settings;
  readonly descriptors: Descriptors;
  readonly clock: Clock;
  readonly log: Logger;
  readonly isOwn: (path: string) => boolean;
  readonly changed: (source: Source) => void;
  readonly abandoned: (source: Source) => void;
  readonly recorded: () => void;
}

interface Lane {
  readonly prospector: Prospector;
  readonly lookout: Lookout;
}

const isFolder = (path: string): boolean => factsAt(path)?.kind === "directory";

/** Where something that was followed before belongs now. */
export interface Belonging {
  /** Index of the `files` entry; -1 when none covers it any more. */
  readonly group: number;
  /** Which of the entries that name the file it is, from 0. */
  readonly entry: number;
}

/**
 * Finding, once for each set of `files` entries that never name the same file: a file that two entries name is followed in
 * two lanes, with a position in each, as if each entry were alone.
 */
export class Lanes {
  readonly #lanes: readonly Lane[];
  /** The lane of each entry. */
  readonly #ofGroup: readonly number[];
  readonly #files: readonly FileGroup[];
  readonly #log: Logger;

  constructor({ settings, isOwn, clock, log, ...options }: LanesOptions) {
    const { files, reading, registry } = settings;
    [this.#files, this.#log] = [files, log];
    this.#ofGroup = lanesOf(files);
    this.#lanes = Array.from({ length: Math.max(0, ...this.#ofGroup) + 1 }, (_, index) => {
      const prospector = new Prospector({
        ...options,
        // The other entries keep their place, without a path: an index means the same everywhere.
        groups: files.map((file, group) => (this.#ofGroup[group] === index ? file : { ...file, paths: [] })),
        reading,
        forgetAfter: registry.forgetAfter,
        isOwn,
        clock,
        log,
        entryOf: (path) => this.#lanes.slice(0, index).filter((lane) => lane.prospector.groupOf(path) >= 0).length,
      });
      return {
        prospector,
        lookout: new Lookout({ prospector, scanInterval: reading.scanInterval, isOwn, clock, log }),
      };
    });
  }

  /**
   * Where what is known under `name` belongs: to every entry that names it so; when there is none, to those that cover the
   * `path` where it lies. Another entry may know the same file by another name.
   */
  belongings(name: string, path: string | undefined): Belonging[] {
    const covering = (one: string): Belonging[] =>
      this.#lanes
        .map(({ prospector }) => prospector.groupOf(one))
        .filter((group) => group >= 0)
        .map((group, entry) => ({ group, entry }));
    const found = covering(name);
    if (found.length === 0 && path !== undefined) found.push(...covering(path));
    return found.length > 0 ? found : [{ group: -1, entry: 0 }];
  }

  /** Takes over what was followed before. */
  restore(sources: readonly Source[]): void {
    for (const [index, { prospector }] of this.#lanes.entries())
      prospector.restore(sources.filter((source) => this.#indexOf(source) === index));
  }

  /** Looks at everything for the first time, and with `watch` from now on. */
  async start(watch: boolean): Promise<void> {
    for (const { lookout } of this.#lanes) await lookout.start(watch);
    this.#tellUnmatched();
    this.#tellDoubled();
  }

  async scan(): Promise<void> {
    await Promise.all(this.#lanes.map(({ lookout }) => lookout.scan()));
  }

  stop(): void {
    for (const { lookout } of this.#lanes) lookout.stop();
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map(({ prospector }) => prospector.close()));
  }

  tick(): void {
    for (const { prospector } of this.#lanes) prospector.tick();
  }

  *sources(): Generator<Source> {
    for (const { prospector } of this.#lanes) yield* prospector.sources();
  }

  get lostUnread(): number {
    return this.#lanes.reduce((sum, { prospector }) => sum + prospector.lostUnread, 0);
  }

  get missed(): number {
    return this.#lanes.reduce((sum, { prospector }) => sum + prospector.missed, 0);
  }

  admit(source: Source): void {
    this.#prospectorOf(source).admit(source);
  }

  replaced(source: Source): void {
    this.#prospectorOf(source).replaced(source);
  }

  gone(source: Source): void {
    this.#prospectorOf(source).gone(source);
  }

  #indexOf({ group }: Source): number {
    return this.#ofGroup[group] ?? 0;
  }

  #prospectorOf(source: Source): Prospector {
    const lane = this.#lanes[this.#indexOf(source)] ?? this.#lanes[0];
    if (lane === undefined) throw new Error("there is a lane for every entry");
    return lane.prospector;
  }

  #tellUnmatched(): void {
    const tree = new Tree();
    const patterns = new Set(this.#files.flatMap(({ paths }) => paths).filter((path) => path !== "-"));
    for (const pattern of patterns) {
      const glob = new Glob(pattern);
      const isFile = (path: string): boolean => glob.matches(path) && !isFolder(path);
      if (this.#lanes.some(({ prospector }) => prospector.finds(isFile))) continue;
      const paths = [...glob.find(tree).paths];
      const [first] = paths;
      if (first === undefined) this.#tellOfNothing(pattern);
      else if (paths.every(isFolder))
        this.#log.warn(
          `'${pattern}' names no file, but the folder '${first}': to follow what lies in it, name '${first}/*'`,
        );
    }
  }

  #tellOfNothing(pattern: string): void {
    const barred = barredFolder(pattern);
    if (barred === undefined) this.#log.warn(`no file matches '${pattern}' yet`);
    else
      this.#log.error(
        `nothing is found for '${pattern}': this user may not look into '${barred}'; make it and those above it readable (chmod o+rx, or a group)`,
      );
  }

  /** Which files go out more than once. */
  #tellDoubled(): void {
    if (this.#lanes.length === 1) return;
    const [seen, twice] = [new Set<string>(), new Set<string>()];
    for (const { path } of this.sources()) if (path !== undefined) (seen.has(path) ? twice : seen).add(path);
    const [first] = twice;
    if (first !== undefined)
      this.#log.info(
        `'${first}'${twice.size > 1 ? ` and ${twice.size - 1} other files are` : " is"} named by several entries of 'files': shipped for each, with its fields`,
      );
  }
}
