import { dirname } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { SerialQueue } from "../../base/serial-queue.ts";
import { factsAt } from "../model/content.ts";
import { OpenFile } from "../model/open-file.ts";
import { isUnread, type Source } from "../model/source.ts";
import { type Found, headOf, judge } from "./candidates.ts";
import { joined } from "./glob.ts";
import type { SourceIndex } from "./source-index.ts";
import { isArchive, Survey } from "./survey.ts";

/** A copy or archive of a file that vanished is looked for this long, outside the patterns too, in milliseconds. */
const SEEK = 60_000;
/** Folders below that of a log in which its copies are looked for, at most. */
const MOST_FOLDERS = 64;

export interface CopiesOptions {
  readonly index: SourceIndex;
  readonly clock: Clock;
  readonly log: Logger;
  /** The source goes on in the file that was found, which is open. */
  readonly adopt: (source: Source, found: Found) => void;
  /** No copy was found in time. */
  readonly abandoned: (source: Source) => void;
}

/**
 * Looks for what was truncated or deleted before it was read: copytruncate and compression leave it in a file beside, or
 * in a folder below, that no pattern need cover. Each folder is gone through once, whatever is looked for in it.
 */
export class Copies {
  readonly #options: CopiesOptions;
  /** Lost sources, and until when (milliseconds since the epoch) a copy of them is looked for. */
  readonly #sought = new Map<Source, number>();
  /** Files that are no such copy: their change time and size, and how many sources had been sought by then. */
  readonly #dismissed = new Map<string, string>();
  #generation = 0;
  #isDue = false;
  /** Files whose content was gone before it was read. */
  lostUnread = 0;

  constructor(options: CopiesOptions) {
    this.#options = options;
  }

  /** `source` has lost its file. */
  seek(source: Source): void {
    this.#sought.set(source, this.#options.clock.now() + SEEK);
    this.#generation++;
  }

  /** Looks in its turn, once, however often that is asked for meanwhile. */
  searchSoon(queue: SerialQueue): void {
    if (this.#isDue) return;
    this.#isDue = true;
    void queue.add(() => {
      this.#isDue = false;
      return this.search(new Survey(this.#options.clock));
    });
  }

  async search(survey: Survey): Promise<void> {
    const { index, clock } = this.#options;
    const folders = new Set<string>();
    for (const [source, end] of this.#sought) {
      if (!index.isLost(source)) this.#sought.delete(source);
      else if (clock.now() >= end) this.#abandon(source);
      else folders.add(dirname(source.last));
    }
    for (const folder of folders) await this.#searchFolder(folder, survey);
    if (this.#sought.size === 0) this.#dismissed.clear();
  }

  async #searchFolder(folder: string, survey: Survey): Promise<void> {
    const entries = survey.tree.entries(folder);
    const below = entries.filter(({ kind }) => kind === "folder").slice(0, MOST_FOLDERS);
    for (const { name, kind } of entries) if (kind === "other") await this.#compare(joined(folder, name), survey);
    for (const { name: inner } of below)
      for (const { name, kind } of survey.tree.entries(joined(folder, inner)))
        if (kind === "other") await this.#compare(joined(joined(folder, inner), name), survey);
  }

  async #compare(path: string, survey: Survey): Promise<void> {
    const { index } = this.#options;
    const isNamedLike = index.namedLike(path).some((source) => this.#sought.has(source));
    if (!isNamedLike && !index.knowsContents(path)) return;
    if (survey.isBreathless) await survey.breathe();
    const facts = factsAt(path);
    if (facts?.kind !== "file" || index.of(facts.identity) !== undefined) return;
    // A file that is being written changes several times in one tick of an older kernel's clock.
    const mark = `${facts.changed} ${facts.size} ${this.#generation}`;
    if (this.#dismissed.get(path) === mark) return;
    const file = openIfThere(path, facts.identity);
    if (file === undefined) return;
    try {
      await this.#judge({ name: path, path, facts, compressed: isArchive(path), file }, mark);
    } catch (error) {
      // A bad block in one file keeps no copy from being found in the others.
      file.close();
      this.#dismissed.set(path, mark);
      this.#options.log.warn(`looking for copies in '${path}': ${messageOf(error)}`);
    }
  }

  async #judge({ facts: { identity }, ...one }: Found, mark: string): Promise<void> {
    const { index, clock, log, adopt } = this.#options;
    const { path, file } = one;
    const found = { ...one, facts: file.facts() };
    const related = index.related(path, await headOf(found)).filter(({ source }) => this.#sought.has(source));
    const decision = related.length === 0 ? undefined : await judge(found, related, clock.now());
    if (decision?.kind === "adopt" && index.isLost(decision.source) && index.of(identity) === undefined) {
      log.info(`the rest of '${decision.source.name}' is in its copy '${path}'`);
      this.#sought.delete(decision.source);
      return adopt(decision.source, found);
    }
    file.close();
    if (decision?.kind !== "incomplete") this.#dismissed.set(path, mark);
  }

  #abandon(source: Source): void {
    const { log, abandoned } = this.#options;
    this.#sought.delete(source);
    if (isUnread(source) && !source.compressed) {
      this.lostUnread++;
      log.error(
        `'${source.name}' lost ${source.size - source.read} bytes before they were read: it was truncated or deleted, and no copy holds them`,
      );
    }
    abandoned(source);
  }
}

function openIfThere(path: string, identity: Source["identity"]): OpenFile | undefined {
  try {
    return OpenFile.at(path, identity);
  } catch {
    return undefined;
  }
}
