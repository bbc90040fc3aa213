import { readdirSync, realpathSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import { SerialQueue } from "../../base/serial-queue.ts";
import {
  FINGERPRINT_BYTES,
  type FileFacts,
  factsAt,
  holdsContent,
  readAt,
  sameFile,
  withOpen,
} from "../model/content.ts";
import type { FileGroup, ReadingSettings } from "../model/settings.ts";
import { type Identity, keyOf, type Source } from "../model/source.ts";
import { type Found, judge } from "./candidates.ts";
import { mayContinue, namesRelated } from "./continuation.ts";
import { glob, globMatches } from "./glob.ts";
import { newSource } from "./new-source.ts";
import { joined } from "./watcher.ts";

/** Broken archives are tried again when they change; said once they are this old, in milliseconds. */
const BROKEN_AFTER = 60_000;
/** Sources without a file that are remembered, at most: folders that make a file a second would fill the registry. */
const MOST_ORPHANS = 10_000;
/** A copy or archive of a file that vanished is looked for this long, outside the patterns too, in milliseconds. */
const SEEK = 60_000;

export interface ProspectorOptions {
  readonly groups: readonly FileGroup[];
  readonly reading: ReadingSettings;
  readonly forgetAfter: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** The source has, or may have, something to read. */
  readonly changed: (source: Source) => void;
  /** Its path no longer leads to it; `source.path` says where it lies now, if anywhere. */
  readonly detached: (source: Source) => void;
  /** What the registry holds of the sources has changed. */
  readonly recorded: () => void;
}

/** Finds files, knows them again however they are renamed, copied or replaced, and says which have changed. */
export class Prospector {
  readonly #options: ProspectorOptions;
  readonly #queue = new SerialQueue();
  /** Sources whose file is known, by device and inode. */
  readonly #byKey = new Map<string, Source>();
  readonly #byPath = new Map<string, Source>();
  /** Sources without a file: a copy or an archive of them may appear. */
  readonly #orphans = new Set<Source>();
  /** Paths that are not followed, with the change time and the reason: not asked again until they change. */
  readonly #refused = new Map<string, string>();
  readonly #told = new Set<string>();
  #folders = new Set<string>();
  #restored = new Set<Source>();
  /** Where the paths of the patterns led at the last scan. */
  readonly #leads = new Map<string, Source>();
  /** Sources that vanished, and until when (milliseconds since the epoch) a copy of them is looked for. */
  readonly #sought = new Map<Source, number>();

  constructor(options: ProspectorOptions) {
    this.#options = options;
  }

  /** Everything that the registry should hold. */
  *sources(): Generator<Source> {
    yield* this.#byKey.values();
    yield* this.#orphans;
  }

  /** Folders in which something of interest may happen. */
  get folders(): ReadonlySet<string> {
    return this.#folders;
  }

  /** The index of the `files` entry that covers a path; -1 when none does. */
  groupOf(path: string): number {
    return this.#options.groups.findIndex(
      ({ paths, exclude }) =>
        paths.some((pattern) => globMatches(pattern, path)) && !exclude.some((pattern) => globMatches(pattern, path)),
    );
  }

  /** Takes over what the registry knew, before the first scan. */
  restore(sources: Iterable<Source>): void {
    // Two entries of one inode: it was truncated, and the one without a path is what was there before.
    const placed = [...sources].sort((a, b) => Number(a.path === undefined) - Number(b.path === undefined));
    for (const source of placed) {
      const key = keyOf(source.identity);
      if (this.#byKey.has(key)) {
        this.#orphans.add(source);
        this.#sought.set(source, this.#options.clock.now() + SEEK);
      } else {
        this.#byKey.set(key, source);
        this.#restored.add(source);
      }
    }
  }

  source(path: string): Source | undefined {
    return this.#byPath.get(path);
  }

  /** Looks at everything once. Scans do not overlap. */
  scan(first: boolean): Promise<void> {
    return this.#queue.add(() => this.#scan(first));
  }

  /**
   * The content of `source` was truncated or replaced in the file `identity`: it begins anew there, and its rest is looked
   * for. A scan may have noticed it first, and the source goes on in a copy by now.
   */
  replaced(source: Source, identity: Identity): Promise<void> {
    return this.#queue.add(async () => {
      if (source.identity === identity) await this.#replaced(source);
    });
  }

  /** The file of `source` was deleted, and is read to its end. */
  gone(source: Source): void {
    this.#detach(source);
  }

  async #scan(first: boolean): Promise<void> {
    const { groups } = this.#options;
    const seen = new Set<Source>();
    const fresh: { found: Found; group: number }[] = [];
    const folders = new Set<string>();
    const paths = new Set<string>();
    for (const [group, { paths: patterns, exclude }] of groups.entries()) {
      for (const pattern of patterns) {
        if (pattern === "-") continue;
        const result = glob(pattern);
        for (const folder of result.folders) folders.add(folder);
        for (const path of result.paths) {
          if (paths.has(path) || exclude.some((one) => globMatches(one, path))) continue;
          paths.add(path);
          this.#look(path, group, seen, fresh);
        }
      }
    }
    this.#folders = new Set([...folders].map(realPath));
    for (const source of this.#byKey.values()) if (source.path !== undefined) this.#folders.add(dirname(source.path));
    for (const source of [...this.#byKey.values()]) if (!seen.has(source)) this.#unseen(source);
    this.#restored.clear();
    for (const { found, group } of fresh) await this.#consider(found, group, first);
    for (const [source, end] of this.#sought) {
      if (this.#orphans.has(source)) await this.#seekCopy(source);
      if (!this.#orphans.has(source) || this.#options.clock.now() >= end) this.#sought.delete(source);
    }
    this.#forget(paths);
  }

  #look(path: string, group: number, seen: Set<Source>, fresh: { found: Found; group: number }[]): void {
    const facts = factsAt(path);
    if (facts === undefined || facts.kind === "directory") return;
    if (facts.kind !== "file")
      return this.#tellOnce(path, `not following '${path}': it is a ${facts.kind}, not a file`);
    const source = this.#byKey.get(keyOf(facts.identity));
    if (source !== undefined && seen.has(source)) return;
    const compressed = isArchive(path);
    if (source !== undefined && source.compressed === compressed && sameFile(source.identity, facts)) {
      seen.add(source);
      if (source.group < 0) source.group = group;
      // The real path is looked up only when something moved: it costs a system call per folder.
      if (this.#leads.get(path) !== source || source.path === undefined) {
        this.#leads.set(path, source);
        this.#place(source, realPath(path));
      }
      this.#update(source, facts);
      return;
    }
    if (source !== undefined) this.#detach(source);
    if (this.#refused.get(path) === facts.changed) return;
    fresh.push({ found: { name: path, path: realPath(path), facts, compressed }, group });
  }

  #update(source: Source, facts: FileFacts): void {
    const changed = facts.size !== source.size || facts.modified !== source.modified || this.#restored.has(source);
    source.size = facts.size;
    source.modified = facts.modified;
    if (changed || (!source.compressed && facts.size !== source.read)) this.#options.changed(source);
  }

  #place(source: Source, path: string | undefined): void {
    if (source.path === path && (path === undefined || this.#byPath.get(path) === source)) return;
    if (source.path !== undefined && this.#byPath.get(source.path) === source) this.#byPath.delete(source.path);
    source.path = path;
    if (path !== undefined) {
      source.last = path;
      this.#byPath.set(path, source);
    }
    this.#options.recorded();
  }

  /** A followed file that no pattern led to: renamed out of sight, or deleted. */
  #unseen(source: Source): void {
    const known = source.path === undefined ? undefined : factsAt(source.path);
    if (known !== undefined && sameFile(source.identity, known) && known.kind === "file") {
      this.#update(source, known);
      return;
    }
    const place = this.#locate(source);
    this.#place(source, place?.path);
    if (place !== undefined) {
      this.#update(source, place.facts);
      this.#options.detached(source);
    } else {
      this.#options.detached(source);
      this.#detach(source);
    }
  }

  /** Where the inode lies now, among the neighbours of where it lay. */
  #locate(source: Source): { path: string; facts: FileFacts } | undefined {
    for (const folder of new Set([dirname(source.last), dirname(source.name)])) {
      for (const name of namesIn(folder)) {
        const path = joined(folder, name);
        const facts = factsAt(path);
        if (facts?.kind === "file" && sameFile(source.identity, facts)) return { path, facts };
      }
    }
    return undefined;
  }

  #detach(source: Source): void {
    const key = keyOf(source.identity);
    if (this.#byKey.get(key) === source) this.#byKey.delete(key);
    this.#place(source, undefined);
    this.#orphans.add(source);
    source.touched = this.#options.clock.now();
    this.#sought.set(source, source.touched + SEEK);
    this.#options.recorded();
  }

  *#known(): Generator<{ source: Source; orphan: boolean }> {
    for (const source of this.#byKey.values()) yield { source, orphan: false };
    for (const source of this.#orphans) yield { source, orphan: true };
  }

  async #consider(found: Found, group: number, first: boolean): Promise<void> {
    const { clock, log } = this.#options;
    const now = clock.now();
    await this.#noticeReplaced(found.path);
    if (this.#byKey.has(keyOf(found.facts.identity))) return;
    const decision = await judge(found, this.#known(), now);
    switch (decision.kind) {
      case "new":
        this.#begin(found, group, first);
        return;
      case "adopt":
        log.info(`'${found.path}' continues '${decision.source.name}' at byte ${decision.source.read}`);
        this.#adopt(decision.source, found);
        return;
      case "incomplete":
        if (found.compressed && now - found.facts.modified > BROKEN_AFTER) {
          this.#refused.set(found.name, found.facts.changed);
          this.#tellOnce(found.name, `not following '${found.path}': it is not a whole gzip archive`);
        }
        return;
      case "hold":
    }
  }

  /**
   * Before a file is taken for new: does what rotation may have made it of still hold what we think? If it was truncated
   * and written anew unseen, the file may be a copy of what lies there now, and would be read in both places.
   */
  async #noticeReplaced(candidate: string): Promise<void> {
    for (const source of [...this.#byKey.values()]) {
      const { path, identity, compressed } = source;
      if (compressed || path === undefined || !namesRelated(path, candidate)) continue;
      if (withOpen(path, identity, (fd) => holdsContent(fd, source)) === false) await this.#replaced(source);
    }
  }

  #begin({ name, path, facts, compressed }: Found, group: number, first: boolean): void {
    const { groups, reading, clock, log } = this.#options;
    const settings = groups[group];
    const old = settings !== undefined && clock.now() - facts.modified > settings.ignoreOlder;
    if (compressed && (old || (first && reading.tail))) {
      this.#refused.set(name, facts.changed);
      return;
    }
    const source = withOpen(path, facts.identity, (fd) => {
      const head = readAt(fd, 0, FINGERPRINT_BYTES);
      const at = !compressed && (old || (first && reading.tail)) ? facts.size : 0;
      return newSource(name, facts, {
        group,
        compressed,
        head: compressed ? Buffer.alloc(0) : head,
        at,
        fd,
        now: clock.now(),
      });
    });
    if (source === undefined) {
      const now = factsAt(path);
      if (now !== undefined && sameFile(facts.identity, now))
        this.#tellOnce(name, `cannot read '${name}': make it readable for this user`);
      return;
    }
    if (old) log.verbose(1, `'${name}' is older than 'ignore older': only what is added is shipped`);
    else log.info(`following '${name}'${source.read > 0 ? ` from byte ${source.read}` : ""}`);
    this.#told.delete(name);
    this.#attach(source, path);
  }

  #attach(source: Source, path: string): void {
    this.#byKey.set(keyOf(source.identity), source);
    this.#place(source, path);
    this.#options.recorded();
    this.#options.changed(source);
  }

  #adopt(source: Source, { path, facts, compressed }: Found): void {
    this.#orphans.delete(source);
    const key = keyOf(source.identity);
    if (this.#byKey.get(key) === source) this.#byKey.delete(key);
    source.identity = facts.identity;
    source.compressed = compressed;
    source.size = facts.size;
    source.modified = facts.modified;
    this.#attach(source, path);
    this.#options.detached(source);
  }

  async #replaced(source: Source): Promise<void> {
    const { name, path, identity, group } = source;
    const { clock, log } = this.#options;
    if (this.#byKey.get(keyOf(identity)) !== source) return;
    this.#detach(source);
    const facts = path === undefined ? undefined : factsAt(path);
    if (path !== undefined && facts !== undefined && sameFile(identity, facts)) {
      log.info(`'${path}' was truncated or replaced: reading it from its beginning`);
      const fresh = withOpen(path, facts.identity, (fd) =>
        newSource(name, facts, {
          group,
          compressed: isArchive(path),
          head: readAt(fd, 0, FINGERPRINT_BYTES),
          at: 0,
          fd,
          now: clock.now(),
          hole: true,
        }),
      );
      if (fresh !== undefined) this.#attach(fresh, path);
    }
    await this.#seekCopy(source);
  }

  /** copytruncate: what was not read before the truncation lies in a copy beside it. */
  async #seekCopy(source: Source): Promise<void> {
    const folder = dirname(source.last);
    for (const name of namesIn(folder)) {
      const path = joined(folder, name);
      if (!this.#orphans.has(source) || basename(source.last) === name || !mayContinue(source, path)) continue;
      const facts = factsAt(path);
      if (facts?.kind !== "file" || this.#byKey.has(keyOf(facts.identity))) continue;
      const found = { name: path, path, facts, compressed: isArchive(path) };
      const decision = await judge(found, [{ source, orphan: true }], this.#options.clock.now());
      if (decision.kind === "adopt") {
        this.#options.log.info(`the rest of '${source.name}' is in its copy '${path}'`);
        this.#adopt(source, found);
      }
    }
  }

  #forget(paths: ReadonlySet<string>): void {
    const { clock, forgetAfter } = this.#options;
    for (const source of this.#orphans) {
      if (clock.now() - source.touched < forgetAfter && this.#orphans.size <= MOST_ORPHANS) continue;
      this.#orphans.delete(source);
      this.#options.recorded();
    }
    for (const path of this.#leads.keys()) if (!paths.has(path)) this.#leads.delete(path);
    for (const path of this.#refused.keys()) if (!paths.has(path)) this.#refused.delete(path);
    for (const path of this.#told) if (!paths.has(path)) this.#told.delete(path);
  }

  #tellOnce(path: string, message: string): void {
    if (this.#told.has(path)) return;
    this.#told.add(path);
    this.#options.log.warn(message);
  }
}

function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path;
  }
}

const isArchive = (path: string): boolean => path.endsWith(".gz");

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
