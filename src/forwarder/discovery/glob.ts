import { type Dirent, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Alternatives that one pattern may expand to, and depth of `**`: bounds against slips in a configuration. */
const MOST_ALTERNATIVES = 1024;
const DEEPEST = 16;

/** `a{b,c}` → `ab`, `ac`; nested braces too. A brace without a comma or an end is taken as it is. */
export function expandBraces(pattern: string): string[] {
  const found = firstBraces(pattern);
  if (found === undefined) return [pattern];
  const { start, end, parts } = found;
  const all = parts.flatMap((part) => expandBraces(pattern.slice(0, start) + part + pattern.slice(end + 1)));
  return [...new Set(all)].slice(0, MOST_ALTERNATIVES);
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

/** One path segment as a regular expression: `*`, `?`, `[a-z]`, `[^a]` or `[!a]`, `\` before any of them. */
export function segmentExpression(segment: string): RegExp {
  let source = "";
  for (let index = 0; index < segment.length; index++) {
    const character = segment[index] as string;
    if (character === "*") source += "[^/]*";
    else if (character === "?") source += "[^/]";
    else if (character === "\\" && index + 1 < segment.length) source += RegExp.escape(segment[++index] as string);
    else if (character === "[" && segment.indexOf("]", index + 2) !== -1) {
      const end = segment.indexOf("]", index + 2);
      const body = segment.slice(index + 1, end).replace(/^[!^]/, "^");
      source += `[${body.replace(/[\\[\]]/g, "\\$&")}]`;
      index = end;
    } else source += RegExp.escape(character);
  }
  return new RegExp(`^${source}$`, "s");
}

/** Whether `path` is one that `pattern` matches, without looking at the disk. */
export function globMatches(pattern: string, path: string): boolean {
  return expandBraces(pattern).some((one) => matchSegments(one.split("/"), path.split("/")));
}

function matchSegments(pattern: readonly string[], path: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return path.length === 0;
  if (first === "**") return path.some((_, index) => matchSegments(rest, path.slice(index))) || matchSegments(rest, []);
  const [name, ...below] = path;
  return name !== undefined && segmentExpression(first).test(name) && matchSegments(rest, below);
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

export interface GlobResult {
  readonly paths: string[];
  /** Folders in which a new name could match: what to watch. */
  readonly folders: Set<string>;
}

/** The paths that match now, sorted within each folder. Hidden names match only a pattern that begins with a dot. */
export function glob(pattern: string): GlobResult {
  const result: GlobResult = { paths: [], folders: new Set() };
  for (const one of expandBraces(pattern)) {
    const absolute = one.startsWith("/");
    const segments = one.split("/").filter((segment) => segment !== "");
    walk(absolute ? "/" : ".", segments, result, 0);
  }
  return { paths: [...new Set(result.paths)], folders: result.folders };
}

function walk(folder: string, segments: readonly string[], result: GlobResult, depth: number): void {
  const [segment, ...rest] = segments;
  if (segment === undefined) return;
  const below = (name: string): string => (folder === "." ? name : join(folder, name));
  if (!isPattern(segment)) {
    if (rest.length === 0) {
      result.folders.add(folder);
      if (existsSync(below(segment))) result.paths.push(below(segment));
    } else walk(below(segment), rest, result, depth);
    return;
  }
  result.folders.add(folder);
  const entries = entriesOf(folder).sort((a, b) => (a.name < b.name ? -1 : 1));
  if (segment === "**") {
    walk(folder, rest, result, depth);
    if (depth < DEEPEST)
      for (const entry of entries) if (entry.isDirectory()) walk(below(entry.name), segments, result, depth + 1);
    return;
  }
  const expression = segmentExpression(segment);
  for (const entry of entries) {
    const { name } = entry;
    if (!expression.test(name) || (name.startsWith(".") && !segment.startsWith("."))) continue;
    if (rest.length === 0) result.paths.push(below(name));
    else if (entry.isDirectory() || entry.isSymbolicLink()) walk(below(name), rest, result, depth);
  }
}
