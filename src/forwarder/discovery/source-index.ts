import { basename, dirname } from "node:path";
import { hashOf } from "../model/content.ts";
import { keyOf, type Source } from "../model/source.ts";
import type { Known } from "./candidates.ts";
import { isConvincing } from "./continuation.ts";

/** Sources by the length and hash of their fingerprint. */
type Contents = Map<number, Map<string, Set<Source>>>;

/**
 * Everything that is followed, so that what is looked for is found at once: by device and inode, by path, by the name that
 * a copy of it would have, and by its first bytes. No question costs more the more files there are.
 */
export class SourceIndex {
  /** Sources whose file is known, by device and inode. */
  readonly #byKey = new Map<string, Source>();
  readonly #byPath = new Map<string, Source>();
  /** Sources without a file, the oldest first: a copy or an archive of them may appear. */
  readonly #lost = new Set<Source>();
  readonly #lostByKey = new Map<string, Set<Source>>();
  /** Per folder and name: the sources that lie or lay there last. */
  readonly #byName = new Map<string, Map<string, Set<Source>>>();
  /** Per folder: those that have no name any more, by content. */
  readonly #byContent = new Map<string, Contents>();
  /** Where a source is listed in the two above. */
  readonly #listed = new Map<Source, { last: string; length: number; hash: string; nameless: boolean }>();

  /** Everything that the registry should hold. */
  *all(): Generator<Source> {
    yield* this.#byKey.values();
    yield* this.#lost;
  }

  followed(): Iterable<Source> {
    return this.#byKey.values();
  }

  get lost(): ReadonlySet<Source> {
    return this.#lost;
  }

  isLost(source: Source): boolean {
    return this.#lost.has(source);
  }

  byKey(key: string): Source | undefined {
    return this.#byKey.get(key);
  }

  at(path: string): Source | undefined {
    return this.#byPath.get(path);
  }

  /** Whether something lies at `path`, or lay there last. */
  knewAt(path: string): boolean {
    return (this.#byName.get(dirname(path))?.get(basename(path))?.size ?? 0) > 0;
  }

  /** Lost sources whose file had this device and inode: it was renamed while we looked elsewhere, or is another now. */
  lostAt(key: string): Iterable<Source> {
    return this.#lostByKey.get(key) ?? [];
  }

  /** A lost source is found again: to be done before its identity changes. */
  find(source: Source): void {
    this.#lost.delete(source);
    outOf(this.#lostByKey, keyOf(source.identity), source);
  }

  /** The source is followed where it lies. */
  add(source: Source): void {
    this.#byKey.set(keyOf(source.identity), source);
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
    const key = keyOf(source.identity);
    if (this.#byKey.get(key) === source) this.#byKey.delete(key);
    this.place(source, undefined);
    this.#lost.add(source);
    into(this.#lostByKey, key, () => new Set<Source>()).add(source);
  }

  forget(source: Source): void {
    this.find(source);
    this.#unlist(source);
  }

  /** What is known of it has changed: its name, its fingerprint. */
  refresh(source: Source): void {
    const { last, fingerprint, path } = source;
    const listed = this.#listed.get(source);
    const nameless = path === undefined && isConvincing(source);
    if (
      listed !== undefined &&
      listed.last === last &&
      listed.nameless === nameless &&
      (!nameless || listed.hash === fingerprint.hash)
    )
      return;
    this.#unlist(source);
    const { length, hash } = fingerprint;
    this.#listed.set(source, { last, length, hash, nameless });
    const folder = dirname(last);
    const names = into(this.#byName, folder, () => new Map<string, Set<Source>>());
    into(names, basename(last), () => new Set<Source>()).add(source);
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
    const { last, length, hash, nameless } = listed;
    const folder = dirname(last);
    outOf(this.#byName.get(folder), basename(last), source);
    if (this.#byName.get(folder)?.size === 0) this.#byName.delete(folder);
    if (!nameless) return;
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
        for (const source of names.get(name.slice(0, length)) ?? []) if (source.last !== path) found.push(source);
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
