import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { type FileFacts, factsAt, holdsContent, sameFile } from "../model/content.ts";
import { OpenFile } from "../model/open-file.ts";
import { keyOf, type Source } from "../model/source.ts";
import { type Found, headOf, judge } from "./candidates.ts";
import type { Glimpse } from "./glimpses.ts";
import type { Refusals } from "./refusals.ts";
import type { SourceIndex } from "./source-index.ts";
import { isArchive, type Survey } from "./survey.ts";

/** Broken archives are tried again when they change; said once they are this old, in milliseconds. */
const BROKEN_AFTER = 60_000;

/** Nothing of its content was seen yet. */
const isUnknown = ({ fingerprint, read }: Source): boolean => fingerprint.length === 0 && read === 0;

/**
 * Whether the file that lay at this path lies there still, but for the number of its device: what has no disk of its own (NFS,
 * overlayfs, Btrfs) gets another one each time it is mounted, and a disk may after a restart. An archive, whose content is not
 * compared, has to have its time of birth.
 */
function isRemounted({ identity, fingerprint, compressed }: Source, facts: FileFacts): boolean {
  const { device, born } = facts.identity;
  const isKnown = compressed ? born !== "0" && born === identity.born : fingerprint.length > 0;
  return isKnown && sameFile({ ...identity, device }, facts);
}

/** A path that leads to a file which is not followed. */
export interface Fresh {
  readonly name: string;
  readonly path: string;
  readonly facts: FileFacts;
  readonly group: number;
}

interface Unlisted {
  readonly one: Fresh;
  /** Nothing has its name any more. */
  readonly isGone: boolean;
}

/**
 * Adds `unlisted` to `fresh`, so that what may be a copy or an archive of another comes behind that: first what is gone again
 * already, then what was listed, then what came after the listing; archives last, as they are always made of something.
 */
export function inOrderOfOrigin(fresh: Fresh[], unlisted: readonly Unlisted[]): void {
  const of = (isGone: boolean): Fresh[] => unlisted.filter((each) => each.isGone === isGone).map(({ one }) => one);
  const all = [...of(true), ...fresh, ...of(false)];
  fresh.length = 0;
  for (const isLast of [false, true]) for (const one of all) if (isArchive(one.path) === isLast) fresh.push(one);
}

export interface NewcomersOptions {
  readonly index: SourceIndex;
  readonly refusals: Refusals;
  readonly clock: Clock;
  readonly log: Logger;
  /** The index of the `files` entry that covers a path. */
  readonly groupOf: (path: string) => number;
  /** The file of a source is looked at now. */
  readonly lookAgain: (source: Source) => void;
  /** The file is new. `first`: it was there when the program started. */
  readonly begin: (found: Found, group: number, first: boolean) => void;
  /** The source goes on in this file. */
  readonly adopt: (source: Source, found: Found) => void;
}

/** Opens files that are not followed, and finds out what they are: new, or where something goes on that was followed. */
export class Newcomers {
  readonly #options: NewcomersOptions;

  constructor(options: NewcomersOptions) {
    this.#options = options;
  }

  /** Empties `fresh`. `glimpsed`, by device and inode: files that were opened when they were noticed; all are used or closed. */
  async considerAll(fresh: Fresh[], glimpsed: Map<string, Glimpse>, survey: Survey, first: boolean): Promise<void> {
    try {
      const unlisted = this.#unlisted(fresh, glimpsed);
      inOrderOfOrigin(fresh, unlisted);
      const seenNow = new Set(unlisted.map(({ one }) => one));
      // What is known of a file that is followed now need not be known twice: ten thousand may be fresh at the start.
      fresh.reverse();
      for (let one = fresh.pop(); one !== undefined; one = fresh.pop()) {
        if (survey.isBreathless) await survey.breathe();
        const key = keyOf(one.facts.identity);
        const opened = glimpsed.get(key)?.file;
        // Those that are not placed yet are closed if something fails.
        glimpsed.delete(key);
        await this.#attempt(one, opened, first && !seenNow.has(one));
      }
    } finally {
      for (const { file } of glimpsed.values()) file.close();
    }
  }

  /** Files that were noticed, and that the listing of the folders has not: in the order in which they came. */
  #unlisted(fresh: readonly Fresh[], glimpsed: ReadonlyMap<string, Glimpse>): Unlisted[] {
    const listed = new Set(glimpsed.size === 0 ? [] : fresh.map(({ facts }) => keyOf(facts.identity)));
    const unlisted: Unlisted[] = [];
    for (const [key, { path, file }] of glimpsed) {
      if (listed.has(key)) continue;
      const [place, group] = [file.place(), this.#options.groupOf(path)];
      this.#options.refusals.attempt(path, () => {
        const one = { name: path, path: place ?? path, facts: file.facts(), group };
        unlisted.push({ one, isGone: place === undefined });
      });
    }
    return unlisted;
  }

  /** `opened`: its descriptor, if it was glimpsed. A file that cannot be read is said once, and keeps no other waiting. */
  async #attempt(one: Fresh, opened: OpenFile | undefined, first: boolean): Promise<void> {
    const { index, refusals } = this.#options;
    const { name, path, facts } = one;
    const file = index.of(facts.identity) === undefined ? (opened ?? this.#openFresh(name, path, facts)) : undefined;
    if (file === undefined) return opened?.close();
    try {
      await this.#consider(one, file, first);
    } catch (error) {
      // Unless it is followed by now.
      if (index.of(file.identity)?.file !== file) file.close();
      refusals.failOnce(name, `cannot read '${name}': ${messageOf(error)}`);
    }
  }

  async #consider({ name, path, facts, group }: Fresh, file: OpenFile, first: boolean): Promise<void> {
    const { index, refusals, clock, log, lookAgain, begin, adopt } = this.#options;
    const found: Found = { name, path, facts: file.facts(), compressed: isArchive(path), file };
    const former = this.#former(found);
    if (former !== undefined) return adopt(former, found);
    // What rotation may have made it of may have been truncated and written anew unseen: it is looked at first.
    for (const source of index.namedLike(path)) lookAgain(source);
    const related = index.related(path, await headOf(found));
    const empty = related.filter(({ source, orphan }) => !orphan && isUnknown(source));
    let decision = await judge(found, related, clock.now());
    // A log that was empty may have been written and copied since: it may be a copy of that.
    for (const { source } of decision.kind === "new" ? empty : []) lookAgain(source);
    if (empty.some(({ source }) => !isUnknown(source)))
      decision = await judge(found, index.related(path, await headOf(found)), clock.now());
    if (index.of(facts.identity) !== undefined) return file.close();
    if (decision.kind === "new") return begin(found, group, first);
    if (decision.kind === "adopt" && index.isLost(decision.source)) {
      log.info(`'${path}' continues '${decision.source.name}' at byte ${decision.source.read}`);
      return adopt(decision.source, found);
    }
    file.close();
    if (decision.kind === "incomplete" && clock.now() - facts.modified > BROKEN_AFTER) {
      refusals.refuse(name, facts.changed);
      refusals.tellOnce(name, `not following '${path}': it is not a whole gzip archive`);
    }
  }

  /** The source that this file was: it was renamed while a folder was listed, and missed there. */
  #former({ path, facts, file, compressed }: Found): Source | undefined {
    const isFormer = (source: Source): boolean =>
      source.stage === "gone" &&
      source.compressed === compressed &&
      (compressed || (facts.size >= source.read && holdsContent(file.fd, source)));
    const { index } = this.#options;
    for (const source of index.lostAt(keyOf(facts.identity)))
      if (sameFile(source.identity, facts) && isFormer(source)) return source;
    for (const source of index.lostFrom(path)) if (isRemounted(source, facts) && isFormer(source)) return source;
    return undefined;
  }

  #openFresh(name: string, path: string, facts: FileFacts): OpenFile | undefined {
    try {
      return OpenFile.at(path, facts.identity);
    } catch (error) {
      const now = factsAt(path);
      if (now !== undefined && sameFile(facts.identity, now))
        this.#options.refusals.failOnce(
          name,
          `cannot read '${name}': ${messageOf(error)}; make it readable for this user`,
        );
      return undefined;
    }
  }
}
