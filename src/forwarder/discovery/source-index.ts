import { basename, dirname } from "node:path";
import { hashOf } from "../model/content.ts";
import { type Identity, keyOf, type Source } from "../model/source.ts";
import type { Known } from "./candidates.ts";
import { isConvincing } from "./continuation.ts";

/** Sources by the length and hash of their fingerprint. */
type Contents = Map<number, Map<string, Set<Source>>>;

/** Sources without a file that are remembered, at most: folders that make a file a second would fill the registry. */
const MOST_LOST = 10_000;

/** Two entries of one inode: it was truncated, and the one without a path is what was there before. That comes last. */
export const placedFirst = (sources: Iterable<Source>): Source[] =>
  [...sources].sort(
    (a, b) =>
      Number(a.file === undefined) - Number(b.file === undefined) ||
      Number(a.path === undefined) - Number(b.path === undefined),
  );

/** One or several: nearly all names are those of one source, and a set for each would be half of what is kept here. */
type OneOrMore = Source | Set<Source>;

/** Where a source is listed: its last path, and the content of what has no name. */
type Listing = string | { readonly last: string; readonly length: number; readonly hash: string };

/**
 * Everything that is followed, so that what is looked for is found at once: by device and inode, by path, by the name that
 * a copy of it would have, and by its first bytes. No question costs more the more files there are.
 */
export class SourceIndex {
  /** Sources whose file is known, by device and inode. */
  readonly #byIdentity = new Map<string, Map<string, Source>>();
  readonly #byPath = new Map<string, Source>();
  /** Sources without a file, the oldest first: a copy or an archive of them may appear. */
  readonly #lost = new Set<Source>();
  readonly #lostByKey = new Map<string, Set<Source>>();
  /** Per folder and name: the sources that lie or lay there last. */
  readonly #byName = new Map<string, Map<string, OneOrMore>>();
  /** Per folder: those that have no name any more, by content. */
  readonly #byContent = new Map<string, Contents>();
  /** Where a source is listed in the two above. */
  readonly #listed = new Map<Source, Listing>();

  /** Everything that the registry should hold. */
  *all(): Generator<Source> {
    yield* this.followed();
    yield* this.#lost;
  }

  *followed(): Generator<Source> {
    for (const sources of this.#byIdentity.values()) yield* sources.values();
  }

  isLost(source: Source): boolean {
    return this.#lost.has(source);
  }

  /** Whose file this is, by device and inode. */
  of({ device, inode }: Identity): Source | undefined {
    return this.#byIdentity.get(device)?.get(inode);
  }

  at(path: string): Source | undefined {
    return this.#byPath.get(path);
  }

  /** Whether something lies at `path`, or lay there last. */
  knewAt(path: string): boolean {
    return this.#byName.get(dirname(path))?.has(basename(path)) ?? false;
  }

  /** Lost sources whose file had this device and inode: it was renamed while we looked elsewhere, or is another now. */
  lostAt(key: string): Iterable<Source> {
    return this.#lostByKey.get(key) ?? [];
  }

  /** Lost sources that lay at `path` last. */
  lostFrom(path: string): Source[] {
    const sources = each(this.#byName.get(dirname(path))?.get(basename(path)));
    return [...sources].filter((source) => this.#lost.has(source));
  }

  /** A lost source is found again: to be done before its identity changes. */
  find(source: Source): void {
    this.#lost.delete(source);
    outOf(this.#lostByKey, keyOf(source.identity), source);
  }

  /** The source is followed where it lies. */
  add(source: Source): void {
    const { device, inode } = source.identity;
    into(this.#byIdentity, device, () => new Map<string, Source>()).set(inode, source);
    if (source.path !== undefined) this.#byPath.set(source.path, source);
    this.refresh(source);
  }

  /** It lies at `path` now; undefined: nowhere. */
  place(source: Source, path: string | undefined): void {
    if (source.path !== undefined && this.#byPath.get(source.path) === source) this.#byPath.delete(source.path);
    source.path = path;
    if (path !== undefined) {
      source.last = path;
      this.#byPath.set(path, source);
    }
    this.refresh(source);
  }

  /** It has no file any more. */
  lose(source: Source): void {
    const { device, inode } = source.identity;
    if (this.of(source.identity) === source) this.#byIdentity.get(device)?.delete(inode);
    this.place(source, undefined);
    this.#lost.add(source);
    into(this.#lostByKey, keyOf(source.identity), () => new Set<Source>()).add(source);
  }

  /** Forgets those without a file that were touched last before `time`, and some of too many; true when there were such. */
  forgetOld(time: number): boolean {
    const before = this.#lost.size;
    for (const source of this.#lost) {
      if (source.touched > time && this.#lost.size <= MOST_LOST) continue;
      this.find(source);
      this.#unlist(source);
    }
    return this.#lost.size < before;
  }

  /** What is known of it has changed: its name, its fingerprint. */
  refresh(source: Source): void {
    const { last, fingerprint, path } = source;
    const listed = this.#listed.get(source);
    const nameless = path === undefined && isConvincing(source);
    const { length, hash } = fingerprint;
    if (nameless ? typeof listed === "object" && listed.last === last && listed.hash === hash : listed === last) return;
    this.#unlist(source);
    this.#listed.set(source, nameless ? { last, length, hash } : last);
    const folder = dirname(last);
    const names = into(this.#byName, folder, () => new Map<string, OneOrMore>());
    const name = basename(last);
    names.set(name, withSource(names.get(name), source));
    if (!nameless) return;
    const contents = into(this.#byContent, folder, () => new Map() as Contents);
    into(
      into(contents, length, () => new Map<string, Set<Source>>()),
      hash,
      () => new Set<Source>(),
    ).add(source);
  }

  #unlist(source: Source): void {
    const listed = this.#listed.get(source);
    if (listed === undefined) return;
    this.#listed.delete(source);
    const last = typeof listed === "string" ? listed : listed.last;
    const folder = dirname(last);
    const names = this.#byName.get(folder);
    const name = basename(last);
    const rest = withoutSource(names?.get(name), source);
    if (rest === undefined) names?.delete(name);
    else names?.set(name, rest);
    if (names?.size === 0) this.#byName.delete(folder);
    if (typeof listed === "string") return;
    const { length, hash } = listed;
    const contents = this.#byContent.get(folder);
    outOf(contents?.get(length), hash, source);
    if (contents?.get(length)?.size === 0) contents.delete(length);
    if (contents?.size === 0) this.#byContent.delete(folder);
  }

  /** The sources of which rotation may have made `path`: their names begin it, in its folder or the one above. */
  namedLike(path: string): Source[] {
    const name = basename(path);
    const found: Source[] = [];
    for (const folder of foldersOf(path)) {
      const names = this.#byName.get(folder);
      if (names === undefined) continue;
      for (let length = name.length; length > 0; length--)
        for (const source of each(names.get(name.slice(0, length)))) if (source.last !== path) found.push(source);
    }
    return found;
  }

  /** What a file at `path` that begins with `head` may continue. */
  related(path: string, head: Buffer): Known[] {
    const found = new Set(this.namedLike(path));
    for (const folder of foldersOf(path)) {
      for (const [length, hashes] of this.#byContent.get(folder) ?? []) {
        if (length > head.length) continue;
        for (const source of hashes.get(hashOf(head.subarray(0, length))) ?? [])
          if (source.last !== path) found.add(source);
      }
    }
    return [...found].map((source) => ({ source, orphan: this.#lost.has(source) }));
  }

  /** Whether anything could be recognised by its content there. */
  knowsContents(path: string): boolean {
    return foldersOf(path).some((folder) => this.#byContent.has(folder));
  }
}

/** Where the file may have lain of which `path` is a copy. */
const foldersOf = (path: string): string[] => [...new Set([dirname(path), dirname(dirname(path))])];

const each = (sources: OneOrMore | undefined): Iterable<Source> =>
  sources === undefined ? [] : sources instanceof Set ? sources : [sources];

function withSource(sources: OneOrMore | undefined, source: Source): OneOrMore {
  if (sources === undefined || sources === source) return source;
  return sources instanceof Set ? sources.add(source) : new Set([sources, source]);
}

function withoutSource(sources: OneOrMore | undefined, source: Source): OneOrMore | undefined {
  if (!(sources instanceof Set)) return sources === source ? undefined : sources;
  sources.delete(source);
  return sources.size === 0 ? undefined : sources;
}

function into<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function outOf(map: Map<string, Set<Source>> | undefined, key: string, source: Source): void {
  const sources = map?.get(key);
  sources?.delete(source);
  if (sources?.size === 0) map?.delete(key);
}
