import { accessSync, constants, realpathSync } from "node:fs";
import { type Clock, sleep } from "../../base/clock.ts";
import { codeOf } from "../../base/errors.ts";
import { onDisk, pathOf } from "../../base/file-names.ts";
import { type FileFacts, factsAt } from "../model/content.ts";
import type { FileGroup } from "../model/settings.ts";
import { keyOf, type Source } from "../model/source.ts";
import { Glob, joined, Tree } from "./glob.ts";

/** A scan lets others have their turn after so many milliseconds, for as long: reading goes through many turns a file. */
const SLICE = 8;

/** The patterns of the `files` entries, understood once. */
export class Patterns {
  readonly #groups: readonly { readonly include: readonly Glob[]; readonly exclude: readonly Glob[] }[];

  constructor(groups: readonly Pick<FileGroup, "paths" | "exclude">[]) {
    this.#groups = groups.map(({ paths, exclude }) => ({
      include: paths.filter((path) => path !== "-").map((path) => new Glob(path)),
      exclude: exclude.map((path) => new Glob(path)),
    }));
  }

  /** The index of the first entry that covers a path; -1 when none does. */
  groupOf(path: string): number {
    return this.#groups.findIndex(
      ({ include, exclude }) => include.some((one) => one.matches(path)) && !exclude.some((one) => one.matches(path)),
    );
  }

  /** Every path that an entry covers now, once, with the index of the first such entry. */
  find(tree: Tree): { paths: Map<string, number>; folders: Set<string> } {
    const [paths, folders] = [new Map<string, number>(), new Set<string>()];
    for (const [group, { include, exclude }] of this.#groups.entries()) {
      for (const pattern of include) {
        const result = pattern.find(tree);
        for (const folder of result.folders) folders.add(folder);
        for (const path of result.paths)
          if (!paths.has(path) && !exclude.some((one) => one.matches(path))) paths.set(path, group);
      }
    }
    return { paths, folders };
  }
}

/** One look at everything: folders are listed once, and an index by inode is made of a folder only if it is asked for. */
export class Survey {
  readonly tree = new Tree();
  readonly #clock: Clock;
  readonly #indexes = new Map<string, Map<string, { path: string; facts: FileFacts }>>();
  #since: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  /** Asked between two files: whether to breathe. To await each time would make more garbage than the looks do. */
  get isBreathless(): boolean {
    return this.#clock.monotonic() - this.#since >= SLICE;
  }

  /** Signals, acknowledgements and reading are not kept waiting by a large folder. */
  async breathe(): Promise<void> {
    await sleep(this.#clock, SLICE);
    this.#since = this.#clock.monotonic();
  }

  /** Where the file of `source` lies now, if it is in one of `folders`. */
  locate(source: Source, folders: Iterable<string>): { path: string; facts: FileFacts } | undefined {
    for (const folder of folders) {
      const found = this.#indexOf(folder).get(keyOf(source.identity));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #indexOf(folder: string): Map<string, { path: string; facts: FileFacts }> {
    let index = this.#indexes.get(folder);
    if (index === undefined) {
      index = new Map();
      for (const { name, kind } of this.tree.entries(folder)) {
        if (kind !== "other") continue;
        const path = joined(folder, name);
        const facts = factsAt(path);
        if (facts?.kind === "file") index.set(keyOf(facts.identity), { path, facts });
      }
      this.#indexes.set(folder, index);
    }
    return index;
  }
}

/** The folder in which a pattern's first names are looked for, if this user may not look there. */
export function barredFolder(pattern: string): string | undefined {
  const segments = pattern.split("/");
  const first = segments.findIndex((segment) => /[*?[{\\]/.test(segment));
  const folder = segments.slice(0, first).join("/") || "/";
  try {
    accessSync(onDisk(folder), first === -1 ? constants.X_OK : constants.R_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return codeOf(error) === "EACCES" ? folder : undefined;
  }
}

/** A path with links resolved, as far as it leads anywhere. */
export function realPath(path: string): string {
  try {
    return pathOf(realpathSync.native(onDisk(path), "buffer"));
  } catch {
    return path;
  }
}

/** Whether the name says that it is a gzip archive. */
export const isArchive = (path: string): boolean => path.endsWith(".gz");
