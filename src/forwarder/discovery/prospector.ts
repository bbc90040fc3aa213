import { dirname } from "node:path";
import { SerialQueue } from "../../base/serial-queue.ts";
import { type FileFacts, factsAt, sameFile } from "../model/content.ts";
import { enter } from "../model/lifecycle.ts";
import type { OpenFile } from "../model/open-file.ts";
import { isUnread, type Source } from "../model/source.ts";
import type { Found } from "./candidates.ts";
import { Copies } from "./copies.ts";
import { Draining } from "./draining.ts";
import { Glimpses } from "./glimpses.ts";
import { Listing, UNWATCHED, type Watch } from "./listing.ts";
import { lookAt } from "./look.ts";
import { Missed } from "./missed.ts";
import { newSource } from "./new-source.ts";
import { type Fresh, Newcomers } from "./newcomers.ts";
import type { ProspectorOptions } from "./prospector-options.ts";
import { Refusals } from "./refusals.ts";
import { Resting } from "./resting.ts";
import { placedFirst, SourceIndex } from "./source-index.ts";
import { isArchive, Patterns, realPath, Survey } from "./survey.ts";

/**
 * Finds files and opens them, knows them again however they are renamed, copied or replaced, and says which have changed.
 * Whether anything is read meanwhile does not matter to it.
 */
export class Prospector {
  readonly #options: ProspectorOptions;
  readonly #queue = new SerialQueue();
  readonly #index = new SourceIndex();
  readonly #listing: Listing;
  readonly #copies: Copies;
  readonly #draining = new Draining();
  readonly #glimpses = new Glimpses();
  readonly #missed: Missed;
  readonly #refusals: Refusals;
  readonly #newcomers: Newcomers;
  /** Change times of files without a pattern when their names were looked for last. */
  readonly #placed = new WeakMap<Source, string>();
  #closed = false;
  #folders = new Set<string>();
  readonly #resting: Resting;
  /** Scans so far. */
  #scans = 0;
  readonly #restored = new Set<Source>();
  /** Where paths with links in them led at the last scan. */
  readonly #leads = new Map<string, Source>();

  constructor(options: ProspectorOptions) {
    this.#options = options;
    const { clock, log } = options;
    this.#listing = new Listing(new Patterns(options.groups), clock);
    this.#resting = new Resting(this.#listing);
    this.#refusals = new Refusals(log);
    this.#missed = new Missed(clock, log);
    this.#newcomers = new Newcomers({
      index: this.#index,
      refusals: this.#refusals,
      clock,
      log,
      groupOf: (path) => this.groupOf(path),
      lookAgain: (source) => this.changed(source),
      begin: (found, group, first) => this.#begin(found, group, first),
      adopt: (source, found) => this.#adopt(source, found),
    });
    this.#copies = new Copies({
      index: this.#index,
      clock,
      log,
      adopt: (source, found) => this.#adopt(source, found),
      abandoned: (source) => options.abandoned(source),
    });
  }

  /** Everything that the registry should hold. */
  sources(): Iterable<Source> {
    return this.#index.all();
  }

  /** Folders in which something of interest may happen. */
  get folders(): ReadonlySet<string> {
    return this.#folders;
  }

  /** Files whose content was gone before it was read. */
  get lostUnread(): number {
    return this.#copies.lostUnread;
  }

  /** The index of the `files` entry that covers a path; -1 when none does. */
  groupOf(path: string): number {
    return this.#listing.patterns.groupOf(path);
  }

  /** Whether the patterns led to such a path at the last scan. */
  finds(isOne: (path: string) => boolean): boolean {
    return this.#listing.names.paths.keys().some(isOne);
  }

  /** Files that were gone before they could be opened. */
  get missed(): number {
    return this.#missed.total;
  }

  /** Takes over what the registry knew, or what was followed before a reload, before the first scan. */
  restore(sources: Iterable<Source>): void {
    for (const source of placedFirst(sources)) {
      if (source.file === undefined && this.#index.of(source.identity) !== undefined) {
        enter(source, "gone");
        this.#index.lose(source);
        this.#copies.seek(source);
        continue;
      }
      const { file, path } = source;
      this.#index.add(source);
      this.#restored.add(source);
      if (file === undefined) continue;
      source.file = undefined;
      if (this.#options.descriptors.give(source, file) && path === undefined) this.#draining.add(source);
    }
  }

  source(path: string): Source | undefined {
    return this.#index.at(path);
  }

  /** Looks at everything once. Scans do not overlap. `watch` is told the folders before their files are looked at. */
  scan(first: boolean, watch = UNWATCHED): Promise<void> {
    return this.#queue.add(() => this.#scan(first, watch));
  }

  /** A name has appeared: what lies there is opened at once, and placed by the next scan. */
  glimpse(path: string): void {
    const { descriptors, isOwn } = this.#options;
    if (this.#closed || isOwn(path) || this.groupOf(path) === -1) return;
    const isKnown = (facts: FileFacts): boolean => {
      const source = this.#index.of(facts.identity);
      return source !== undefined && sameFile(source.identity, facts);
    };
    const hasRoom = descriptors.spare > this.#glimpses.size;
    this.#missed.notice(path, hasRoom && this.#glimpses.take(path, isKnown));
  }

  /** The kernel told that something happened to the file of `source`. */
  noticed(source: Source): void {
    this.#resting.told(source);
    this.changed(source);
  }

  /** Something may have happened to the file of `source`. */
  changed(source: Source): void {
    if (!this.#closed) this.#refusals.attempt(source.name, () => this.#changed(source));
  }

  #changed(source: Source): void {
    const { path, stage } = source;
    if (stage === "gone" || stage === "replaced") return;
    const facts = source.file === undefined && path !== undefined ? factsAt(path) : undefined;
    if (source.file !== undefined || (facts !== undefined && sameFile(source.identity, facts)))
      this.#attend(source, facts);
  }

  /** Files without a name are not watched by anybody: they are looked at now and then. */
  tick(): void {
    for (const source of this.#draining.current()) if (this.#index.of(source.identity) === source) this.changed(source);
  }

  /** There is a descriptor for a file that waited for one. */
  admit(source: Source): void {
    if (source.stage === "found") this.#refusals.attempt(source.name, () => this.#open(source));
  }

  /** The content of `source` was truncated or replaced: its file begins anew, and its rest is looked for. */
  replaced(source: Source): void {
    const file = this.#options.descriptors.take(source);
    if (file !== undefined) this.#refusals.attempt(source.name, () => this.#renew(source, file));
  }

  /** The file of `source` was deleted, and is read to its end. */
  gone(source: Source): void {
    this.#options.descriptors.release(source);
    this.#lose(source, "gone");
  }

  /** Nothing is looked for any more, and nothing is changed once it has resolved. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#glimpses.close();
    await this.#queue.drained();
    this.#glimpses.close();
  }

  async #scan(first: boolean, watch: Watch): Promise<void> {
    const survey = new Survey(this.#options.clock);
    const fresh: Fresh[] = [];
    this.#scans++;
    this.#listing.find(survey.tree, watch);
    const { names, folders } = this.#listing;
    this.#missed.scanned(names, (path) => this.#index.knewAt(path));
    this.#folders = new Set([...folders].map(realPath));
    watch.include(this.#folders);
    let index = 0;
    for (const [path, group] of names.paths) {
      if (this.#rests(path, index++)) continue;
      if (survey.isBreathless) await survey.breathe();
      if (this.#closed) return;
      if (!this.#options.isOwn(path)) this.#refusals.attempt(path, () => this.#look(path, group, fresh));
    }
    for (const source of [...this.#index.followed()]) {
      if (source.path !== undefined) this.#folders.add(this.#listing.folderOf(source.path));
      if (source.scan === this.#scans) continue;
      if (survey.isBreathless) await survey.breathe();
      if (this.#closed) return;
      this.#refusals.attempt(source.name, () => this.#unseen(source, survey));
    }
    this.#restored.clear();
    await this.#newcomers.considerAll(fresh, this.#glimpses.drain(), survey, first);
    await this.#copies.search(survey);
    this.#forget(names.paths);
    this.#listing.completed((path) => this.#index.at(path)?.path);
  }

  #rests(path: string, index: number): boolean {
    const source = this.#index.at(path);
    if (source === undefined || this.#restored.has(source) || !this.#resting.isAtRest(source, path, index))
      return false;
    source.scan = this.#scans;
    return true;
  }

  #look(path: string, group: number, fresh: Fresh[]): void {
    const facts = factsAt(path);
    if (facts === undefined || facts.kind === "directory") return;
    if (facts.kind !== "file")
      return this.#refusals.tellOnce(path, `not following '${path}': it is a ${facts.kind}, not a file`);
    const source = this.#index.of(facts.identity);
    if (source?.scan === this.#scans) return this.#refusals.shared(path, group, source);
    if (source !== undefined && source.compressed === isArchive(path) && sameFile(source.identity, facts)) {
      source.scan = this.#scans;
      if (source.group < 0) source.group = group;
      // The real path is looked up only when something moved: it costs a system call per folder.
      if (this.#index.at(path) === source) this.#leads.delete(path);
      else if (source.path === undefined || this.#leads.get(path) !== source) {
        this.#leads.set(path, source);
        this.#place(source, realPath(path));
      }
      if (source.stage === "draining") enter(source, "held");
      const before = { size: source.size, changed: source.changed };
      this.#attend(source, facts);
      if (!this.#restored.has(source)) this.#resting.looked(source, facts, before);
      return;
    }
    if (source !== undefined) this.gone(source);
    if (this.#refusals.isRefused(path, facts.changed)) return;
    const real = realPath(path);
    fresh.push({ name: real === path ? real : path, path: real, facts, group });
  }

  /** `facts`: what was just found at its path, where that was asked for. */
  #attend(source: Source, facts: FileFacts | undefined): void {
    const { descriptors, clock, changed } = this.#options;
    const { file } = source;
    if (file === undefined) {
      if (facts === undefined) return;
      const hasChanged = facts.size !== source.size || facts.modified !== source.modified;
      if (hasChanged)
        Object.assign(source, { size: facts.size, sizeTail: undefined, modified: facts.modified, ended: false });
      if (hasChanged || isUnread(source) || this.#restored.has(source)) this.#open(source);
      return;
    }
    const sight = lookAt(source, file, facts);
    if (sight === "replaced") return this.replaced(source);
    if (sight === "grown") {
      source.grown = clock.monotonic();
      descriptors.touched(source);
      this.#index.refresh(source);
    }
    if (sight !== "same" || source.stage === "held" || this.#restored.has(source)) changed(source);
  }

  #open(source: Source): void {
    if (source.group < 0) return;
    const opening = this.#options.descriptors.hold(source);
    if (opening.kind === "held") this.#attend(source, undefined);
    else if (opening.kind === "replaced") this.#renew(source, opening.file);
    else if (opening.kind === "failed")
      this.#refusals.failOnce(source.name, `cannot read '${source.name}': ${opening.reason}`);
  }

  #place(source: Source, path: string | undefined): void {
    if (source.path === path && (path === undefined || this.#index.at(path) === source)) return;
    this.#index.place(source, path);
    this.#options.recorded();
  }

  /** A followed file that no pattern led to: renamed out of sight, or deleted. */
  #unseen(source: Source, survey: Survey): void {
    if (source.stage === "gone" || source.stage === "replaced") return;
    if (source.file?.isStale) return this.gone(source);
    if (source.file !== undefined) return this.#drain(source, source.file, survey);
    const known = source.path === undefined ? undefined : factsAt(source.path);
    const isThere = known?.kind === "file" && sameFile(source.identity, known);
    const folders = new Set([dirname(source.last), dirname(source.name)]);
    const place =
      isThere && source.path !== undefined ? { path: source.path, facts: known } : survey.locate(source, folders);
    if (place === undefined || !sameFile(source.identity, place.facts)) return this.#lose(source, "gone");
    this.#place(source, place.path);
    this.#attend(source, place.facts);
  }

  /** An open file whose name is gone, or leads elsewhere. */
  #drain(source: Source, file: OpenFile, survey: Survey): void {
    const facts = file.facts();
    // A rename changes the time of the file itself: without one nothing has to be looked for again.
    if (source.stage === "draining" && this.#placed.get(source) === facts.changed) return;
    this.#placed.set(source, facts.changed);
    const isDeleted = facts.links === 0;
    const folders = [dirname(source.last)];
    this.#place(source, isDeleted ? undefined : (file.place() ?? survey.locate(source, folders)?.path));
    const isNew = source.stage !== "draining";
    this.#draining.add(source);
    this.#attend(source, undefined);
    if (isNew && source.file === file) this.#options.changed(source);
  }

  #lose(source: Source, stage: "gone" | "replaced"): void {
    const { clock, recorded } = this.#options;
    // What was open to the end is known to its end; of anything else a copy may hold more.
    const isKnown = source.stage === "draining" && stage === "gone" && !isUnread(source);
    enter(source, stage);
    this.#index.lose(source);
    source.touched = clock.now();
    if (!isKnown && source.group >= 0) this.#copies.seek(source);
    recorded();
  }

  #begin({ name, path, facts, compressed, file }: Found, group: number, first: boolean): void {
    const { groups, reading, clock, log } = this.#options;
    const settings = groups[group];
    const old = settings !== undefined && clock.now() - facts.modified > settings.ignoreOlder;
    const atEnd = old || (first && reading.tail);
    if (settings === undefined || (compressed && atEnd)) {
      this.#refusals.refuse(name, facts.changed);
      return file.close();
    }
    const at = atEnd ? facts.size : 0;
    const source = newSource(name, file, facts, {
      group,
      entry: this.#options.entryOf(name),
      compressed,
      at,
      now: clock.now(),
    });
    if (old) log.verbose(1, `'${name}' is older than 'ignore older': only what is added is shipped`);
    else log.info(`following '${name}'${at > 0 ? ` from byte ${at}` : ""}`);
    this.#refusals.followed(name);
    this.#attach(source, path, file);
  }

  /** `file` is that of `source` from now on. */
  #attach(source: Source, path: string, file: OpenFile): void {
    const { descriptors, changed, recorded } = this.#options;
    const isDeleted = file.facts().links === 0;
    this.#index.add(source);
    this.#index.place(source, isDeleted ? undefined : path);
    recorded();
    if (!descriptors.give(source, file)) return;
    if (isDeleted) this.#draining.add(source);
    changed(source);
  }

  #adopt(source: Source, { path, facts, compressed, file }: Found): void {
    enter(source, "found");
    this.#index.find(source);
    const { size, modified, identity } = facts;
    Object.assign(source, { identity, compressed, ended: false, size, sizeTail: undefined, modified, blankTo: 0 });
    this.#attach(source, path, file);
  }

  #renew(source: Source, file: OpenFile): void {
    const { name, path, group, entry } = source;
    const { log, clock } = this.#options;
    this.#lose(source, "replaced");
    log.info(`'${path ?? name}' was truncated or replaced: reading it from its beginning`);
    const begin = { group, entry, compressed: isArchive(path ?? name), at: 0, now: clock.now() };
    this.#copies.searchSoon(this.#queue);
    try {
      this.#attach(newSource(name, file, file.facts(), begin), path ?? source.last, file);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  #forget(paths: ReadonlyMap<string, number>): void {
    const { clock, forgetAfter, recorded } = this.#options;
    if (this.#index.forgetOld(clock.now() - forgetAfter)) recorded();
    for (const path of this.#leads.keys()) if (!paths.has(path)) this.#leads.delete(path);
    this.#refusals.keepOnly(paths);
  }
}
