import { type Dirent, lstatSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { onDisk, pathOf } from "../../base/file-names.ts";
import { Wildcard } from "./wildcard.ts";

/** Alternatives that one pattern may expand to, and depth of `**`: bounds against slips in a configuration. */
const MOST_ALTERNATIVES = 1024;
const DEEPEST = 16;

/**
 * `a{b,c}` → `ab`, `ac`; nested braces too. A brace without a comma or an end is taken as it is. The pattern itself comes
 * last: the original knew no braces, and a name may have its own.
 */
export function expandBraces(pattern: string): string[] {
  return [...new Set([...alternatives(pattern).slice(0, MOST_ALTERNATIVES), pattern])];
}

function alternatives(pattern: string): string[] {
  const found = firstBraces(pattern);
  if (found === undefined) return [pattern];
  const { start, end, parts } = found;
  const all: string[] = [];
  for (const part of parts) {
    if (all.length > MOST_ALTERNATIVES) break;
    all.push(...alternatives(pattern.slice(0, start) + part + pattern.slice(end + 1)));
  }
  return [...new Set(all)];
}

function firstBraces(pattern: string): { start: number; end: number; parts: string[] } | undefined {
  for (let start = pattern.indexOf("{"); start !== -1; start = pattern.indexOf("{", start + 1)) {
    const parts: string[] = [];
    let [depth, from] = [0, start + 1];
    for (let index = start; index < pattern.length; index++) {
      const character = pattern[index];
      if (character === "{") depth++;
      else if (character === "," && depth === 1) {
        parts.push(pattern.slice(from, index));
        from = index + 1;
      } else if (character === "}" && --depth === 0) {
        if (parts.length === 0) break;
        return { start, end: index, parts: [...parts, pattern.slice(from, index)] };
      }
    }
  }
  return undefined;
}

const isPattern = (segment: string): boolean => /[*?[\\]/.test(segment);

/** A segment of a path as it is compared: a name, a pattern, or any number of folders. */
type Segment = string | Wildcard | "**";

const segmentOf = (text: string): Segment => (text !== "**" && isPattern(text) ? new Wildcard(text) : text);

interface Alternative {
  readonly absolute: boolean;
  readonly segments: readonly Segment[];
}

/** A pattern of the configuration, understood once. */
export class Glob {
  readonly #alternatives: readonly Alternative[];

  constructor(pattern: string) {
    this.#alternatives = expandBraces(pattern).map((one) => ({
      absolute: one.startsWith("/"),
      segments: one
        .split("/")
        .filter((segment) => segment !== "")
        .map(segmentOf),
    }));
  }

  /** Whether it matches `path`, without looking at the disk. */
  matches(path: string): boolean {
    const parts = path.split("/").filter((part) => part !== "");
    return this.#alternatives.some(
      ({ absolute, segments }) => absolute === path.startsWith("/") && matchSegments(segments, parts),
    );
  }

  /** The paths that match now, sorted within each folder, and the folders in which a new name could match. */
  find(tree: Tree = new Tree()): GlobResult {
    const result: GlobResult = { paths: new Set(), folders: new Set() };
    for (const { absolute, segments } of this.#alternatives) walk(absolute ? "/" : ".", segments, { result, tree }, 0);
    return result;
  }
}

export interface GlobResult {
  readonly paths: Set<string>;
  readonly folders: Set<string>;
}

function matchSegments(pattern: readonly Segment[], path: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return path.length === 0;
  if (first === "**") return path.some((_, index) => matchSegments(rest, path.slice(index))) || matchSegments(rest, []);
  const [name, ...below] = path;
  if (name === undefined || !(typeof first === "string" ? first === name : first.test(name))) return false;
  return matchSegments(rest, below);
}

export interface FolderEntry {
  readonly name: string;
  readonly kind: "folder" | "link" | "other";
}

/** Folders as they were when they were first asked for: patterns of one scan share what they list. */
export class Tree {
  readonly #listed = new Map<string, readonly FolderEntry[]>();
  /** Called before a pattern asks for names in a folder. */
  before: (folder: string) => void = () => undefined;

  /** What lies in `folder`, sorted by name; nothing if it cannot be listed. */
  entries(folder: string): readonly FolderEntry[] {
    let entries = this.#listed.get(folder);
    if (entries === undefined) {
      entries = listed(folder);
      this.#listed.set(folder, entries);
    }
    return entries;
  }
}

/** What Node makes of bytes that are no UTF-8. */
const REPLACED = "\ufffd";

function listed(folder: string): FolderEntry[] {
  try {
    let entries: Dirent[] | Dirent<Buffer>[] = readdirSync(onDisk(folder), { withFileTypes: true });
    // Names as bytes cost several times as much, and few folders have one that is not UTF-8.
    if (entries.some(({ name }) => name.includes(REPLACED)))
      entries = readdirSync(onDisk(folder), { withFileTypes: true, encoding: "buffer" });
    return entries
      .map((entry): FolderEntry => {
        const name = typeof entry.name === "string" ? entry.name : pathOf(entry.name);
        const kind = entry.isDirectory() ? "folder" : entry.isSymbolicLink() ? "link" : "other";
        return { name, kind: isKnown(entry) ? kind : kindAt(joined(folder, name)) };
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return [];
  }
}

/** Some filesystems list names without saying what they are. */
const isKnown = (entry: {
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
  isFile(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
  isCharacterDevice(): boolean;
  isBlockDevice(): boolean;
}): boolean =>
  entry.isDirectory() ||
  entry.isSymbolicLink() ||
  entry.isFile() ||
  entry.isFIFO() ||
  entry.isSocket() ||
  entry.isCharacterDevice() ||
  entry.isBlockDevice();

function kindAt(path: string): FolderEntry["kind"] {
  try {
    return statSync(onDisk(path)).isDirectory() ? "folder" : "other";
  } catch {
    return "other";
  }
}

/** As join of node:path, which looks for dots in each letter of what has none: a scan joins every name there is. */
export function joined(folder: string, name: string): string {
  if (folder === ".") return name;
  return name === "." || name === ".." || folder.endsWith("/") ? join(folder, name) : `${folder}/${name}`;
}

interface Walk {
  readonly result: GlobResult;
  readonly tree: Tree;
}

function exists(path: string): boolean {
  try {
    lstatSync(onDisk(path));
    return true;
  } catch {
    return false;
  }
}

/** A name that begins with a dot is a name like any other, as it was for the original. */
function walk(folder: string, segments: readonly Segment[], into: Walk, depth: number): void {
  const [segment, ...rest] = segments;
  const { result, tree } = into;
  if (segment === undefined) return;
  if (typeof segment === "string" && segment !== "**") {
    const path = joined(folder, segment);
    if (rest.length > 0) return walk(path, rest, into, depth);
    tree.before(folder);
    result.folders.add(folder);
    if (exists(path)) result.paths.add(path);
    return;
  }
  tree.before(folder);
  result.folders.add(folder);
  const entries = tree.entries(folder);
  if (segment === "**") {
    walk(folder, rest, into, depth);
    if (depth < DEEPEST)
      for (const { name, kind } of entries)
        if (kind === "folder") walk(joined(folder, name), segments, into, depth + 1);
    return;
  }
  for (const { name, kind } of entries) {
    if (typeof segment === "string" || !segment.test(name)) continue;
    if (rest.length === 0) result.paths.add(joined(folder, name));
    else if (kind !== "other") walk(joined(folder, name), rest, into, depth);
  }
}
